"""Whether confidences can be believed: of what is said with 80 % confidence, 80 % should be right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import metrics


@dataclass(frozen=True)
class ReliabilityBin:
    """What was said with a confidence from `low` to `high`: how much, the mean confidence, the share that is right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram's bins (those that hold something, rising), and `metrics.calibration_error` over them."""

    bins: tuple[ReliabilityBin, ...]
    count: int
    expected_calibration_error: float


def reliability(confidences: Sequence[float] | np.ndarray, correct: Sequence[bool] | np.ndarray, bins: int = 10
                ) -> Reliability:
    """Sort what was said by its confidence in [0, 1] into `bins` of equal width.

    Args:
        confidences: (n,), n > 0.
        correct: (n,), whether it was right.
    """
    said, right = np.asarray(confidences, dtype=np.float64), np.asarray(correct, dtype=bool)
    if said.ndim != 1 or said.shape != right.shape or not len(right):
        raise ValueError(f"confidences {said.shape} and correct {right.shape}: expected two (n,), n > 0")
    if not ((said >= 0) & (said <= 1)).all():
        raise ValueError("a confidence lies outside [0, 1]")
    place = np.minimum((said * bins).astype(int), bins - 1)
    filled = []
    for i in np.unique(place):
        inside = place == i
        filled.append(ReliabilityBin(i / bins, (i + 1) / bins, int(inside.sum()), float(said[inside].mean()),
                                     float(right[inside].mean())))
    return Reliability(tuple(filled), len(right), metrics.calibration_error(said, right, bins))
