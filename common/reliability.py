"""Whether confidences can be believed: of what is said with 80 % confidence, 80 % should be right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common import metrics


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
    """A reliability diagram's bins (those that hold something, rising), and its expected calibration error.

    The error is the mean distance of accuracy from confidence, each bin weighted by what it holds (Naeini et al., 2015;
    Guo et al., 2017, eq. 3).
    """

    bins: tuple[ReliabilityBin, ...]
    count: int
    expected_calibration_error: float


def reliability(confidences: Sequence[float], correct: Sequence[bool], bins: int = 10) -> Reliability:
    """Sort what was said by its confidence in [0, 1] into `bins` of equal width.

    Args:
        confidences: (n,), n > 0.
        correct: (n,), whether it was right.
    """
    confidences, correct = np.asarray(confidences, dtype=np.float64), np.asarray(correct, dtype=bool)
    if confidences.ndim != 1 or confidences.shape != correct.shape or not len(correct):
        raise ValueError(f"confidences {confidences.shape} and correct {correct.shape}: expected two (n,), n > 0")
    if not ((confidences >= 0) & (confidences <= 1)).all():
        raise ValueError("a confidence lies outside [0, 1]")
    place = np.minimum((confidences * bins).astype(int), bins - 1)
    filled = []
    for i in np.unique(place):
        inside = place == i
        filled.append(ReliabilityBin(i / bins, (i + 1) / bins, int(inside.sum()), float(confidences[inside].mean()),
                                     float(correct[inside].mean())))
    error = sum(each.count * abs(each.accuracy - each.confidence) for each in filled) / len(correct)
    return Reliability(tuple(filled), len(correct), error)


def word_outcomes(reference: str, words: Sequence[tuple[str, float]]) -> list[tuple[float, bool]]:
    """For each recognised (word, confidence): the confidence, and whether the alignment has the word right."""
    edits = metrics.align(metrics.words(reference), [word for word, _ in words])
    right = [edit.kind == "ok" for edit in edits if edit.hypothesis is not None]
    return [(confidence, correct) for (_, confidence), correct in zip(words, right, strict=True)]
