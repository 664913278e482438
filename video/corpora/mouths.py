"""Films as pictures of the mouths in them, which `earsight prepare mouths` stores."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...common.data.corpora.embeddings import file_digest, prepare_views
from ...common.data.corpora.parts import Parts
from ...common.data.cuts import custom_of, film_of
from ...common.errors import EarsightError
from ...common.recipes import read_yaml
from ..mouth.crops import MouthSettings, mouth_pictures, stored
from ..mouth.faces import detector_file, open_detector

if TYPE_CHECKING:
    from lhotse.cut import Cut

METHOD = 1  # goes up when the same settings come to give other pictures, so that older ones are computed again


def prepare_mouths(source: Path, destination: Path, *, config: str, detector: str = "", progress: bool = True) -> Parts:
    """The mouths of films, (time, side * side) uint8 a clip; see `common.data.corpora.embeddings.prepare_views`.

    Options: `config`, the recipe whose model.mouth says how; `detector`, a folder in place of the recipe's.
    """
    path = Path(config)
    plain = read_yaml(path)
    try:
        if not plain["model"]["class_path"].endswith(("LipModel", "AudioVisualModel")):
            raise TypeError(f"{plain['model']['class_path']} is of something else")
        settings = MouthSettings(**{**(plain["model"]["init_args"].get("mouth") or {}),
                                    **({"detector": detector} if detector else {})})
    except (KeyError, TypeError, AttributeError) as error:
        raise EarsightError(f"{path}: no recipe of a model that reads lips ({error}); name one like "
                            "configs/grid-lips.yaml") from error
    open_detector(settings.detector)  # what is wrong with it is told once, and not of each clip
    return prepare_views(source, destination, _MouthCropper(settings), 0, progress)


class _MouthCropper:
    """See `common.data.corpora.embeddings.Embedder`; there is one view of a clip, as it is."""

    def __init__(self, settings: MouthSettings) -> None:
        self.frame_shift = 1 / settings.rate
        self._mouth = settings
        self._plain = asdict(settings)
        del self._plain["detector"]  # what it holds counts, not where it lies
        self._digest = file_digest(detector_file(settings.detector))

    def plain_view(self) -> None:
        return None

    def draw_view(self, rng: np.random.Generator) -> None:
        return None

    def settings(self, cut: Cut, view: None) -> dict[str, Any]:
        return {"method": METHOD, "mouth": self._plain, "detector": self._digest, "film": file_digest(_film(cut))}

    def embed(self, cut: Cut, view: None) -> np.ndarray:
        return stored(mouth_pictures(_film(cut), self._mouth, *part_of(cut)))


def part_of(cut: Cut) -> tuple[float, float | None]:
    """Where in its film a clip begins and ends, seconds; None is the film's end, which a sound track may miss."""
    recording = getattr(cut, "recording", None)
    whole = recording is not None and cut.start == 0 and cut.duration == recording.duration
    start = cut.start + custom_of(cut).get("video_start", 0.0)
    return start, None if whole else start + cut.duration


def _film(cut: Cut) -> str:
    film = film_of(cut)
    if film is None:
        raise EarsightError(f"{cut.id}: has no film; prepare the corpus from its films (grid), or with medium=video")
    return film
