"""The recipes that `learn` writes and trains: LightningCLI's YAML, which `earsight train fit` runs again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from ...common.batch_run import default_jobs
from ...common.files import write_whole
from .frames import SOUND_VIEWS, VIDEO_VIEWS, Frames

# Of a recurrent network, steps in all, and what they are within.
STEPS, EPOCHS = 700, (6, 40)
CLIPS_A_BATCH = 32
TEXT_STEPS, TEXT_BATCH = 3000, 100.0  # of models that write text; seconds a batch
HIDDEN = {"speech": 128, "video": 96, "frames": 128}
DATA = {"speech": "SpeechData", "video": "VideoData", "frames": "SpeechData"}
SERIES_STEPS = 600


def linear_recipe(medium: str, frames: Frames, l2: float, batch_duration: float) -> dict[str, Any]:
    """A linear classifier, which is solved for in one epoch."""
    return _recipe(
        medium, "classes", batch_duration,
        trainer={"max_epochs": 1, "gradient_clip_val": None},
        model={"class_path": "LinearModel", "init_args": {
            "n_features": frames.n_features, "frame_shift": frames.frame_shift, "streams": list(frames.widths),
            "l2": l2}},
        average=1)


def recurrent_recipe(medium: str, frames: Frames, seconds: float, clips: int) -> dict[str, Any]:
    """A BiLSTM under a pooling head, as configs/actions-10.yaml and configs/digits.yaml have it.

    Args:
        seconds, clips: of all that an epoch goes through, views too.
    """
    batches = max(1, math.ceil(clips / CLIPS_A_BATCH))
    epochs = min(max(round(STEPS / batches), EPOCHS[0]), EPOCHS[1])
    encoder = {"cell": "lstm", "hidden": HIDDEN[medium], "layers": 1, "stride": 1, "channels": HIDDEN[medium],
               "dropout": 0.2, "input_dropout": 0.2, "streams": list(frames.widths) if len(frames.widths) > 1 else []}
    return _recipe(
        medium, "classes", CLIPS_A_BATCH * seconds / clips,
        trainer={"max_epochs": epochs},
        model={"class_path": "SequenceModel", "init_args": {
            "n_features": frames.n_features, "frame_shift": frames.frame_shift, "normaliser": {"normalise": "set"},
            "encoder": encoder, "head_dropout": 0.4,
            "optimiser": {"learning_rate": 1.0e-3, "weight_decay": 0.05, "warmup": 0.2}}},
        average=3, patience=max(4, epochs // 3))


def series_recipe() -> dict[str, Any]:
    """Three BiLSTMs over channels with gaps, as configs/series.yaml has them."""
    return {
        "seed_everything": 1,
        "average": 3,
        "threads": default_jobs(),
        "trainer": {"accelerator": "auto", "devices": 1, "precision": "32-true", "max_steps": SERIES_STEPS},
        "data": {"class_path": "SeriesData", "init_args": {
            "labels": "classes", "batch_size": 16, "augmentation": {"tempo": 0.1, "part": 0.8}}},
        "model": {"class_path": "SeriesModel", "init_args": {
            "augmentation": {"noise": 0.1, "scale": 0.1, "shift": 0.1, "gaps": 0.1},
            "encoder": {"cell": "lstm", "hidden": 64, "layers": 2, "stride": 1, "channels": 64, "dropout": 0.2,
                        "members": 3},
            "head_dropout": 0.2, "optimiser": {"learning_rate": 3.0e-3}}},
    }


def text_recipe(medium: str, frames: Frames, seconds: float) -> dict[str, Any]:
    """A BiLSTM that writes characters, as configs/en.yaml has it; smaller where there is little to learn from.

    Args:
        seconds: of all that an epoch goes through, views too.
    """
    batch = min(TEXT_BATCH, max(seconds / 8, 10.0))
    epochs = min(max(round(TEXT_STEPS * batch / seconds), 12), 80)
    hidden = 320 if seconds > 2 * 3600 else 192
    encoder = {"cell": "lstm", "hidden": hidden, "layers": 2, "stride": 2 if frames.frame_shift >= 0.015 else 3,
               "channels": hidden, "dropout": 0.2}
    return _recipe(
        medium, "characters", batch,
        trainer={"max_epochs": epochs},
        model={"class_path": "SequenceModel", "init_args": {
            "n_features": frames.n_features, "frame_shift": frames.frame_shift, "normaliser": {"normalise": "set"},
            "encoder": encoder, "head_dropout": 0.2, "optimiser": {"learning_rate": 2.0e-3, "warmup": 0.1}}},
        average=5, patience=max(8, epochs // 4)) | {"curriculum": 1}


def _recipe(medium: str, labels: str, batch_duration: float, *, trainer: dict[str, Any], model: dict[str, Any],
            average: int, patience: int | None = None) -> dict[str, Any]:
    """Without `run`, and without manifests, which `write_recipe` gives."""
    data: dict[str, Any] = {"labels": labels, "batch_duration": round(batch_duration, 2), "workers": 0}
    if medium == "speech":
        data |= {"augmentation": {"speed": 0.1}, "views": _plain(asdict(SOUND_VIEWS))}
    if medium == "video":
        data |= {"augmentation": {"tempo": 0.15, "part": 0.6}, "views": asdict(VIDEO_VIEWS)}
    return {
        "seed_everything": 1,
        "average": average,
        **({"patience": patience} if patience else {}),
        "threads": default_jobs(),
        "trainer": {"accelerator": "auto", "devices": 1, "precision": "32-true", **trainer},
        "data": {"class_path": DATA[medium], "init_args": data},
        "model": model,
    }


def write_recipe(path: Path, recipe: Mapping[str, Any], run: Path, train: Path, validation: Path, header: str) -> Path:
    """Write a recipe with its folder and manifests; `header` stands above it as comments."""
    settings = {"seed_everything": recipe["seed_everything"], "run": str(run),
                **{name: value for name, value in recipe.items() if name not in ("seed_everything", "curriculum")}}
    data = settings["data"]
    given = {"train": str(train), "validation": str(validation), **data["init_args"]}
    if "curriculum" in recipe:
        given["curriculum"] = recipe["curriculum"]
    settings["data"] = {**data, "init_args": given}
    comments = "".join(f"# {line}".rstrip() + "\n" for line in header.splitlines())
    write_whole(path, comments + yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, width=120))
    return path


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}
