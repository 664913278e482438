"""A small model of series for the tests, trained by `earsight train`: which of two channels swings."""

from pathlib import Path

import numpy as np

from earsight.common.series.model import export_checkpoint
from earsight.common.training.running import run_training

CLASSES = ("left", "right")
STEP = 0.1  # seconds


def swing(label: str, length: int = 20, seed: int = 0) -> np.ndarray:
    """Channels `l` and `r`, one of which swings; in units of their own."""
    rng = np.random.default_rng(seed)
    values = 0.1 * rng.standard_normal((length, 2))
    values[:, CLASSES.index(label)] += np.sin(np.arange(length) + rng.uniform(0, 6))
    return (values * [1e-3, 1e5] + [7, -1e5]).astype(np.float32)


def write_long(path: Path, series: dict[str, tuple[np.ndarray, str]], header: str = "rec,clock,label,l,r") -> Path:
    """A long table of named series with their labels; an empty label for none."""
    rows = [header]
    for name, (values, label) in series.items():
        rows += [f"{name},{k * STEP:g},{label},{left!r},{right!r}" for k, (left, right) in enumerate(values.tolist())]
    path.write_text("\n".join(rows) + "\n")
    return path


def trained(folder: Path, *options: str, epochs: int = 12) -> Path:
    """The folder of a run, `folder`/run, on `folder`/train.csv, which it writes."""
    write_long(folder / "train.csv", {f"s{k}": (swing(CLASSES[k % 2], 14 + k % 9, k), CLASSES[k % 2])
                                      for k in range(24)}, "recording,time,label,l,r")
    assert run_training([
        "fit", "--data", "earsight.common.series.data.SeriesData", "--data.train", str(folder / "train.csv"),
        "--data.validation", str(folder / "train.csv"), "--data.batch_duration", "11",
        "--model", "earsight.common.series.model.SeriesModel",
        "--model.encoder.hidden", "8", "--model.encoder.layers", "1",
        "--model.encoder.channels", "8", "--model.encoder.stride", "1", "--model.optimiser.learning_rate", "0.01",
        "--model.augmentation.gaps", "0.1", "--trainer.accelerator", "cpu", "--trainer.max_epochs", str(epochs),
        "--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false", "--threads", "1",
        "--run", str(folder / "run"), *options]) == 0
    return folder / "run"


def exported(folder: Path) -> Path:
    """The model folder of `trained`."""
    return export_checkpoint(trained(folder) / "model.ckpt", folder / "model")
