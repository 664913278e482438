"""The frames that a model is taught on: those of a packaged model's frontend, computed once, with augmented views."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...audio.clip_augmentation import ClipAugmentation
from ...audio.corpora.embeddings import FolderEmbedder
from ...common.data.corpora.embeddings import Embedder, stored_views, view_of
from ...common.data.cuts import frames_of
from ...common.data.shards import load_frames
from ...common.errors import EarsightError
from ...common.files import whole_folder
from ...common.model_folder import ENCODER, FRONTEND, find_model, read_config, write_config
from ...video.corpora.embeddings import folder_embedder
from ...video.frontends.pictures import ViewSettings
from ..recognisers import DEFAULT_CLASSIFIERS, DEFAULT_TRANSCRIBER
from .sources import Material

# Whose frontend gives the frames, by medium: `en`'s, Whisper's tiny.en encoder, and the streams of `actions-10`.
FRONTENDS = {"speech": DEFAULT_TRANSCRIBER, "video": DEFAULT_CLASSIFIERS["video"]}
# How clips are augmented before their frames are computed: as configs/en.yaml and configs/actions-10.yaml do it.
SOUND_VIEWS = ClipAugmentation(speed=0.12, warp=0.08, reverberation=0.25, noise=0.35, snr=(8.0, 35.0), low_pass=0.4,
                               gain=8.0)
VIDEO_VIEWS = ViewSettings()
# Seconds of silence before and after a clip, as Whisper's encoder was trained to hear it: on four speakers of FSDD,
# each left out in turn, it takes the errors of a linear classifier from 2.8 to 1.1 % (every second take).
SILENCE = 0.3, 0.5
VIEWS = {"speech": 2, "video": 3}  # of each clip at most
SHARE = 0.4  # of the time that is left, for them


@dataclass(frozen=True, eq=False)
class Frames:
    """Stored frames of clips.

    Attributes:
        frontend: the model whose frontend made them; empty where they came as frames.
        frame_shift: seconds.
        widths: of the parts that a frame's features fall into.
        views: by clip, cuts of its frames, the clip's own first; clips that cannot be read are missing.
        failures: of these: name, reason.
    """

    frontend: str
    frame_shift: float
    widths: tuple[int, ...]
    views: dict[str, list[Any]]
    failures: tuple[tuple[str, str], ...]

    @property
    def n_features(self) -> int:
        return sum(self.widths)


def embed(material: Material, folder: Path, left: Callable[[], float], views: int | None = None) -> Frames:
    """Compute what is not in `folder` yet.

    Args:
        left: seconds of the time that was given.
        views: augmented ones of each clip; None: as many as a share of the time allows.

    Raises:
        EarsightError: the time is over before each clip has its frames; those that have, are kept.
    """
    if material.medium not in FRONTENDS:
        return _own_frames(material)
    frontend = FRONTENDS[material.medium]
    if material.medium == "speech":
        frontend = str(_with_silence(frontend, folder.parent / "frontend"))
    embedder: Embedder = (FolderEmbedder(frontend, SOUND_VIEWS) if material.medium == "speech"
                          else folder_embedder(frontend, VIDEO_VIEWS))
    config = read_config(find_model(frontend))
    widths = tuple(config.model["encoder"].get("streams") or (config.n_features,))
    made: dict[str, list[Any]] = {}
    failures: list[tuple[str, str]] = []

    def compute(number: int, until: float) -> bool:
        """Whether there was time for all clips, as long as more than `until` seconds are left."""
        tasks = [view_of(cut, number, embedder) for cut in material.cuts if number == 0 or cut.id in made]
        found = list(stored_views(tasks, folder, embedder, True, lambda: left() <= until))
        if number == 0 and len(found) < len(tasks):
            raise EarsightError(f"the time is over after {len(found)} of {len(tasks)} clips, whose frames are kept in "
                                f"{folder}; the same command with more --minutes goes on from there")
        for task, result in found if len(found) == len(tasks) else ():
            if isinstance(result, EarsightError):
                failures.append((task.identity, str(result)))
            else:
                made.setdefault(task.cut.id, []).append(result)
        return len(found) == len(tasks)

    compute(0, 0.0)
    until = -math.inf if views is not None else (1 - SHARE) * left()
    for number in range(1, (VIEWS[material.medium] if views is None else views) + 1):
        if not compute(number, until):  # a part of the clips with views would weigh more than the others
            break
    if not made:
        raise EarsightError(f"none of {len(material.cuts)} clips can be read ({failures[0][1]})")
    return Frames(frontend, embedder.frame_shift, widths, made, tuple(failures))


def _with_silence(model: str, folder: Path) -> Path:
    """A copy of a model folder whose frontend hears clips with silence around them."""
    source = find_model(model)
    config = read_config(source)
    hop, rate = config.frontend["hop_length"], config.sample_rate
    silence = [round(seconds * rate / hop) * hop for seconds in SILENCE]
    with whole_folder(folder) as copy:
        for name in (FRONTEND, ENCODER):
            shutil.copyfile(source / name, copy / name)
        about = {"description": f"the frontend of {source.name}, with silence around each clip"}
        write_config(copy, replace(config, frontend={**config.frontend, "silence": silence}, decoding={}, confidence={},
                                   about=about))
    return folder


def _own_frames(material: Material) -> Frames:
    arrays = [frames_of(cut) for cut in material.cuts]
    widths = {array.shape[1] for array in arrays if array is not None}
    if len(widths) > 1:
        odd = {frames.shape[1]: cut.id for cut, frames in zip(material.cuts, arrays) if frames is not None}
        told = ", ".join(f"{width} as {name} has" for width, name in sorted(odd.items())[:3])
        raise EarsightError(f"frames of several widths ({told} features); a model takes one: leave out what is other")
    first = arrays[0]
    assert first is not None  # `Material.medium` says so
    return Frames("", first.frame_shift, (widths.pop(),), {cut.id: [cut] for cut in material.cuts}, ())


def means(cuts: Sequence[Any]) -> np.ndarray:
    """(clip, feature) float32: the mean of each clip's stored frames, which is what a linear classifier reads."""
    def mean(cut: Any) -> np.ndarray:
        frames = np.asarray(load_frames(cut), dtype=np.float32)
        told = np.isfinite(frames)  # series have gaps
        return np.where(told, frames, 0).sum(axis=0) / np.maximum(told.sum(axis=0, dtype=np.float32), 1)

    return np.stack([mean(cut) for cut in cuts])
