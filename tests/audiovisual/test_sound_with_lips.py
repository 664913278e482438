"""From films of talking drawn faces to text, through the commands, with sound, lips, and both."""

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest
from drawn_faces import FRAMES, write_detector, write_speaking
from talking_faces import RATE, tones, write_talking

import earsight
from earsight.app.main import main
from earsight.audiovisual.data import AudioVisualData
from earsight.common.data.cuts import frames_of, text_of
from earsight.video.lips.data import read_mouths
from earsight.video.mouth.crops import MouthSettings

TEXTS = ["a o", "o a", "i a", "a i", "o i", "i o", "a o i", "o i a", "i a o", "a", "o", "i"]


@pytest.fixture(scope="session")
def talking(tmp_path_factory) -> dict[str, Path]:
    """Films, mouths of them, and a model of late fusion that reads sound and lips."""
    folder = tmp_path_factory.mktemp("talking")
    detector = write_detector(folder / "detector")
    rows = ["path,text,split"]
    for k, text in enumerate(TEXTS):
        write_talking(folder / f"{k:02}.mkv", text, shift=k % 3)
        rows.append(f"{k:02}.mkv,{text},train")
    (folder / "films.csv").write_text("\n".join(rows) + "\n")
    recipe = folder / "recipe.yaml"
    recipe.write_text(f"""
model: {{class_path: AudioVisualModel, init_args: {{mouth: {{detector: {detector}, side: 48}}, fusion: late,
  silence: 0,
  eigenlips: {{height: 42, width: 42, shrink: 3, size: 12}},
  encoder: {{hidden: 32, layers: 1, stride: 1, channels: 0, dropout: 0}}, head_dropout: 0,
  normaliser: {{normalise: set}},
  optimiser: {{learning_rate: 0.01, schedule: constant, warmup: 0}}}}}}
data: {{class_path: AudioVisualData, init_args: {{train: {folder}/mouths/train.jsonl.gz, batch_duration: 12, workers: 0,
  validation: {folder}/mouths/train.jsonl.gz, lips: {{shift: 0.02, speed: 0.05}},
  streams: {{deaf: 0.3, blind: 0.3, noise: 0.2, kinds: [white], snr: [10, 20], gain: 6}}}}}}
trainer: {{accelerator: cpu, max_epochs: 100, check_val_every_n_epoch: 50, enable_progress_bar: false,
  enable_model_summary: false}}
""")
    assert main(["prepare", "csv", str(folder / "films.csv"), str(folder / "data"), "medium=video"]) == 0
    assert main(["prepare", "mouths", str(folder / "data"), str(folder / "mouths"), f"config={recipe}"]) == 0
    assert main(["train", "fit", "--config", str(recipe), "--run", str(folder / "run"), "--threads", "1"]) == 0
    assert main(["export", str(folder / "run/model.ckpt"), str(folder / "model")]) == 0
    return {"folder": folder, "model": folder / "model", "checkpoint": folder / "run/model.ckpt",
            "films": folder / "data/train.jsonl.gz", "mouths": folder / "mouths/train.jsonl.gz"}


@pytest.mark.parametrize("given", ["both", "lips", "black", "sound"])
def test_one_model_reads_sound_lips_or_both(talking, given, tmp_path):
    """New films, at places where no face of training was; without sound, without light, without pictures."""
    for text in ("o a i", "i o"):
        path = tmp_path / f"{text.replace(' ', '')}.mkv"
        if given == "lips":
            write_speaking(path, text, shift=9)
        else:
            write_talking(path, text, shift=9, black=given == "black", pictures=given != "sound")
        assert earsight.transcribe(path, talking["model"]).text == text


def test_the_command_reads_films_and_sound(talking, tmp_path, capsys):
    write_talking(tmp_path / "film.mkv", "o a", shift=4)
    write_talking(tmp_path / "sound.mka", "i a", pictures=False)
    assert main(["transcribe", str(tmp_path / "film.mkv"), str(tmp_path / "sound.mka"), "--model",
                 str(talking["model"])]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{tmp_path}/film.mkv: o a", f"{tmp_path}/sound.mka: i a"]


@pytest.mark.parametrize("late", [0.16, -0.12])
def test_a_lag_is_told_and_mended(talking, late, tmp_path, capsys):
    path = write_talking(tmp_path / "lagging.mkv", "o a i", shift=5, late=late)
    assert earsight.transcribe(path, talking["model"]).text == "o a i"
    told = re.search(r"its sound comes ([0-9.]+) s (behind|before) the lips", capsys.readouterr().err)
    assert told and float(told[1]) * (1 if told[2] == "behind" else -1) == pytest.approx(late, abs=0.041)


def test_sound_of_another_film_is_told(talking, tmp_path, capsys):
    path = write_talking(tmp_path / "other.mkv", "o o o", shift=5, said="i a i")
    earsight.transcribe(path, talking["model"])
    assert "of different films" in capsys.readouterr().err


def test_films_that_agree_say_nothing(talking, tmp_path, capsys):
    earsight.transcribe(write_talking(tmp_path / "well.mkv", "i o a"), talking["model"])
    assert capsys.readouterr().err == ""


def test_the_figures_of_films_mouths_checkpoint_and_folder_agree(talking, tmp_path):
    reports = []
    for k, (model, manifest) in enumerate([("model", "films"), ("model", "mouths"), ("checkpoint", "mouths")]):
        path = tmp_path / f"{k}.json"
        assert main(["evaluate", str(talking[model]), str(talking[manifest]), "--json", str(path)]) == 0
        reports.append(json.loads(path.read_text()))
    assert [report["words"]["rate"] for report in reports] == [0, 0, 0]


def test_noise_takes_words_from_sound_and_not_from_lips(talking, tmp_path, capsys):
    from PIL import Image

    table, picture = tmp_path / "noise.json", tmp_path / "noise.png"
    assert main(["evaluate", str(talking["model"]), str(talking["mouths"]), "--noise", "babble", "--snr", "-20",
                 "clean", "--json", str(table), "--plot", str(picture)]) == 0
    figures = json.loads(table.read_text())
    assert figures["ratios"] == [-20, None] and figures["clips"] == len(TEXTS)
    sound, lips = figures["rates"]["sound"], figures["rates"]["lips"]
    assert sound[1] == 0 and lips == [0, 0] and figures["rates"]["both"][1] == 0
    assert sound[0] > 0.3
    assert Image.open(picture).size == (720, 480)
    assert "-20" in capsys.readouterr().out


def test_a_model_leans_on_the_stream_without_which_it_says_something_else():
    from earsight.audiovisual.explaining import leaning

    both = np.log([[0.9, 0.1], [0.9, 0.1], [0.5, 0.5]])
    by_sound, by_lips = np.log([[0.9, 0.1], [0.1, 0.9], [0.5, 0.5]]), np.log([[0.1, 0.9], [0.9, 0.1], [0.5, 0.5]])
    weights = leaning(both, by_sound, by_lips)
    assert weights.sum(axis=1) == pytest.approx(1)
    assert weights[0, 0] > 0.95 and weights[1, 1] > 0.95 and weights[2].tolist() == [0.5, 0.5]


def test_the_streams_weights_add_up(talking):
    from earsight.audiovisual.reader import AudioVisualReader

    reader = AudioVisualReader(talking["model"])
    rows = np.concatenate(list(reader.rows(talking["folder"] / "06.mkv")))
    weights = reader.runtime.weights(reader.frames(rows))
    assert weights is not None and weights.shape == (len(rows), 2)
    assert weights.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_a_picture_explains_a_film(talking, tmp_path):
    from PIL import Image

    picture = tmp_path / "picture.png"
    film = write_talking(tmp_path / "late.mkv", "o a i", late=0.12)
    assert main(["explain", str(film), "--model", str(talking["model"]), "--output", str(picture)]) == 0
    assert Image.open(picture).width == 1800


def test_the_decoder_is_tuned(talking, tmp_path, capsys):
    tuned = str(tmp_path / "tuned")
    assert main(["tune-decoder", str(talking["model"]), str(talking["mouths"]), "--output", tuned]) == 0
    assert "Word error rates, 36 clips" in capsys.readouterr().out  # each with both, by its sound and by its lips


def test_what_cannot_be_is_told_in_one_line(talking, tmp_path, capsys):
    from films import write_film

    model = ["--model", str(talking["model"])]
    film = str(talking["folder"] / "00.mkv")
    silent = write_film(tmp_path / "nobody.mkv", [np.full((120, 160, 3), 80, np.uint8)] * 30, 25)
    for arguments, words in ((["transcribe", film, "--channels", "split", *model], "one face with one sound"),
                             (["transcribe", str(silent), *model], "neither a face nor sound"),
                             (["classify", film, *model], "audiovisual"),
                             (["evaluate", str(talking["model"]), str(talking["mouths"]), "--noise", "white", "--snr",
                               "loud"], "--snr loud"),
                             (["evaluate", str(talking["model"]), str(talking["mouths"]), "--noise", "white",
                               "--report", str(tmp_path / "page")], "leave --report")):
        assert main(arguments) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert words in line


@pytest.mark.parametrize("fusion", ["early", "middle"])
def test_other_fusions_are_trained_and_exported(talking, fusion, tmp_path):
    recipe = (talking["folder"] / "recipe.yaml").read_text().replace("fusion: late", f"fusion: {fusion}").replace(
        "layers: 1", "layers: 2").replace("max_epochs: 100, check_val_every_n_epoch: 50", "max_epochs: 1")
    (tmp_path / "recipe.yaml").write_text(recipe)
    assert main(["train", "fit", "--config", str(tmp_path / "recipe.yaml"), "--run", str(tmp_path / "run"), "--threads",
                 "1"]) == 0
    assert main(["export", str(tmp_path / "run/model.ckpt"), str(tmp_path / "model")]) == 0  # compares graph and torch
    assert json.loads((tmp_path / "model/config.json").read_text())["model"]["fusion"] == fusion


def test_spliced_clips_say_what_is_heard_and_seen(talking, tmp_path):
    """All words of one place begin at one time here, so that spliced sound is that of a film of the new text."""
    manifest = tmp_path / "timed.jsonl"
    cuts = [json.loads(line) for line in gzip.open(talking["mouths"], "rt")]
    for cut in cuts:
        said = cut["supervisions"][0]
        times = [(2 * k + 1) * (FRAMES + 3) / RATE for k in range(3)]
        said.update(speaker="one", custom={"words": [[word, start, start + FRAMES / RATE]
                                                     for word, start in zip(said["text"].split(), times)]})
    manifest.write_text("".join(json.dumps(cut) + "\n" for cut in cuts))
    data = AudioVisualData(str(manifest), str(manifest), splice=0.7)
    data.mouth = MouthSettings(side=48)
    new = 0
    for cut in data.cuts("train"):
        rows, said = data.read_varied(cut, np.random.default_rng(len(cut.id)))
        pictures, sound = rows[:, :48**2], rows[:, 48**2:-1].ravel()
        if len(text_of(cut).split()) == 1:
            assert said is None
            continue
        expected = tones(said)[:len(sound)]
        assert sound[:len(expected)] == pytest.approx(expected, abs=1e-3)
        alike = [max(np.abs(pictures[k] - read_mouths(other, data.mouth)[k]).max() == 0
                     for other in data.cuts("train") if k < frames_of(other).shape[0]) for k in range(len(pictures))]
        assert all(alike)
        new += said != text_of(cut)
    assert new >= 4
