"""`earsight doctor` finds what is there, and says what mends what is not."""

import importlib.metadata
import site

import pytest

from earsight.app import doctor
from earsight.app.main import main

RUNTIME, TRAIN = doctor.INSTALL[""], doctor.INSTALL["train"]


def test_a_whole_installation_is_well(capsys):
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[-1] == "All is well."
    for name in ("onnxruntime", "pytorch-lightning (train)", "loads together", "GPUs", "sound codecs", "gloo", "h264"):
        assert name in told
    assert f"  {importlib.metadata.version('numpy')}\n" in told


@pytest.fixture
def loading(monkeypatch):
    """Torch and its family load together, which `test_a_whole_installation_is_well` tries, in seconds."""
    monkeypatch.setattr(doctor, "_together", lambda: doctor.Finding("torch family", "loads together"))


@pytest.mark.usefixtures("loading")
@pytest.mark.parametrize("lacking, mend", [("onnxruntime", RUNTIME), ("torchaudio", TRAIN)])
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


@pytest.mark.usefixtures("loading")
def test_a_version_that_is_too_old_is_told(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.5")
    findings = {finding.name: finding for finding in doctor.examine()}
    assert findings["onnxruntime"].found == "0.5, and >=1.20 is needed" and findings["onnxruntime"].mend == RUNTIME
    assert findings["torch (train)"].mend == TRAIN


def test_an_installation_for_recognising_is_well(monkeypatch, capsys):
    train = {requirement.name for requirement in doctor._required("train")}
    version = importlib.metadata.version

    def without(name):
        if name in train:
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without)
    assert main(["doctor"]) == 0
    assert f"not installed; for it: {TRAIN}" in capsys.readouterr().out


def test_what_cannot_be_loaded_together_is_tried(monkeypatch, tmp_path):
    """A torchaudio that was compiled for another torch, as its loader complains of it; and one that crashes."""
    for name in ("torch", "torchvision"):  # loaded before it, in seconds
        (tmp_path / f"{name}.py").touch()
    (tmp_path / "torchaudio.py").write_text("raise OSError('_torchaudio.so: undefined symbol: torch_exception_what')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = doctor._together()
    assert "cannot be loaded together: OSError: _torchaudio.so: undefined symbol" in found.found
    assert found.mend == TRAIN
    (tmp_path / "torchaudio.py").write_text("import os; os.abort()")
    assert "cannot be loaded together: the process ended with -6" in doctor._together().found
    (tmp_path / "torchaudio.py").write_text("")
    assert doctor._together() == doctor.Finding("torch family", "loads together")


def test_what_version_0_1_left_is_found(monkeypatch, tmp_path):
    monkeypatch.setattr(site, "getsitepackages", lambda: [str(tmp_path)])
    monkeypatch.setattr(site, "getusersitepackages", lambda: str(tmp_path / "nowhere"))
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "__init__.py").touch()  # a package of the user's own
    assert doctor._left_behind() == []
    (tmp_path / "common" / "corpus_parts.py").touch()
    (tmp_path / "earsight.py").touch()
    (found,) = doctor._left_behind()
    assert found.mend == f"rm -r {tmp_path}/earsight.py {tmp_path}/common"
    for version in ("0.1.0", "0.2.0"):
        (tmp_path / f"earsight-{version}.dist-info").mkdir()
    assert "2 over one another" in doctor._left_behind()[1].found
    assert (tmp_path / "common").is_dir()
