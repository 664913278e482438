"""What the decoders of sound give: a file in order, in pieces."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...common.errors import EarsightError

BLOCK = 1 << 20  # samples decoded before they are resampled: bounds the memory of long files


class Piece(NamedTuple):
    """A stretch of a file."""

    samples: np.ndarray  # float32 (n,), the mean of the channels
    sample_rate: int
    channels: int


def no_sound(path: Path) -> EarsightError:
    return EarsightError(f"{path}: holds no sound (0 samples); record or export it again")
