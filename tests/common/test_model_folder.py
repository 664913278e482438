"""What is installed, and how it is told."""

import json
import shutil

import pytest

from earsight.common import model_folder
from earsight.common.errors import EarsightError
from earsight.common.model_folder import PACKAGE_ROOT, describe_models, find_model, installed_models, read_config


def test_models_of_the_package_are_found_by_name():
    models = installed_models()
    assert {"en-small", "digits"} <= set(models)
    for name, folder in models.items():
        config = read_config(folder)
        assert find_model(name) == folder
        assert {"description", "trained_on", "licence", "figures"} <= set(config.about)
        size = sum(path.stat().st_size for path in folder.iterdir())
        assert size < 20e6
    assert sum(path.stat().st_size for path in PACKAGE_ROOT.glob("*/models/*/*")) < 60e6


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


def test_an_unknown_name_lists_the_known():
    with pytest.raises(EarsightError, match="en-small"):
        find_model("en-smal")
