"""What the decoders of sound give: a file in order, in pieces."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...common.errors import EarsightError

BLOCK = 1 << 20  # samples decoded before they are resampled: bounds the memory of long files


class Piece(NamedTuple):
    """A stretch of a file."""

    samples: np.ndarray  # float32 (channels, n)
    sample_rate: int

    @property
    def channels(self) -> int:
        return len(self.samples)


class Silence(NamedTuple):
    """A stretch for which a file holds no sound."""

    seconds: float

    def pieces(self, sample_rate: int, channels: int) -> Iterator[Piece]:
        left = round(self.seconds * sample_rate)
        while left > 0:
            part = min(left, max(1, BLOCK // channels))
            yield Piece(np.zeros((channels, part), np.float32), sample_rate)
            left -= part


class NoSound(EarsightError):
    """A file holds no sound at all, or is a video without a sound track."""


def no_sound(path: Path) -> NoSound:
    return NoSound(f"{path}: holds no sound (0 samples); record or export it again")
