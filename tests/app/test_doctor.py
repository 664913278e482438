"""`earsight doctor` finds what is there, and says what mends what is not."""

import importlib.metadata

import pytest

from earsight.app import doctor
from earsight.app.main import main


def test_a_whole_installation_is_well(capsys):
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[-1] == "All is well."
    for name in ("onnxruntime", "pytorch-lightning (train)", "torch family", "GPUs", "sound codecs", "gloo", "h264"):
        assert name in told
    assert f"  {importlib.metadata.version('numpy')}\n" in told


@pytest.mark.parametrize("lacking, mend", [("onnxruntime", "pip install ."), ("torchaudio", "pip install '.[train]'")])
def test_what_is_missing_comes_with_its_command(lacking, mend, monkeypatch, capsys):
    version = importlib.metadata.version

    def without(name):
        if name == lacking:
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without)
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert any(line.startswith("!") and lacking in line and "missing" in line for line in told.splitlines())
    assert told.splitlines()[-1].strip() == mend


def test_an_installation_for_recognising_is_well(monkeypatch, capsys):
    train, version = doctor._required("train"), importlib.metadata.version

    def without(name):
        if name in train:
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without)
    assert main(["doctor"]) == 0
    assert "not installed; for it: pip install '.[train]'" in capsys.readouterr().out


def test_versions_that_do_not_belong_together(monkeypatch):
    versions = {"torch": "2.13.0+cpu", "torchaudio": "2.11.0", "torchvision": "0.26.0"}
    monkeypatch.setattr(importlib.metadata, "version", versions.__getitem__)
    found = doctor._together()
    assert "do not belong together" in found.found and found.mend == "pip install '.[train]'"
    versions |= {"torch": "2.11.0"}
    assert not doctor._together().mend
