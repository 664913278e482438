"""Training by a recipe that is written first: what was trained by the same one is not trained again."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...common.data.manifest import write_manifest
from ...common.nn.module import SequenceModel
from ...common.training.running import run_training
from ..media import package_of
from .frames import Frames
from .recipes import write_recipe
from .sources import Material


def open_model(checkpoint: Path) -> SequenceModel:
    """A checkpoint's model, of whatever medium, ready to recognise."""
    return package_of(checkpoint, "model").load_model(checkpoint)


def stored_reader(model: SequenceModel) -> Callable[[Any], np.ndarray]:
    """What reads the stored frames (time, feature) that a model takes of a clip."""
    read = model.reader()

    def frames(cut: Any) -> np.ndarray:
        found = read(cut)
        assert isinstance(found, np.ndarray)  # frames are no streams of pictures
        return found

    return frames


def is_taught(name: str, work: Path) -> bool:
    """Whether `learnt_by` has ended for this name."""
    return (work / name / "run" / "model.ckpt").is_file()


def learnt_by(name: str, recipe: dict[str, Any], learnt: Sequence[Any], stopping: Sequence[Any], material: Material,
              frames: Frames, work: Path, seconds: float | None) -> tuple[Path, Path]:
    """Train by a recipe; what was trained by the same one is not trained again, and what was stopped goes on."""
    folder, run = work / name, work / name / "run"
    train, validation = folder / "train.jsonl.gz", folder / "validation.jsonl.gz"
    path = folder / "recipe.yaml"
    before = _digest(path, train, validation)
    write_manifest(learnt, train)
    write_manifest(stopping, validation)
    write_recipe(path, recipe, run, train, validation, _header(name, material, frames, work))
    if before != _digest(path, train, validation):
        shutil.rmtree(run, ignore_errors=True)
    if not is_taught(name, work):
        options = [] if seconds is None else ["--trainer.max_time", _clock_text(seconds)]
        run_training(["fit", "--config", str(path), "--resume", "auto", *options])
    return path, run / "model.ckpt"


def _digest(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() if path.is_file() else b"-" for path in paths)).hexdigest()


def _clock_text(seconds: float) -> str:
    minutes, rest = divmod(max(1, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours // 24:02}:{hours % 24:02}:{minutes:02}:{rest:02}"


def _header(name: str, material: Material, frames: Frames, work: Path) -> str:
    """What a recipe says above its settings: the way to it, in commands."""
    views = max(map(len, frames.views.values())) - 1
    lines = [f"Written by `earsight learn`: {material.described()}."]
    if frames.frontend:
        lines += [f"Its frames, in {work / 'frames'}, are those of the model {frames.frontend}, {views} "
                  "augmented views of each clip beside it:",
                  f"earsight prepare embeddings CLIPS FRAMES config={work / name / 'recipe.yaml'} "
                  f"model={frames.frontend} views={views}"]
    lines += [f"earsight train fit --config {work / name / 'recipe.yaml'}",
              f"earsight export {work / name / 'run' / 'model.ckpt'} MODEL"
              + (f" --frontend {frames.frontend}" if frames.frontend else "")]
    return "\n".join(lines)


