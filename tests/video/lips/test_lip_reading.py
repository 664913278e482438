"""From films of drawn faces to text, through the commands: prepare, check, train, export, transcribe, evaluate."""

import json
from pathlib import Path

import numpy as np
import pytest
from drawn_faces import draw_face, speaking, write_detector, write_speaking
from films import write_film

import earsight
from earsight.app.main import main
from earsight.common.data.cuts import frames_of
from earsight.common.data.manifest import read_manifest
from earsight.common.errors import EarsightError

TEXTS = ["a o", "o a", "i a", "a i", "o i", "i o", "a o i", "o i a", "i a o", "a", "o", "i"]


@pytest.fixture(scope="session")
def lips(tmp_path_factory) -> dict[str, Path]:
    """Films, mouths of them, and a model that reads them."""
    folder = tmp_path_factory.mktemp("lips")
    detector = write_detector(folder / "detector")
    rows = ["path,text,split"]
    for k, text in enumerate(TEXTS):
        write_speaking(folder / f"{k:02}.mkv", text, shift=k % 3)
        rows.append(f"{k:02}.mkv,{text},train")
    (folder / "films.csv").write_text("\n".join(rows) + "\n")
    recipe = folder / "recipe.yaml"
    recipe.write_text(f"""
model: {{class_path: LipModel, init_args: {{mouth: {{detector: {detector}, side: 48}},
  eigenlips: {{height: 42, width: 42, shrink: 3, size: 12}},
  encoder: {{hidden: 32, layers: 1, stride: 1, channels: 0, dropout: 0}}, head_dropout: 0,
  normaliser: {{deltas: 0, normalise: set}},
  optimiser: {{learning_rate: 0.01, schedule: constant, warmup: 0}}}}}}
data: {{class_path: LipData, init_args: {{train: {folder}/mouths/train.jsonl.gz, batch_duration: 40, workers: 0,
  validation: {folder}/mouths/train.jsonl.gz, augmentation: {{shift: 0.02, speed: 0.05}}}}}}
trainer: {{accelerator: cpu, max_epochs: 120, check_val_every_n_epoch: 20, enable_progress_bar: false,
  enable_model_summary: false}}
""")
    assert main(["prepare", "csv", str(folder / "films.csv"), str(folder / "data"), "medium=video"]) == 0
    assert main(["prepare", "mouths", str(folder / "data"), str(folder / "mouths"), f"config={recipe}"]) == 0
    assert main(["train", "fit", "--config", str(recipe), "--run", str(folder / "run"), "--threads", "1"]) == 0
    assert main(["export", str(folder / "run/model.ckpt"), str(folder / "model")]) == 0
    return {"folder": folder, "recipe": recipe, "model": folder / "model", "checkpoint": folder / "run/model.ckpt",
            "films": folder / "data/train.jsonl.gz", "mouths": folder / "mouths/train.jsonl.gz"}


def test_films_are_read(lips, tmp_path, capsys):
    """New films, at places where no face of training was."""
    for name, text in (("one", "o a i"), ("two", "i o")):
        write_speaking(tmp_path / f"{name}.mkv", text, shift=9)
    assert main(["transcribe", str(tmp_path), "--model", str(lips["model"])]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{tmp_path}/one.mkv: o a i", f"{tmp_path}/two.mkv: i o"]
    transcript = earsight.transcribe(tmp_path / "two.mkv", lips["model"])
    assert transcript.text == "i o"
    # Eleven frames of 40 ms a letter, a space among them: i is said from 0.44 s, o from 1.32 s on.
    assert [word.start for word in transcript.words] == pytest.approx([0.44, 1.32], abs=0.2)


def test_other_rates_are_resampled_by_time(lips, tmp_path):
    frames = speaking("o a")
    write_film(tmp_path / "twice.mkv", [frame for frame in frames for _ in range(2)], 50)
    write_film(tmp_path / "half.mkv", [frames[min(2 * k, len(frames) - 1)] for k in range(len(frames) // 2 + 1)],
               rate=12)
    assert earsight.transcribe(tmp_path / "twice.mkv", lips["model"]).text == "o a"
    assert earsight.transcribe(tmp_path / "half.mkv", lips["model"]).text == "o a"


def test_the_figures_of_films_mouths_checkpoint_and_folder_agree(lips, tmp_path):
    reports = []
    for k, (model, manifest) in enumerate([("model", "films"), ("model", "mouths"), ("checkpoint", "mouths")]):
        path = tmp_path / f"{k}.json"
        assert main(["evaluate", str(lips[model]), str(lips[manifest]), "--json", str(path)]) == 0
        reports.append(json.loads(path.read_text()))
    assert [report["words"]["rate"] for report in reports] == [0, 0, 0]
    assert {report["utterance_count"] for report in reports} == {len(TEXTS)}


def test_a_long_film_is_cut_where_the_lips_are_still(lips, tmp_path):
    still = [draw_face()] * 30
    write_film(tmp_path / "long.mkv", [*speaking("a o"), *still, *speaking("i a"), *still, *speaking("o i")], 25)
    assert earsight.transcribe(tmp_path / "long.mkv", lips["model"]).text.split() == "a o i a o i".split()


def test_stored_mouths_are_the_films(lips):
    cut = next(iter(read_manifest(lips["mouths"])))
    assert frames_of(cut).shape[1] == 48 * 48
    stored = cut.load_frames()
    assert stored.dtype == np.uint8
    from earsight.video.lips.reader import LipReader
    from earsight.video.mouth.crops import mouth_pictures

    pictures = mouth_pictures(lips["folder"] / "00.mkv", LipReader(lips["model"]).mouth)
    assert np.array_equal(pictures.reshape(len(pictures), -1), stored)


@pytest.mark.parametrize("manifest", ["films", "mouths"])
def test_the_decoder_is_tuned_on_films_or_mouths(lips, manifest, tmp_path, capsys):
    assert main(["tune-decoder", str(lips["model"]), str(lips[manifest]), "--output", str(tmp_path / "tuned")]) == 0
    assert "Word error rates, 12 clips" in capsys.readouterr().out
    assert json.loads((tmp_path / "tuned/config.json").read_text())["confidence"].keys() == {"words", "transcript"}


def test_mouths_fit_the_model_that_reads_them(lips, capsys):
    assert main(["check", str(lips["mouths"]), "--model", str(lips["model"])]) == 0
    assert "nothing wrong" in capsys.readouterr().out


def test_other_commands_refuse_the_model_in_one_line(lips, tmp_path, capsys):
    film = str(lips["folder"] / "00.mkv")
    for arguments in (["classify", film], ["align", film, "a o"]):
        assert main([*arguments, "--model", str(lips["model"])]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "lips" in line


def test_a_picture_explains_a_film(lips, tmp_path):
    from PIL import Image

    picture = tmp_path / "picture.png"
    film = str(lips["folder"] / "00.mkv")
    assert main(["explain", film, "--model", str(lips["model"]), "--output", str(picture)]) == 0
    assert Image.open(picture).width == 1800


def test_a_damaged_model_is_told(lips, tmp_path, capsys):
    import shutil

    for name, words in (("face_detector.onnx", "face_detector.onnx"), ("frontend.onnx", "frontend.onnx")):
        broken = tmp_path / name
        shutil.copytree(lips["model"], broken)
        (broken / name).unlink()
        assert main(["transcribe", str(lips["folder"] / "00.mkv"), "--model", str(broken)]) == 1
        assert words in capsys.readouterr().err
    config = json.loads((broken / "config.json").read_text())
    config["frontend"]["side"] = "wide"
    (broken / "config.json").write_text(json.dumps(config))
    assert main(["transcribe", str(lips["folder"] / "00.mkv"), "--model", str(broken)]) == 1
    assert "'frontend.side' is missing or wrong" in capsys.readouterr().err


def test_a_sheet_shows_the_mouths(lips, tmp_path, capsys):
    from PIL import Image

    sheet = tmp_path / "sheet.png"
    assert main(["check", str(lips["mouths"]), "--sheet", str(sheet)]) == 0
    assert Image.open(sheet).size == (12 * 48, len(TEXTS) * (48 + 16))
    assert main(["check", str(lips["films"]), "--sheet", str(tmp_path / "none.png")]) == 1
    assert "prepare mouths" in capsys.readouterr().err
    assert not (tmp_path / "none.png").exists()


def test_bad_films_are_told_and_others_read(lips, tmp_path, capsys):
    write_film(tmp_path / "1-nobody.mkv", [np.full((120, 160, 3), 80, np.uint8)] * 50, 25)
    write_film(tmp_path / "2-black.mkv", [np.zeros((120, 160, 3), np.uint8)] * 50, 25)
    (tmp_path / "3-text.mp4").write_text("no film")
    write_speaking(tmp_path / "4-good.mkv", "o")
    write_film(tmp_path / "5-short.mkv", speaking("a")[:3], 25)
    assert main(["transcribe", str(tmp_path), "--model", str(lips["model"])]) == 1
    out, err = capsys.readouterr()
    assert f"{tmp_path}/4-good.mkv: o" in out.splitlines()
    assert f"{tmp_path}/5-short.mkv: " in out.splitlines()  # three pictures of a closed mouth
    lines = err.splitlines()
    assert [line.split(":")[1].strip() for line in lines[:3]] == [
        f"{tmp_path}/{name}" for name in ("1-nobody.mkv", "2-black.mkv", "3-text.mp4")]
    assert all("no face is found" in line for line in lines[:2])


def test_a_face_that_comes_late_and_goes_early_is_read(lips, tmp_path):
    nobody = [np.full((120, 160, 3), 90, np.uint8)] * 40
    write_film(tmp_path / "late.mkv", [*nobody, *speaking("o a"), *nobody], 25)
    assert earsight.transcribe(tmp_path / "late.mkv", lips["model"]).text.split() == ["o", "a"]


def test_options_of_sound_are_refused(lips, tmp_path, capsys):
    film = write_speaking(tmp_path / "film.mkv", "o")
    for option in (["--track", "1"], ["--channels", "split"], ["--damaged", "skip"]):
        assert main(["transcribe", str(film), "--model", str(lips["model"]), *option]) == 1
        assert "reads lips and hears nothing" in capsys.readouterr().err
    with pytest.raises(EarsightError, match="reads lips"):
        earsight.transcribe(film, lips["model"], track=1)


def test_prepare_without_a_detector_or_films_is_told(lips, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    np.save(tmp_path / "frames.npy", np.zeros((9, 3), np.float32))
    (tmp_path / "frames.csv").write_text("path,text\nframes.npy,a\n")
    for source, options, words in (
            (lips["films"], [f"config={lips['recipe']}", f"detector={tmp_path / 'empty'}"], "convert_faces.py"),
            (tmp_path / "frames.csv", [f"config={lips['recipe']}"], "has no film"),
            (lips["films"], ["config=configs/an4.yaml"], "reads lips")):
        assert main(["prepare", "mouths", str(source), str(tmp_path / "out"), *options]) == 1
        assert words in capsys.readouterr().err
        assert not (tmp_path / "out").exists() or not list((tmp_path / "out").glob("*.jsonl.gz"))
