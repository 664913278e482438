"""Hours of sound: read in bounded memory, cut in pauses, in time to the end, and gone on with after a kill."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import encode

import earsight
from conftest import REPOSITORY, write_wav
from earsight.app.main import main
from earsight.audio.evaluating import evaluate_model
from earsight.audio.reading import open_blocks, read
from earsight.audio.recognition.recogniser import SpeechRecogniser
from earsight.common.errors import EarsightError
from earsight.common.files import partial_of
from earsight.common.steps import in_step

RATE = 16000
MODEL = "en-small"


@pytest.fixture(scope="module")
def spoken() -> list[tuple[np.ndarray, str]]:
    """Two clips, and what is said in them."""
    folder = REPOSITORY / "scripts" / "examples"
    texts = dict(line.split(",") for line in (folder / "transcripts.csv").read_text().splitlines()[1:])
    return [(read(folder / name, RATE).samples, texts[name]) for name in ("grid-sentence.wav", "phone-number.ogg")]


def recording(spoken: list, count: int, seed: int = 1, pause: tuple[float, float] = (0.7, 1.6)
              ) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """So many clips with pauses of room noise between them, and where each begins, in samples."""
    rng = np.random.default_rng(seed)
    parts, places, count_so_far = [], [], 0
    for _ in range(count):
        clip, text = spoken[rng.integers(len(spoken))]
        silence = (1e-3 * rng.standard_normal(round(RATE * rng.uniform(*pause)))).astype(np.float32)
        places.append((count_so_far + len(silence), text))
        parts += [silence, clip]
        count_so_far += len(silence) + len(clip)
    return np.concatenate(parts), places


@pytest.fixture(scope="module")
def minutes(spoken, tmp_path_factory) -> tuple[Path, list[tuple[int, str]]]:
    """Some minutes of sound, and what is said where."""
    samples, places = recording(spoken, 24)
    return write_wav(tmp_path_factory.mktemp("long") / "long.wav", samples), places


def run(*arguments, **options) -> subprocess.CompletedProcess:
    return subprocess.run(command(*arguments), capture_output=True, text=True, cwd=REPOSITORY, **options)


def command(*arguments) -> list[str]:
    return [sys.executable, "-m", "earsight", "transcribe", *map(str, arguments)]


def test_an_encoder_hears_each_window_once(monkeypatch):
    folder = REPOSITORY / "scripts" / "examples"
    clips = [read(folder / name, RATE).samples for name in ("phone-number.ogg", "date.mp3")]
    samples, places = recording([(clip, str(i)) for i, clip in enumerate(clips)], 16)
    recogniser = SpeechRecogniser("en", "ctc", 2)
    alone = [recogniser.transcript_of(clip).words for clip in clips]
    heard, frames = [], recogniser.runtime.frames
    monkeypatch.setattr(recogniser.runtime, "frames", lambda window: (heard.append(len(window)), frames(window))[1])
    found = recogniser.transcript_of(samples)
    assert len(heard) == -(-len(samples) // (12 * RATE)) and max(heard) <= 14 * RATE
    wanted = [(word.text, start / RATE + word.start) for start, clip in places for word in alone[int(clip)]]
    assert len(wanted) * 0.95 < sum(
        any(word.text == text and abs(word.start - start) < 0.1 for word in found.words) for text, start in wanted)
    assert abs(len(found.words) - len(wanted)) < 0.05 * len(wanted)


def test_blocks_are_the_file(tmp_path, minutes):
    for rate in (16000, 11025):
        found, blocks = open_blocks(minutes[0], rate)
        np.testing.assert_array_equal(np.concatenate(list(blocks)), read(minutes[0], rate).samples)
        assert found == rate


def test_clips_side_by_side_are_read_as_each_is_alone(minutes, tmp_path):
    """Among them a long recording, which takes one step, and a file that cannot be read."""
    recogniser = SpeechRecogniser(MODEL, "ctc")
    examples = REPOSITORY / "scripts" / "examples"
    (broken := tmp_path / "broken.wav").write_bytes((examples / "grid-sentence.wav").read_bytes()[:-4000])
    still = write_wav(tmp_path / "still.wav", np.zeros(RATE))
    paths = [examples / "date.mp3", minutes[0], broken, examples / "grid-sentence.wav", still]
    found = in_step(recogniser.transcribing, paths)
    assert found[:2] + found[3:] == [recogniser.transcribe(path) for path in paths if path != broken]
    assert isinstance(found[2], EarsightError) and "broken.wav" in str(found[2])


def test_each_clip_is_an_utterance_at_its_place(minutes, spoken):
    path, places = minutes
    recogniser = SpeechRecogniser(MODEL, "ctc", 2)
    found = list(recogniser.utterances(path))
    alone = [recogniser.transcript(recogniser.frames_of_samples(clip, RATE)) for clip, _ in spoken]
    ends = {transcript.text: transcript.words[-1].end for transcript in alone}
    assert [utterance.transcript.text for utterance in found] == [text for _, text in places]
    for utterance, (place, _) in zip(found, places):
        assert abs(utterance.transcript.words[-1].end - (place / RATE + ends[utterance.transcript.text])) < 0.1
        assert utterance.start < place / RATE < utterance.transcript.words[-1].end <= utterance.end
    whole = recogniser.transcribe(path)
    assert whole.text.split("\n") == [text for _, text in places]
    assert whole.duration == soundfile.info(path).duration
    starts = [word.start for word in whole.words]
    assert starts == sorted(starts) and " ".join(word.text for word in whole.words).split() == whole.text.split()


def test_an_utterance_is_read_as_a_clip_of_its_own(minutes, tmp_path):
    recogniser = SpeechRecogniser(MODEL, "ctc")
    samples = read(minutes[0]).samples
    for utterance in list(recogniser.utterances(minutes[0]))[::5]:
        clip = samples[round(utterance.start * RATE):round(utterance.end * RATE)]
        alone = recogniser.transcript(recogniser.frames_of_samples(clip, RATE))
        assert alone.text == utterance.transcript.text
        for word, other in zip(alone.words, utterance.transcript.words):
            assert word.start + utterance.start == pytest.approx(other.start, abs=1e-6)


def test_evaluating_reads_long_clips_as_transcribing_does(minutes, tmp_path):
    path, places = minutes
    (tmp_path / "clips.csv").write_text(f"path,text\n{path},{' '.join(text for _, text in places)}\n")
    report, errors = evaluate_model(MODEL, tmp_path / "clips.csv")
    read_by_transcribe = SpeechRecogniser(MODEL, "ctc").transcribe(path)
    assert not errors and report.words.edits == 0 and report.words.reference_length > 100
    assert len(report.judged.calibrated) == len(read_by_transcribe.words)
    assert report.judged.calibrated == pytest.approx([word.confidence for word in read_by_transcribe.words])
    assert report.judged.raw != pytest.approx(report.judged.calibrated)
    np.save(tmp_path / "wide.npy", np.zeros((100 * 300, 5), np.float32))
    (tmp_path / "wide.csv").write_text("path,text\nwide.npy,one\n")
    with pytest.raises(EarsightError, match="wide: frames of shape .30000, 5. do not fit"):
        evaluate_model(MODEL, tmp_path / "wide.csv")


def test_threads_blocks_and_stored_frames_make_no_difference(minutes, tmp_path, monkeypatch):
    path, places = minutes
    one = SpeechRecogniser(MODEL, "ctc", 1).transcribe(path)
    monkeypatch.setattr("earsight.audio.reading.with_soundfile.BLOCK", 12345)
    recogniser = SpeechRecogniser(MODEL, "ctc", 3)
    assert recogniser.transcribe(path) == one
    np.save(tmp_path / "long.npy", recogniser.frames(path))
    stored = recogniser.transcribe(tmp_path / "long.npy")
    assert stored.text == one.text and stored.duration == pytest.approx(one.duration, abs=0.03)


def test_a_short_clip_is_one_utterance_as_it_is(spoken, tmp_path):
    clip, text = spoken[1]
    path = write_wav(tmp_path / "clip.wav", clip)
    recogniser = SpeechRecogniser(MODEL, "ctc")
    (only,) = recogniser.utterances(path)
    assert (only.start, only.end, only.transcript.text) == (0.0, len(clip) / RATE, text)
    assert recogniser.transcribe(path) == only.transcript
    assert only.transcript.words == recogniser.transcript(recogniser.frames(path)).words


def test_speech_without_a_pause_is_cut_all_the_same(spoken, tmp_path):
    speech = spoken[1][0]
    samples = np.tile(speech[round(0.2 * RATE):round(4.2 * RATE)], 15)
    path = write_wav(tmp_path / "breathless.wav", samples)
    recogniser = SpeechRecogniser(MODEL, "ctc")
    longest = recogniser.runtime.config.longest_clip
    utterances = list(recogniser.utterances(path))
    assert len(utterances) > 8 and max(u.end - u.start for u in utterances) < longest + 2.0
    assert all(before.end <= after.start for before, after in zip(utterances, utterances[1:]))


def test_a_model_notes_how_long_its_clips_were(tone_models, tone_corpus):
    longest = max(soundfile.info(path).duration for path in (tone_corpus / "text").iterdir())
    found = SpeechRecogniser(tone_models["ctc"], "ctc").runtime.config.longest_clip
    assert longest - 0.05 <= found <= longest + 0.01


# As a person uses it


def test_utterances_are_printed_line_by_line(minutes):
    done = run(minutes[0], "--model", MODEL)
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.splitlines() == [text for _, text in minutes[1]]


def test_lines_come_before_the_file_is_read(minutes, tmp_path):
    """The sound stands still near the end, as on a slow disk; what was said long before is there."""
    code = ("import sys\nfrom earsight.app.main import main\n"
            "from earsight.audio.reading import sound, with_soundfile as r\n"
            "pieces = r.soundfile_pieces\n"
            "def halting(*given):\n"
            "    for i, piece in enumerate(pieces(*given)):\n"
            "        if i == 110: sys.stdin.read()\n"
            "        yield piece\n"
            "sound.soundfile_pieces, r.BLOCK = halting, 16000\n"
            f"sys.exit(main(['transcribe', {str(minutes[0])!r}, '--model', {MODEL!r}]))")
    process = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, text=True, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    guard = threading.Timer(60, process.kill)  # else a failure would wait for ever
    guard.start()
    assert process.stdout.readline().strip() == minutes[1][0][1]
    process.stdin.close()
    assert len(process.stdout.read().splitlines()) == len(minutes[1]) - 1
    assert process.wait() == 0
    guard.cancel()


def test_a_bar_tells_how_long_it_will_take(minutes, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["transcribe", str(minutes[0]), "--model", MODEL]) == 0
    shown = capsys.readouterr()
    assert [line for line in shown.out.splitlines() if line.strip()] == [text for _, text in minutes[1]]
    assert "100% of 2 min" in shown.err and " left" in shown.err and "Warning" not in shown.err


def test_a_job_that_was_killed_goes_on_to_the_same_result(minutes, tmp_path):
    path, places = minutes
    arguments = command(path, "--model", MODEL, "--format", "json", "--output", tmp_path, "--jobs", "1")
    assert subprocess.run(arguments, cwd=REPOSITORY).returncode == 0
    output, partial = tmp_path / "long.json", partial_of(tmp_path / "long.json")
    expected = output.read_bytes()
    output.unlink()
    for lines in (3, 12):
        process = subprocess.Popen(arguments, cwd=REPOSITORY)
        while process.poll() is None and not (partial.exists() and partial.read_bytes().count(b"\n") >= lines):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not output.exists() and partial.read_bytes().count(b"\n") >= lines
    with open(partial, "ab") as file:  # a line that was being written
        file.write(b'{"place": {"start": 1')
    assert subprocess.run(arguments, cwd=REPOSITORY).returncode == 0
    assert output.read_bytes() == expected and os.listdir(tmp_path) == ["long.json"]


def test_what_is_noted_is_not_read_again_and_only_of_the_same_job(minutes, tmp_path):
    recogniser = SpeechRecogniser(MODEL, "ctc")
    notes = tmp_path / "notes.jsonl"
    expected = recogniser.transcribe(minutes[0], notes)
    lines = notes.read_text().splitlines(keepends=True)
    assert len(lines) == 1 + len(minutes[1])
    changed = json.loads(lines[1])
    changed["utterance"]["transcript"]["text"] = "as noted"
    notes.write_text("".join([lines[0], json.dumps(changed) + "\n", *lines[2:8]]))
    assert recogniser.transcribe(minutes[0], notes).text.split("\n") == ["as noted", *expected.text.split("\n")[1:]]
    beam = SpeechRecogniser(MODEL, "ctc", decoding={"decoder": "beam", "beam": 7})
    assert "as noted" not in beam.transcribe(minutes[0], notes).text
    os.utime(minutes[0])
    assert recogniser.transcribe(minutes[0], notes) == expected


def test_silence_is_an_empty_transcript(tmp_path):
    for name, level in (("digital", 0.0), ("room", 1e-4)):
        path = tmp_path / f"{name}.wav"
        write_wav(path, level * np.random.default_rng(1).standard_normal(180 * RATE))
        transcript = earsight.transcribe(path, MODEL)
        assert transcript.duration == 180.0
        if name == "digital":
            assert transcript.text == "" and transcript.words == ()
            assert run(path, "--model", MODEL).stdout == "\n"


def test_a_file_that_ends_early_is_an_error_and_what_was_read_is_kept(minutes, tmp_path):
    samples = read(minutes[0]).samples
    path = tmp_path / "cut.flac"
    soundfile.write(path, samples, RATE)
    path.write_bytes(path.read_bytes()[:-len(path.read_bytes()) // 3])
    done = run(path, "--model", MODEL)
    assert done.returncode == 1 and "cut short" in done.stderr and done.stderr.count("\n") == 1
    done = run(path, "--model", MODEL, "--output", tmp_path / "out")
    partial = partial_of(tmp_path / "out" / "cut.txt")
    assert done.returncode == 1 and "cut short" in done.stderr and os.listdir(tmp_path / "out") == [partial.name]


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
def test_a_file_that_grows_while_it_is_read(suffix, minutes, tmp_path):
    """It is read to the end that it had, or has by then: what is there at the start is there in any case."""
    samples, texts = read(minutes[0]).samples, [text for _, text in minutes[1]]
    whole, path = tmp_path / f"whole.{suffix}", tmp_path / f"growing.{suffix}"
    if suffix == "mp3":  # as a stream is: without a header that states its length
        encode(whole, samples, RATE, "libmp3lame", options={"write_xing": "0"})
    else:
        soundfile.write(whole, samples, RATE)
    data = whole.read_bytes()
    half = len(data) // 2
    if suffix == "wav":  # as programs that record leave it until they are done
        data = data[:4] + b"\xff\xff\xff\xff" + data[8:40] + b"\xff\xff\xff\xff" + data[44:]
    path.write_bytes(data[:half])
    go_on = threading.Event()

    def grow() -> None:
        with open(path, "ab") as file:
            for start in range(half, len(data), 4096):
                file.write(data[start:start + 4096])
                file.flush()
                go_on.wait(0.01)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        found = earsight.transcribe(path, MODEL).text.split("\n")
        assert suffix != "flac" and len(found) > 10 and found[:10] == texts[:10]
    except EarsightError as error:  # a flac states its length, and not all of it is there
        assert suffix == "flac" and "cut short" in str(error)
    finally:
        go_on.set()
        writer.join()


def test_an_output_that_cannot_be_written_is_known_at_the_start(minutes, tmp_path):
    (tmp_path / "file").write_text("")
    done = run(minutes[0], "--model", MODEL, "--output", tmp_path / "file" / "out")
    assert done.returncode == 1 and "cannot be written" in done.stderr and done.stderr.count("\n") == 1


def test_memory_does_not_grow_with_the_length(spoken, tmp_path):
    peaks = []
    for count in (24, 240):
        path = write_wav(tmp_path / "long.wav", recording(spoken, count)[0])
        code = (f"import earsight; earsight.transcribe({str(path)!r}, {MODEL!r}); "
                "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])")
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True)
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] < peaks[0] + 25 and peaks[1] < 300  # MB; the second is 20 minutes, 80 MB as float32
