"""Series as training reads them: stored frames of named channels, with gaps."""

import math
import statistics
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from lhotse.cut import Cut

from ..data.cuts import custom_of, frames_of
from ..data.datamodule import SequenceData, read_frames_cut
from ..data.openers import Openers
from ..errors import EarsightError
from ..nn.frames import SequenceAugmentation, augment_sequence, stretch_frames
from .corpora import with_tables
from .matching import matched
from .reading.series import numbered

if TYPE_CHECKING:
    from ..data.cuts import Cuts

OPENERS = with_tables(Openers())
BATCH = 16  # series
LOOKED_AT = 1000  # series of whose lengths the usual one is taken
SAME_STEP = 0.01  # share by which two steps may differ and be one


class SeriesData(SequenceData):
    """Tables of series, or manifests of frames, for `earsight train`.

    Args:
        batch_duration: seconds of series in a batch; 0 for as long as BATCH of them are on the mean.
        augmentation: of the training series.
        options: see `SequenceData`.

    Attributes:
        layout: what a `SeriesModel` must know: `channels`, their names; `named`, whether the tables named them;
            `frame_shift`, seconds between two frames; `window`, the seconds of a usual series; `table`, the names of
            columns that say how a table is read.
    """

    openers = OPENERS

    def __init__(self, train: str | list[str], validation: str | list[str], test: str | list[str] | None = None,
                 labels: str = "classes", lexicon: str | None = None, vocabulary: int = 100,
                 auxiliary_labels: str | None = None, batch_duration: float = 0.0, curriculum: int = 0,
                 buckets: int = 10, workers: int = 0, seed: int = 1,
                 augmentation: SequenceAugmentation = SequenceAugmentation()):
        super().__init__(train, validation, test, labels, lexicon, vocabulary, auxiliary_labels,
                         batch_duration or math.inf, curriculum, buckets, workers, seed)
        self.augmentation = augmentation
        first = list(islice(self.cuts("train"), LOOKED_AT))
        frames = _frames_of(first[0])
        self.layout = {**_about(first[0]), "frame_shift": float(frames.frame_shift),
                       "window": statistics.median(cut.duration for cut in first)}
        self._check("train", self.cuts("train"))
        self.batch_duration = batch_duration or BATCH * statistics.fmean(cut.duration for cut in first)

    def cuts(self, split: str) -> "Cuts":
        known = split in self._cuts
        cuts = super().cuts(split)
        if not known and self.layout is not None:
            self._check(split, cuts)
        return cuts

    def _check(self, split: str, cuts: "Cuts") -> None:
        """Raise EarsightError for a series of other channels than the training's first."""
        assert self.layout is not None
        for cut in cuts if not cuts.is_lazy else ():
            about = _about(cut)
            if same_channels(about, self.layout):
                continue
            raise EarsightError(f"{cut.id} ({split}): its channels are {', '.join(about['channels'][:12])}, and the "
                                f"training's first series has {', '.join(self.layout['channels'][:12])}")

    def read(self, cut: Cut, rng: np.random.Generator | None) -> np.ndarray:
        assert self.layout is not None
        frames = read_series_cut(cut, self.layout["frame_shift"])
        return frames if rng is None else augment_sequence(frames, self.augmentation, rng)[0]


def read_series_cut(cut: Cut, frame_shift: float) -> np.ndarray:
    """A cut's frames (time, channel) float32, one every `frame_shift` seconds; gaps are NaN."""
    speed = frame_shift / _frames_of(cut).frame_shift
    frames = read_frames_cut(cut)
    return frames if abs(speed - 1) < SAME_STEP else stretch_frames(frames, speed)


def fitting(cut: Cut, layout: dict, owner: str) -> np.ndarray:
    """A cut's frames (time, channel), the channels as the model takes them.

    Raises:
        EarsightError: it lacks some of them.
    """
    frames, about = read_series_cut(cut, layout["frame_shift"]), custom_of(cut).get("series")
    channels = about["channels"] if about and about["named"] else None
    return matched(frames, channels, layout, cut.id, owner)


def same_channels(about: dict, layout: dict) -> bool:
    """Whether a series' channels are those of a layout: by name where both name them, else by number."""
    if about["named"] and layout["named"]:
        return list(about["channels"]) == list(layout["channels"])
    return len(about["channels"]) == len(layout["channels"])


def _about(cut: Cut) -> dict:
    """What is known of a cut's channels; frames of any origin have numbered ones."""
    return custom_of(cut).get("series") or {"channels": list(numbered(_frames_of(cut).shape[1])), "named": False,
                                            "table": {}}


def _frames_of(cut: Cut):
    frames = frames_of(cut)
    if frames is None:
        raise EarsightError(f"{cut.id}: has no stored frames; prepare tables (`earsight prepare series`), or use a "
                            "recipe for sound or videos")
    return frames
