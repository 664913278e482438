"""A model of series from table to folder: what trained, what is exported and what runs are the same."""

import json
import shutil

import numpy as np
import pytest
import torch
from series_models import CLASSES, exported, swing, write_long

from conftest import REPOSITORY
from earsight.app.main import main
from earsight.common.checkpoint import read_checkpoint
from earsight.common.data.manifest import read_manifest
from earsight.common.errors import EarsightError
from earsight.common.inference.runtime import Runtime
from earsight.common.labels import Labels
from earsight.common.nn.encoder import EncoderSettings
from earsight.common.series.data import OPENERS, SeriesData
from earsight.common.series.evaluating import evaluate_model
from earsight.common.series.model import ChannelAugmentation, SeriesModel, load_model
from earsight.common.series.recognition import SeriesRecogniser


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    exported(folder)
    write_long(folder / "test.csv", {f"t{k}": (swing(CLASSES[k % 2], 20, 100 + k), CLASSES[k % 2]) for k in range(8)},
               "recording,time,label,l,r")
    write_long(folder / "one.csv", {"t": (swing("right", 20, 200), "")}, "recording,time,label,l,r")
    return folder


def test_it_learns_and_is_evaluated_on_a_table(place):
    for model in (place / "run/model.ckpt", place / "model"):
        report, errors = evaluate_model(str(model), place / "test.csv", page=place / "report")
        assert not errors and report.accuracy == 1 and "index.html" in {p.name for p in (place / "report").iterdir()}


def test_the_commands_for_models_of_other_media(place, capsys):
    """`evaluate` hands on what all of them take; calibration is not for all."""
    assert main(["evaluate", str(place / "model"), str(place / "test.csv")]) == 0
    assert "accuracy" in capsys.readouterr().out.lower()
    for command, said in ((["evaluate", "MODEL", "CLIPS", "--others", "CLIPS"], "leave --others out"),
                          (["calibrate", "MODEL", "CLIPS"], "is for series, and there is no calibrating for such")):
        words = {"MODEL": str(place / "model"), "CLIPS": str(place / "test.csv")}
        assert main([words.get(word, word) for word in command]) == 1
        assert said in capsys.readouterr().err
    assert main(["calibrate", "grid-av", str(place / "test.csv"), "--output", str(place / "other")]) == 1
    assert "is for audiovisual, and there is no calibrating for such models" in capsys.readouterr().err


def test_a_table_with_columns_of_other_names_is_read_as_training_was(place, tmp_path):
    series = {f"t{k}": (swing(CLASSES[k % 2], 20, 100 + k), CLASSES[k % 2]) for k in range(4)}
    path = write_long(tmp_path / "x.csv", series, "which,clock,side,l,r")
    folder = shutil.copytree(place / "model", tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["frontend"]["table"] = {"series": "which", "time": "clock", "label": "side"}
    (folder / "config.json").write_text(json.dumps(config))
    report, errors = evaluate_model(str(folder), path)
    assert not errors and len(report.clips) == 4 and report.accuracy == 1
    assert [one.classify().label for one in SeriesRecogniser(folder).read(path)] == list(CLASSES) * 2


def test_statistics_are_the_training_sets_and_travel(place):
    data = SeriesData(str(place / "train.csv"), str(place / "train.csv"))
    every = np.concatenate([data.read(cut, None) for cut in data.cuts("train")]).astype(np.float64)
    model = load_model(place / "run/model.ckpt")
    np.testing.assert_allclose(model.normaliser.mean.numpy(), every.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(model.normaliser.inverse.numpy(), 1 / every.std(axis=0), rtol=1e-4)
    config = json.loads((place / "model/config.json").read_text())
    assert config["medium"] == "series" and config["frontend"]["channels"] == ["l", "r"]
    assert config["frame_shift"] == pytest.approx(0.1) and config["frontend"]["table"] == {
        "series": "recording", "time": "time", "label": "label"}


def test_the_folder_computes_what_the_model_does_with_gaps_too(place):
    model, runtime = load_model(place / "run/model.ckpt"), Runtime(place / "model")
    frames = np.stack([swing("left", 31, 5), swing("right", 31, 6)])
    frames[0, 3:9, 1] = frames[1, :, 0] = np.nan
    with torch.no_grad():
        expected = model(torch.from_numpy(frames), torch.tensor([31, 31]))[0].numpy()
    np.testing.assert_allclose(runtime.batch_outputs(frames), expected, atol=1e-4)
    assert np.isfinite(expected).all()


def test_a_series_alone_equals_the_series_in_a_batch(place):
    model = load_model(place / "run/model.ckpt")
    one, other = swing("left", 9, 1), swing("right", 30, 2)
    batch = torch.full((2, 30, 2), torch.nan)
    batch[0, :9], batch[1] = torch.from_numpy(one), torch.from_numpy(other)
    with torch.no_grad():
        together = model(batch, torch.tensor([9, 30]))[0]
        alone = model(torch.from_numpy(one)[None], torch.tensor([9]))[0]
    torch.testing.assert_close(together[:1], alone, atol=1e-5, rtol=0)


def test_classify_takes_tables(place, capsys):
    assert main(["classify", str(place / "one.csv"), str(place / "test.csv"), "--model", str(place / "model"),
                 "--format", "json"]) == 0
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [result["label"] for result in results] == ["right", *CLASSES * 4]
    assert results[0]["path"].endswith("one.csv") and results[3]["path"].endswith("test.csv#t2")
    assert results[0]["duration"] == 2.0
    import earsight

    assert earsight.classify(place / "one.csv", place / "model").label == "right"


def test_a_timeline_of_a_long_series(place, capsys):
    parts = np.concatenate([swing("left", 80, 1), swing("right", 80, 2)])
    write_long(place / "long.csv", {"t": (parts, "")}, "recording,time,label,l,r")
    assert main(["classify", str(place / "long.csv"), "--timeline", "--model", str(place / "model"), "--format",
                 "json"]) == 0
    segments = json.loads(capsys.readouterr().out)["segments"]
    assert [segment["label"] for segment in segments] == ["left", "right"]
    assert abs(segments[0]["end"] - 8.0) < 0.8 and segments[1]["end"] == pytest.approx(16.0)


@pytest.mark.parametrize("change", ["order", "gaps", "rate", "shuffled", "npy"])
def test_a_table_written_another_way_is_the_same(change, place, tmp_path):
    values = swing("right", 20, 200)
    recogniser = SeriesRecogniser(place / "model")
    expected = recogniser.classify(place / "one.csv").probabilities["right"]
    rows = [f"{k * 0.1:g},{left!r},{right!r}" for k, (left, right) in enumerate(values.tolist())]
    path = tmp_path / "other.csv"
    if change == "order":
        rows = [",".join(np.array(row.split(","))[[2, 0, 1]]) for row in rows]
        path.write_text("\n".join(["r,time,l", *rows]))
    elif change == "shuffled":
        path.write_text("\n".join(["time,l,r", *np.random.default_rng(0).permutation(rows)]))
    elif change == "npy":
        path = path.with_suffix(".npy")
        np.save(path, values)
    elif change == "gaps":  # one value of forty: near to what all of them say
        rows[9] = rows[9].split(",")[0] + ",," + rows[9].split(",")[2]
        path.write_text("\n".join(["time,l,r", *rows]))
    else:  # twice as many rows, every other one between two
        dense = np.repeat(values, 2, axis=0)[:-1]
        dense[1::2] = (values[1:] + values[:-1]) / 2
        rows = [f"{k * 0.05:g},{left!r},{right!r}" for k, (left, right) in enumerate(dense.tolist())]
        path.write_text("\n".join(["time,l,r", *rows]))
    given = recogniser.classify(path).probabilities["right"]
    assert abs(given - expected) < (0.2 if change in ("gaps", "rate") else 1e-5)


@pytest.mark.parametrize("header, complaint", [
    ("time,L,r", r"lacks channel l \(is it L\?\); model model has l, r"),
    ("time,speed,torque", r"lacks channels l, r"),
])
def test_other_channels_than_the_models(header, complaint, place, tmp_path):
    (tmp_path / "x.csv").write_text(header + "\n0,1,2\n")
    with pytest.raises(EarsightError, match=complaint):
        SeriesRecogniser(place / "model").classify(tmp_path / "x.csv")


def test_errors_are_one_line_and_what_can_be_done_is(place, tmp_path, capsys):
    (tmp_path / "a.csv").write_text("time,l\n0,1\n")
    assert main(["classify", str(tmp_path / "a.csv"), str(place / "one.csv"), "--model", str(place / "model")]) == 1
    captured = capsys.readouterr()
    assert "right" in captured.out and captured.err.startswith(f"error: {tmp_path / 'a.csv'}: lacks channel r")
    assert main(["classify", str(place / "one.csv")]) == 1
    assert "no model comes with the package; name yours (--model)" in capsys.readouterr().err
    assert main(["transcribe", str(place / "one.csv"), "--model", str(place / "model")]) == 1
    assert "is for series and `earsight classify`" in capsys.readouterr().err
    with pytest.raises(EarsightError, match="holds 8 series, and one is asked for"):
        SeriesRecogniser(place / "model").classify(place / "test.csv")


def test_a_table_of_words_beside_some_of_the_channels(place, tmp_path):
    (tmp_path / "x.csv").write_text("time,l,note\n0,1,fine\n")
    with pytest.raises(EarsightError, match="lacks channel r; model model has l, r"):
        SeriesRecogniser(place / "model").classify(tmp_path / "x.csv")
    (tmp_path / "x.csv").write_text("note,time,l,r\nfine,0,1,2\n")
    assert SeriesRecogniser(place / "model").classify(tmp_path / "x.csv").label in CLASSES


@pytest.mark.parametrize("name, value", [("channels", ["l"]), ("window", 0), ("named", 1), ("table", None)])
def test_a_damaged_folder_is_told(name, value, place, tmp_path):
    shutil.copytree(place / "model", tmp_path / "model")
    config = json.loads((tmp_path / "model/config.json").read_text())
    config["frontend"][name] = value
    (tmp_path / "model/config.json").write_text(json.dumps(config))
    with pytest.raises(EarsightError, match=f"'frontend.{name}' is missing or wrong"):
        SeriesRecogniser(tmp_path / "model")


def test_explain_draws_a_series(place):
    assert main(["explain", str(place / "one.csv"), "--model", str(place / "model"), "--output",
                 str(place / "one.png")]) == 0
    assert (place / "one.png").read_bytes()[:4] == b"\x89PNG"


def test_predict_and_check_take_tables(place, capsys):
    assert main(["predict", "--model", str(place / "run/model.ckpt"), str(place / "test.csv"), "--output",
                 str(place / "out.jsonl"), "--workers", "0"]) == 0
    labels = [json.loads(line)["label"] for line in (place / "out.jsonl").read_text().splitlines()]
    assert sorted(labels) == sorted(CLASSES * 4)
    model, (cut,) = load_model(place / "run/model.ckpt"), read_manifest(place / "one.csv", OPENERS)
    turned = swing("right", 20, 200)[:, ::-1]
    write_long(place / "turned.csv", {"t": (turned, "")}, "recording,time,label,r,l")
    (other,) = read_manifest(place / "turned.csv", OPENERS)
    np.testing.assert_array_equal(model.reader()(other), model.reader()(cut))
    assert main(["check", str(place / "test.csv"), "--model", str(place / "model")]) == 0
    assert "8 clips" in capsys.readouterr().out


def test_augmentation_makes_gaps_and_keeps_the_scale():
    layout = {"channels": ["a", "b"], "named": True, "frame_shift": 1.0, "window": 1.0, "table": {}}
    labels = Labels("classes", ("x", "y")).to_dict()
    model = SeriesModel(labels, layout, augmentation=ChannelAugmentation(noise=0.5, gaps=0.5),
                        encoder=EncoderSettings(hidden=4, layers=1, channels=4))
    series = np.random.default_rng(0).normal([3, 1e4], [2, 1e3], (400, 2)).astype(np.float32)
    model.normaliser.fit([series])
    torch.manual_seed(1)
    frames = torch.from_numpy(series)[None].repeat(200, 1, 1)
    changed = model.augment(frames, torch.full((200,), 400))
    share = changed.isnan().float().mean().item()
    assert 0.03 < share < 0.12  # half of the channels, gaps of 0.15 on the mean, some of which run over the end
    noise = (changed - frames).numpy().reshape(-1, 2)
    np.testing.assert_allclose(np.nanstd(noise, axis=0), 0.5 * series.std(axis=0), rtol=0.05)
    plain = SeriesModel(labels, layout, encoder=EncoderSettings(hidden=4, layers=1, channels=4))
    assert plain.augment(frames, torch.full((200,), 400)) is frames


def test_a_run_that_ends_before_its_first_validation_keeps_its_last_weights(tmp_path, place, monkeypatch, capsys):
    monkeypatch.chdir(REPOSITORY)
    run = tmp_path / "run"
    assert main(["train", "fit", "--config", "configs/series.yaml", "--run", str(run), "--data.train",
                 str(place / "train.csv"), "--data.validation", str(place / "test.csv"), "--trainer.max_steps", "1",
                 "--trainer.limit_val_batches", "0", "--trainer.enable_progress_bar", "false",
                 "--trainer.enable_model_summary", "false", "--threads", "1", "--trainer.accelerator", "cpu"]) == 0
    assert "model.ckpt: the last weights, as nothing was validated" in capsys.readouterr().out
    assert read_checkpoint(run / "model.ckpt")["global_step"] == 1


def test_the_recipe_trains_a_table_without_an_option(tmp_path, place, monkeypatch, capsys):
    monkeypatch.chdir(REPOSITORY)
    assert main(["train", "fit", "--config", "configs/series.yaml", "--run", str(tmp_path / "run"), "--data.train",
                 str(place / "train.csv"), "--data.validation", str(place / "test.csv"), "--trainer.max_steps", "2",
                 "--trainer.val_check_interval", "2",
                 "--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false", "--threads", "1",
                 "--trainer.accelerator", "cpu"]) == 0
    assert (tmp_path / "run/model.ckpt").is_file()
    capsys.readouterr()
    (tmp_path / "x.csv").write_text("recording,time,label,l,q\na,0,left,1,2\n")
    assert main(["train", "fit", "--config", "configs/series.yaml", "--run", str(tmp_path / "b"), "--data.train",
                 str(place / "train.csv"), "--data.validation", str(tmp_path / "x.csv"), "--trainer.accelerator",
                 "cpu"]) == 1
    assert "x-a (validation): its channels are l, q, and the training's first" in capsys.readouterr().err
