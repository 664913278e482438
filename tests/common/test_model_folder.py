"""What is installed, and how it is told."""

import functools
import json
import shutil

import numpy as np
import pytest
from small_models import exported

import earsight
from conftest import tone, write_wav
from earsight.common import model_folder
from earsight.common.errors import EarsightError
from earsight.common.model_folder import PACKAGE_ROOT, describe_models, find_model, installed_models, read_config


def test_models_of_the_package_are_found_by_name():
    models = installed_models()
    assert {"en", "en-small", "digits"} <= set(models)
    for name, folder in models.items():
        config = read_config(folder)
        assert find_model(name) == folder
        assert {"description", "trained_on", "licence", "figures"} <= set(config.about)
        size = sum(path.stat().st_size for path in folder.iterdir())
        assert size < 45e6
    assert sum(path.stat().st_size for path in PACKAGE_ROOT.glob("*/models/*/*")) < 85e6  # under 90 MB with the code


def test_description_tells_figures_and_licence(tone_models, tmp_path, monkeypatch):
    folder = tmp_path / "audio" / "models" / "tones"
    shutil.copytree(tone_models["ctc"], folder)
    config = json.loads((folder / "config.json").read_text())
    config["about"] = {"description": "three tones", "licence": "CC0", "figures": {"test": "WER 0.0 %"}}
    (folder / "config.json").write_text(json.dumps(config))
    monkeypatch.setattr(model_folder, "PACKAGE_ROOT", tmp_path)
    lines = describe_models().splitlines()
    assert lines[0] == "tones" and "  licence: CC0" in lines and "    test: WER 0.0 %" in lines
    assert any("speech, ctc, characters, float32" in line for line in lines)


def test_a_config_that_was_changed_is_read_again(tone_models, tmp_path):
    folder = shutil.copytree(tone_models["ctc"], tmp_path / "model")
    text = (folder / "config.json").read_text()
    first = read_config(folder)
    assert read_config(folder) is first  # what a command asks for several times is read once
    (folder / "config.json").write_text(text.replace('"medium": "speech"', '"medium": "frames"'))
    assert (first.medium, read_config(folder).medium) == ("speech", "frames")
    (folder / "config.json").write_text(text[:-2])
    with pytest.raises(EarsightError, match="damaged"):
        read_config(folder)


def test_an_unknown_name_lists_the_known():
    with pytest.raises(EarsightError, match="en-small"):
        find_model("en-smal")


DAMAGES = [("labels.symbols.2", None), ("labels.symbols", "abc"), ("labels.kind", ["phones"]), ("labels.lexicon.one",
           3), ("labels.lexicon", []), ("frame_shift", -1), ("frame_shift", "0.01"), ("stride", 0), ("n_features",
           True), ("sample_rate", [16000]), ("longest_clip", "x"), ("frontend.hop_length", 0), ("frontend.n_fft", None),
           ("frontend.edges", "tai|"), ("frontend.top_db", "x"), ("decoding.beam", "20"), ("decoding", 3.5),
           ("decoding.width", 3), ("confidence.words.bias", None), ("confidence.transcript.weights", [1.0, 2.0]),
           ("confidence.words", 0), ("times", {"begin": 0.1}), ("times.start", "0"), ("medium", None), ("about", [])]


@pytest.mark.parametrize("place, value", DAMAGES, ids=str)
def test_whatever_is_wrong_in_a_config_is_one_line(place, value, tmp_path):
    source = find_model("en-small")
    shutil.copytree(source, tmp_path / "m")
    plain = json.loads((source / "config.json").read_text())
    *path, last = (int(part) if part.isdecimal() else part for part in place.split("."))
    functools.reduce(lambda part, key: part[key], path, plain)[last] = value
    (tmp_path / "m/config.json").write_text(json.dumps(plain))
    with pytest.raises(EarsightError, match="damaged") as caught:
        earsight.transcribe(write_wav(tmp_path / "a.wav", tone(440, 0.5)), tmp_path / "m")
    assert "\n" not in str(caught.value)


def test_labels_that_are_too_few_for_the_outputs(tmp_path):
    shutil.copytree(find_model("digits"), tmp_path / "m")
    plain = json.loads((tmp_path / "m/config.json").read_text())
    plain["labels"]["symbols"].pop()
    (tmp_path / "m/config.json").write_text(json.dumps(plain))
    with pytest.raises(EarsightError, match="it has 9 labels for 10 outputs"):
        earsight.classify(write_wav(tmp_path / "a.wav", tone(440, 0.5)), tmp_path / "m")


def test_a_graph_of_something_else_is_damaged(tmp_path, capfd):
    shutil.copytree(find_model("digits"), tmp_path / "m")
    clip = write_wav(tmp_path / "a.wav", tone(440, 0.5))
    shutil.copy(find_model("digits") / "encoder.onnx", tmp_path / "m/frontend.onnx")
    with pytest.raises(EarsightError, match="damaged, a graph of it does not take"):
        earsight.classify(clip, tmp_path / "m")
    graph = bytearray((find_model("digits") / "encoder.onnx").read_bytes())
    graph[60:100] = b"\xff" * 40
    (tmp_path / "m/encoder.onnx").write_bytes(graph)
    with pytest.raises(EarsightError, match="ONNX Runtime cannot load it"):
        earsight.classify(clip, tmp_path / "m")
    assert capfd.readouterr().out == ""


def test_a_task_that_is_not_the_graphs(tmp_path):
    _, folder = exported(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config |= {"task": "classification", "labels": {**config["labels"], "kind": "classes"}}
    (folder / "config.json").write_text(json.dumps(config))
    np.save(tmp_path / "frames.npy", np.random.default_rng(1).standard_normal((40, 6)).astype(np.float32))
    with pytest.raises(EarsightError, match="damaged, its task is classification, and encoder.onnx is of another"):
        earsight.classify(tmp_path / "frames.npy", folder)
