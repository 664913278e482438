"""`earsight transcribe` and its formats, from the command line to the files."""

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile

import earsight
from conftest import REPOSITORY, TONES, tone, write_wav
from earsight.app.main import main
from earsight.common.errors import EarsightError
from earsight.common.formats.transcripts import FORMATS


@pytest.fixture
def clips(tmp_path):
    """Two clips of one name."""
    return [write_wav(tmp_path / folder / "x.wav", np.concatenate([tone(TONES[name], 0.35), 1e-3 * tone(1, 0.1)]))
            for folder, name in (("a", "lo"), ("b", "hi"))]


@pytest.fixture
def run(tone_models, capsys):
    def transcribe(*arguments) -> tuple[int, str, str]:
        status = main(["transcribe", "--model", str(tone_models["ctc"]), *map(str, arguments)])
        return status, *capsys.readouterr()

    return transcribe


@pytest.mark.parametrize("form", FORMATS)
def test_clips_of_one_name_get_files_of_their_own(form, clips, run, tmp_path):
    assert run(*clips, "--format", form, "--output", tmp_path / "out") == (0, "", "")
    written = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in written] == [f"a-x.wav.{form}", f"b-x.wav.{form}"]
    assert ["lo" in path.read_text() for path in written] == [True, False]
    assert ["hi" in path.read_text() for path in written] == [False, True]


def test_clips_of_one_name_are_told_apart_on_one_output(clips, run):
    for form, places in (("ctm", [0]), ("stm", [0]), ("tsv", [1, 0])):
        status, out, _ = run(*clips, "--format", form)
        lines = out.splitlines()[len(places) - 1:]
        assert status == 0 and len(lines) == 2
        assert lines[0].split()[0] != lines[1].split()[0]


def test_formats_are_named_in_any_case(clips, run):
    assert "IntervalTier" in run(clips[0], "--format", "textgrid")[1]


@pytest.mark.parametrize("form", ["srt", "vtt", "TextGrid"])
def test_clips_do_not_run_together(form, clips, run):
    status, out, error = run(*clips, "--format", form)
    assert (status, out) == (1, "") and "needs a file for each; add --output DIR" in error


def test_an_unknown_format_is_refused(clips, run, capsys):
    with pytest.raises(SystemExit) as stop:
        run(clips[0], "--format", "docx")
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert "invalid choice: 'docx'" in error and "TextGrid" in error


def test_an_output_that_cannot_be_written(clips, run, tmp_path):
    (tmp_path / "file").write_text("in the way")
    status, _, error = run(clips[0], "--format", "vtt", "--output", tmp_path / "file" / "out")
    assert status == 1 and "cannot be written" in error


def test_aligning_needs_no_torch(clips, tone_models):
    model = str(tone_models["ctc"])
    code = (f"import sys; from earsight.app.main import main; main(['align', {str(clips[0])!r}, 'lo', "
            f"'--model', {model!r}, '--format', 'ctm']); "
            "print(sorted({'torch', 'lhotse', 'librosa', 'pytorch_lightning'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.stdout.startswith("x 1 0.") and done.stdout.splitlines()[-1] == "[]", done.stderr


@pytest.fixture
def call(tmp_path):
    """A wav whose left channel says "lo" and whose right one says "hi"."""
    sides = [np.concatenate([tone(TONES[name], 0.35), 1e-3 * tone(1, 0.1)]) for name in ("lo", "hi")]
    soundfile.write(tmp_path / "call.wav", np.stack(sides, axis=1), 16000)
    return tmp_path / "call.wav"


def test_each_channel_gets_a_transcript(call, run, tmp_path):
    status, out, error = run(call, "--channels", "split", "--format", "json")
    found = [json.loads(line) for line in out.splitlines()]
    assert (status, error) == (0, "")
    assert [(one["path"], one["channel"], one["text"]) for one in found] == [(str(call), 1, "lo"), (str(call), 2, "hi")]
    assert run(call, "--channels", "split")[1] == f"{call.with_name('call-ch1.wav')}: lo\n" \
        f"{call.with_name('call-ch2.wav')}: hi\n"
    for form in FORMATS:
        assert run(call, "--channels", "split", "--format", form, "--output", tmp_path / form)[0] == 0
        written = {path.name: path.read_text() for path in (tmp_path / form).iterdir()}
        assert sorted(written) == [f"call-ch1.{form}", f"call-ch2.{form}"]
        assert "lo" in written[f"call-ch1.{form}"] and "hi" in written[f"call-ch2.{form}"]
    assert (tmp_path / "ctm" / "call-ch2.ctm").read_text().split()[1] == "2"
    assert json.loads((tmp_path / "jsonl" / "call-ch2.jsonl").read_text())["channel"] == 2


def test_one_channel_by_its_number(call, run):
    assert run(call, "--channels", "2") == (0, "hi\n", "")
    assert json.loads(run(call, "--channels", "1", "--format", "json")[1])["channel"] == 1
    status, out, error = run(call, "--channels", "3")
    assert (status, out) == (1, "") and error.startswith(f"error: {call}: has no channel 3") and error.count("\n") == 1
    assert "channel" not in json.loads(run(call, "--format", "json")[1])


def test_channels_in_python(call, tone_models):
    model = tone_models["ctc"]
    found = earsight.transcribe(call, model, channels="split")
    assert [(one.channel, one.text) for one in found] == [(1, "lo"), (2, "hi")]
    assert earsight.transcribe(call, model, channels=2).text == "hi"
    for wrong in ({"channels": "left"}, {"track": 0}, {"damaged": "keep"}):
        with pytest.raises(EarsightError):
            earsight.transcribe(call, model, **wrong)


def test_a_file_that_cannot_be_split_does_not_keep_others_from_it(call, run, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    status, out, error = run(tmp_path / "bad.wav", call, "--channels", "split")
    assert status == 1 and len(out.splitlines()) == 2 and "bad.wav" in error


def test_damage_may_be_skipped(call, run):
    call.write_bytes(call.read_bytes()[:-3000])
    status, out, error = run(call, "--channels", "1")
    assert (status, out) == (1, "") and "--damaged skip" in error and error.count("\n") == 1
    status, out, error = run(call, "--channels", "1", "--damaged", "skip")
    assert (status, out) == (0, "lo\n") and error.startswith(f"warning: {call}: ") and error.count("\n") == 1
