"""`earsight explain` on sound: real models and clips, one picture each."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from conftest import REPOSITORY, tone, write_wav
from earsight.app.main import main
from earsight.audio.explaining import explain
from earsight.audio.recognition.recogniser import SpeechRecogniser
from earsight.common.explain.explaining import Choice


@pytest.fixture
def clip(tone_corpus):
    return tone_corpus / "text/02.wav"


def test_panels_of_a_transcript(clip, tone_models):
    figure = explain(clip, tone_models["ctc"])
    waveform, frames, posteriors, words, *inside = figure.axes
    assert len(inside) == 6  # gates and memory of three units
    spoken = SpeechRecogniser(tone_models["ctc"], "ctc").transcribe(clip)
    assert len(spoken.words) == 3
    assert [text.get_text() for text in words.texts] == [word.text for word in spoken.words]
    assert [bar.get_x() for bar in words.patches] == pytest.approx([word.start for word in spoken.words])
    assert [axes.get_xlim() for axes in figure.axes] == [(0, pytest.approx(spoken.duration))] * len(figure.axes)
    assert frames.images[0].get_extent()[:2] == [0, pytest.approx(spoken.duration, abs=0.02)]  # whole frames
    assert [text.get_text() for text in posteriors.texts] == list("".join(w.text + "␣" for w in spoken.words)[:-1])


def test_panels_of_a_class_and_of_frames(clip, tone_corpus, tone_models, tmp_path):
    assert len(explain(tone_corpus / "classes/mi/mi1.wav", tone_models["classification"]).axes) == 9
    np.save(tmp_path / "frames.npy", SpeechRecogniser(tone_models["ctc"], "ctc").frames(clip))
    heard, stored = explain(clip, tone_models["ctc"]), explain(tmp_path / "frames.npy", tone_models["ctc"])
    assert len(stored.axes) == len(heard.axes) - 1
    for ours, theirs in zip(stored.axes[3:], heard.axes[4:]):
        np.testing.assert_array_equal(ours.lines[0].get_ydata(), theirs.lines[0].get_ydata())


def test_silence_is_drawn(tone_models, tmp_path):
    silence = write_wav(tmp_path / "silence.wav", np.zeros(16000))
    assert len(explain(silence, tone_models["ctc"], Choice(units=(1,))).axes) == 6


def test_command_writes_a_picture(clip, tone_models, tmp_path):
    out = tmp_path / "new/clip.png"
    assert main(["explain", str(clip), "--output", str(out), "--model", str(tone_models["ctc"]),
                          "--units", "3", "1"]) == 0
    with Image.open(out) as picture:
        assert picture.width == 1800 and picture.height > 1000
        assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 50
    assert [file.name for file in out.parent.iterdir()] == ["clip.png"]


def test_torch_is_never_imported(clip, tone_models, tmp_path):
    arguments = ["explain", str(clip), "--output", str(tmp_path / "a.png"), "--model", str(tone_models["ctc"])]
    code = (f"import sys; from earsight.app.main import main; main({arguments}); "
            f"print(sorted({{'torch', 'lhotse'}} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.stdout == "[]\n" and (tmp_path / "a.png").exists(), done.stderr


def test_bad_input_is_one_line(clip, tone_models, tmp_path, capsys):
    (tmp_path / "text.wav").write_text("no sound")
    write_wav(tmp_path / "long.wav", np.zeros(61 * 8000), 8000)
    write_wav(tmp_path / "nothing.wav", tone(440)[:0])
    (tmp_path / "file").touch()
    out = tmp_path / "a.png"
    for arguments, told in (
            ([tmp_path / "missing.wav", "--output", out], "missing.wav"),
            ([tmp_path / "text.wav", "--output", out], "text.wav"),
            ([tmp_path / "nothing.wav", "--output", out], "nothing.wav"),
            ([tmp_path / "long.wav", "--output", out], "long.wav: 61 s long"),
            ([clip, "--output", tmp_path / "a.gif"], "a.gif: a picture is written as .png"),
            ([clip, "--output", tmp_path / "file/a.png"], "a.png: cannot be written"),
            ([clip, "--output", out, "--layer", "9"], "--layer 9: there are 1 to 1"),
            ([clip, "--output", out, "--units", "32"], "--unit 32: there are 0 to 31")):
        assert main(["explain", *map(str, arguments), "--model", str(tone_models["ctc"])]) == 1
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1 and lines[0].startswith("error: ") and told in lines[0], arguments
    assert not out.exists()
