"""`earsight listen` as a whole: files, pipes, microphones, signals, and what is no sound."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import webvtt

import earsight
from conftest import REPOSITORY, tone, write_wav
from earsight.app.main import main
from earsight.audio.reading import read, resample

CLIP = REPOSITORY / "scripts/examples/grid-sentence.wav"
SOON = 6.0  # seconds; one or two as a rule

# A stand-in for sounddevice: its microphone hears MICROPHONE (a .npy array of 16 kHz sound), for ever if nothing says
# otherwise; PortAudio's own errors.
SOUNDDEVICE = """
import os, threading, time, types
import numpy as np

class PortAudioError(Exception):
    pass

ONE = {"name": "Caf\\u00e9 mic", "max_input_channels": 1, "max_output_channels": 0, "default_samplerate": 44100.0}
TWO = {"name": "Speakers", "max_input_channels": 0, "max_output_channels": 2, "default_samplerate": 48000.0}
HOW = os.environ.get("HOW", "")
default = types.SimpleNamespace(device=(0, 1))

def query_devices(device=None, kind=None):
    every = [] if HOW == "none" else [ONE, TWO]
    if kind is None:
        return every
    if not every:
        raise PortAudioError("Error querying device -1")
    if device in (None, 0):
        return ONE
    raise ValueError(f"No input device matching {device!r}")

class InputStream:
    def __init__(self, samplerate, blocksize, device, channels, dtype, callback):
        if HOW == "busy" or HOW == "one rate" and samplerate != 44100:
            raise PortAudioError("Error opening InputStream: Invalid sample rate [PaErrorCode -9997]")
        self.rate, self.size, self.callback, self.dtype = samplerate, blocksize, callback, dtype

    def start(self):
        sound = np.load(os.environ["MICROPHONE"])
        assert self.dtype == "int16"
        if self.rate != 16000:
            import soxr
            sound = soxr.resample(sound, 16000, self.rate)
        sound = (np.clip(sound, -1, 1) * 32767).astype(np.int16)
        threading.Thread(target=self.hear, args=(sound,), daemon=True).start()

    def hear(self, sound):
        status = types.SimpleNamespace(input_overflow=HOW == "lossy")  # once, before the sentence may be over
        for place in range(0, len(sound), self.size):
            self.callback(sound[place:place + self.size, None], self.size, None, status)
            status.input_overflow = False
            time.sleep(0.005)
        while HOW != "unplugged":
            self.callback(np.zeros((self.size, 1), np.int16), self.size, None, status)
            time.sleep(0.05)

    def abort(self): pass
    def close(self): pass
"""


def start(*arguments, **how):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how}
    return subprocess.Popen([sys.executable, "-m", "earsight", "listen", *map(str, arguments)], cwd=REPOSITORY,
                            text=True, **pipes)


def events(text):
    return [json.loads(line) for line in text.splitlines()]


def sentence(pause=1.0):
    """The clip at 16 kHz with a quiet pause behind it."""
    sound = read(CLIP, 16000).samples
    return np.concatenate([sound, np.zeros(round(pause * 16000), np.float32)])


def pcm(samples):
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


@pytest.fixture
def mic(tmp_path):
    """Environment of a command whose microphone hears the sentence."""
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake/sounddevice.py").write_text(SOUNDDEVICE)
    np.save(tmp_path / "heard.npy", sentence(1.0))
    return {**os.environ, "PYTHONPATH": str(tmp_path / "fake"), "MICROPHONE": str(tmp_path / "heard.npy")}


def test_a_file_is_heard_as_it_is_transcribed(capsys):
    expected = earsight.transcribe(CLIP, "en-small")
    assert main(["listen", str(CLIP), "--model", "en-small", "--format", "jsonl"]) == 0
    told = events(capsys.readouterr().out)
    partials, [final] = [each for each in told if each["type"] == "partial"], told[-1:]
    assert final["type"] == "final" and final["text"] == expected.text
    assert [(word["text"], word["start"]) for word in final["words"]] == [
        (word.text, round(word.start, 3)) for word in expected.words]
    assert final["confidence"] == round(expected.confidence, 4)
    steps = np.diff([0, *(each["end"] for each in partials)])
    assert max(steps) <= 0.5 and len(partials) > 5  # a reading each 0.25 s; one that changes nothing is not told
    settled = [each["settled"].split() for each in partials]
    assert all(after[:len(before)] == before for before, after in zip(settled, settled[1:]))
    assert all(each["text"].split()[:len(words)] == words for each, words in zip(partials, settled))


def test_each_final_is_what_its_part_of_the_sound_says(tmp_path, capsys, shared_data):
    """Of GRID's development clips one behind another; each final's stretch, cut and transcribed, says the same."""
    names = (shared_data / "grid/splits/dev.txt").read_text().split()[:3]
    sound = np.concatenate([read(shared_data / f"grid/s1/{name}.mp4", 16000).samples for name in names])
    path = write_wav(tmp_path / "all.wav", sound)
    assert main(["listen", str(path), "--format", "jsonl"]) == 0
    finals = [each for each in events(capsys.readouterr().out) if each["type"] == "final"]
    assert len(finals) >= 3
    for number, final in enumerate(finals):
        span = read(path).samples[round(final["start"] * 16000):round(final["end"] * 16000)]
        assert earsight.transcribe(write_wav(tmp_path / f"{number}.wav", span)).text == final["text"]


@pytest.mark.parametrize("rate", [16000, 44100])
def test_raw_samples_come_by_the_standard_input_or_a_file(rate, tmp_path):
    expected = earsight.transcribe(CLIP, "en-small").text
    sound = pcm(resample(sentence(), 16000, rate))
    process = subprocess.run([sys.executable, "-m", "earsight", "listen", "-", "--rate", str(rate), "--model",
                              "en-small"], input=sound, capture_output=True, cwd=REPOSITORY, timeout=120)
    assert (process.stdout.decode(), process.stderr, process.returncode) == (f"{expected}\n", b"", 0)
    (tmp_path / "sound.raw").write_bytes(sound + b"\0")  # half a sample more
    process = start(tmp_path / "sound.raw", "--rate", rate, "--model", "en-small")
    assert process.communicate(timeout=120) == (f"{expected}\n", "") and process.returncode == 0


def test_subtitles_grow_and_are_whole_at_any_time(tmp_path):
    path = tmp_path / "live.vtt"
    process = start("-", "--model", "en-small", "--subtitles", path, stdin=subprocess.PIPE)
    sound, seen = pcm(np.concatenate([sentence(), sentence()])), []
    for place in range(0, len(sound), 8000):
        process.stdin.buffer.write(sound[place:place + 8000])
        process.stdin.buffer.flush()
        time.sleep(0.02)
        if path.exists():
            seen.append(" ".join(caption.text.replace("\n", " ") for caption in webvtt.read(path)))
    process.stdin.close()
    assert process.wait(timeout=120) == 0
    lines = process.stdout.read().splitlines()
    captions = webvtt.read(path)
    assert len(lines) == 2 and " ".join(caption.text.replace("\n", " ") for caption in captions) == " ".join(lines)
    assert captions[0].start_in_seconds < captions[-1].start_in_seconds
    assert len(set(seen)) > 3 and os.listdir(tmp_path) == ["live.vtt"]


def test_a_microphone_is_heard_until_a_signal_comes(mic, tmp_path):
    """What it has heard of an utterance that is not over is told too."""
    np.save(tmp_path / "heard.npy", np.concatenate([sentence(1.0), sentence(0.0)]))
    process = start("--model", "en-small", env=mic)
    first = process.stdout.readline()
    time.sleep(0.6)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=60)
    assert time.monotonic() - begun < SOON and process.returncode == 0 and errors == ""
    assert first.strip() == earsight.transcribe(CLIP, "en-small").text and len(rest.split()) >= 1


def test_a_microphone_with_a_rate_of_its_own_and_sound_that_is_lost(mic):
    for how in ("one rate", "lossy"):
        process = start("--model", "en-small", "--device", "0", env={**mic, "HOW": how})
        assert process.stdout.readline().strip() == earsight.transcribe(CLIP, "en-small").text
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0
        assert errors == ("" if how == "one rate" else
                          "warning: microphone Café mic: sound was lost 1 times; this machine is too busy\n")


def test_a_microphone_that_goes_away(mic, tmp_path):
    np.save(tmp_path / "heard.npy", sentence(0.0))
    process = start("--model", "en-small", env={**mic, "HOW": "unplugged"})
    said, errors = process.communicate(timeout=60)
    assert said.strip() == earsight.transcribe(CLIP, "en-small").text and process.returncode == 1
    assert errors.startswith("error: microphone Café mic: gave no sound for 3 s") and errors.count("\n") == 1


@pytest.mark.parametrize("how, options, expected", [
    ("none", [], "no microphone"),
    ("none", ["--list-devices"], "no microphone"),
    ("", ["--device", "Nobody's"], "microphone Nobody's: not there"),
    ("", ["--device", "7"], "microphone 7: not there"),
    ("busy", [], "cannot be opened"),
    ("", ["--rate", "8000"], "--rate goes with a file"),
])
def test_no_such_microphone_is_one_line(how, options, expected, mic):
    process = start(*options, env={**mic, "HOW": how})
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and said == "" and errors.startswith("error: ") and errors.count("\n") == 1
    assert expected in errors


def test_microphones_are_listed(mic):
    said, errors = start("--list-devices", env=mic).communicate(timeout=60)
    assert (said, errors) == ("*   0 Café mic (1 channels, 44100 Hz)\n", "")


@pytest.mark.parametrize("module, expected", [
    ("raise ModuleNotFoundError('no', name='sounddevice')", "pip install 'earsight[live]'"),
    ("raise OSError('PortAudio library not found')", "apt install libportaudio2"),
])
def test_what_a_microphone_needs_is_told(module, expected, mic, tmp_path):
    (tmp_path / "fake/sounddevice.py").write_text(module)
    said, errors = start(env=mic).communicate(timeout=60)
    assert said == "" and expected in errors and errors.count("\n") == 1


@pytest.mark.parametrize("options, expected", [
    (["no-such.wav"], "no such file"),
    (["no-such.raw", "--rate", "16000"], "cannot be read"),
    (["{folder}/empty.wav"], "empty"),
    (["{folder}/empty.wav", "--rate", "16000"], "holds no sound"),
    (["{folder}/text.txt"], "cannot be decoded"),
    (["{folder}", "--rate", "16000"], "cannot be read"),
    (["{folder}/pipe"], "--rate"),
    (["{folder}/clip.wav", "--rate", "10"], "8000 to 192000"),
    (["{folder}/clip.wav", "--device", "0"], "beside --device"),
    (["{folder}/clip.wav", "--subtitles", "{folder}/live.txt"], ".srt or .vtt"),
    (["{folder}/clip.wav", "--subtitles", "{folder}/clip.wav"], "would write over it"),
    (["{folder}/clip.wav", "--subtitles", "{folder}/empty.wav/live.srt"], "cannot be written"),
    (["{folder}/clip.wav", "--model", "digits"], "earsight classify"),
    (["-"], "holds no sound"),
])
def test_what_is_no_sound_is_one_line(options, expected, tmp_path):
    write_wav(tmp_path / "clip.wav", tone(440, 0.5))
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.txt").write_text("words\n" * 100)
    os.mkfifo(tmp_path / "pipe")
    options = [option.replace("{folder}", str(tmp_path)) for option in options]
    process = start(*options, stdin=subprocess.DEVNULL)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and said == "" and errors.startswith("error: ") and errors.count("\n") == 1
    assert expected in errors


def test_a_pipe_that_says_nothing_ends_at_a_signal_with_what_was_heard():
    process = start("-", "--model", "en-small", stdin=subprocess.PIPE)
    process.stdin.buffer.write(pcm(sentence(0.1)))
    process.stdin.buffer.flush()
    time.sleep(4)
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143 and time.monotonic() - begun < SOON
    assert process.stdout.read().strip() == earsight.transcribe(CLIP, "en-small").text
    assert process.stderr.read() == "error: stopped by SIGTERM; what was heard until then is told\n"
    process.stdin.close()


@pytest.mark.parametrize("samples", [1, 10, 200, 1500])
def test_hardly_any_sound_says_nothing(samples, tmp_path, capsys):
    (tmp_path / "sound.raw").write_bytes(pcm(sentence()[:samples]))
    assert main(["listen", str(tmp_path / "sound.raw"), "--rate", "16000", "--model", "en-small"]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_the_level_and_what_may_yet_change():
    ours, its = pty.openpty()
    process = start(CLIP, "--model", "en-small", stderr=its)
    os.close(its)
    shown = b""
    with contextlib.suppress(OSError):  # at its end
        while part := os.read(ours, 1000):
            shown += part
    os.close(ours)
    assert process.communicate(timeout=60)[0] == "place green by q seven again\n"
    assert re.search(rb"\r\[#+ *\] .*\x1b\[2m.*\x1b\[0m\x1b\[K", shown) and shown.endswith(b"\r\x1b[K")


def test_who_reads_no_more_ends_it(tmp_path):
    """`earsight listen long.wav | head -1`"""
    path = write_wav(tmp_path / "long.wav", np.tile(sentence(), 40))
    with start(path, "--model", "en-small") as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=120) == 141 and process.stderr.read() == ""
