"""Error rates of transcripts and figures of classification: numpy and plain Python.

A rate is never a mean of rates: counts are added over a set (`ErrorCounts` has `+`) and divided once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

EditKind = Literal["ok", "sub", "del", "ins"]


@dataclass(frozen=True, slots=True)
class Edit:
    """One step of an alignment. A deletion has no hypothesis, an insertion no reference."""

    kind: EditKind
    reference: str | None
    hypothesis: str | None


@dataclass(frozen=True, slots=True)
class ErrorCounts:
    """Edits against a reference of `reference_length` symbols; `sum(counts, ErrorCounts())` adds up a set."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    reference_length: int = 0

    def __add__(self, other: "ErrorCounts") -> "ErrorCounts":
        if not isinstance(other, ErrorCounts):
            return NotImplemented
        return ErrorCounts(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.reference_length + other.reference_length,
        )

    @property
    def edits(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Edits a reference symbol. Above an empty reference: 0 without edits, else infinite."""
        if self.reference_length:
            return self.edits / self.reference_length
        return float("inf") if self.edits else 0.0


def words(text: str) -> list[str]:
    """The words of `text`: what stands between white space."""
    return text.split()


def characters(text: str) -> str:
    """The characters of `text`, with one space between words and none around them."""
    return " ".join(text.split())


def word_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Edits between the words of two texts."""
    return count_errors(words(reference), words(hypothesis))


def character_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Edits between the characters of two texts; the space between two words is a character."""
    return count_errors(characters(reference), characters(hypothesis))


def count_errors(reference: Sequence[str], hypothesis: Sequence[str]) -> ErrorCounts:
    """The counts of `align(reference, hypothesis)`, without the alignment."""
    if reference == hypothesis:
        return ErrorCounts(reference_length=len(reference))
    steps = _steps(reference, hypothesis)
    return ErrorCounts(steps.count("S"), steps.count("D"), steps.count("I"), len(reference))


def align(reference: Sequence[str], hypothesis: Sequence[str]) -> list[Edit]:
    """The alignment with the fewest edits (Levenshtein: each edit costs 1), in reading order.

    Several alignments can have the fewest. Going back from the two ends, this one takes a match or a
    substitution where that is among the best, else a deletion, else an insertion; so of `a b c` read as `x`,
    `a` and `b` are deleted and `c` is substituted.
    """
    edits = []
    i = j = 0
    for step in _steps(reference, hypothesis):
        if step == "D":
            edits.append(Edit("del", reference[i], None))
        elif step == "I":
            edits.append(Edit("ins", None, hypothesis[j]))
        else:
            edits.append(Edit("ok" if step == "=" else "sub", reference[i], hypothesis[j]))
        i += step != "I"
        j += step != "D"
    return edits


def matches(reference: Sequence[str], hypothesis: Sequence[str]) -> list[bool]:
    """Of each symbol of the reference, whether `align(reference, hypothesis)` has it as it is."""
    return [step == "=" for step in _steps(reference, hypothesis) if step != "I"]


def _steps(reference: Sequence[str], hypothesis: Sequence[str]) -> str:
    """The alignment as letters: `=` match, `S` substitution, `D` deletion, `I` insertion.

    The table of distances is held as differences of neighbours, one Python integer a column, bit i for
    reference symbol i: Myers 1999 (doi:10.1145/316542.316550) as Hyyro 2003 rewrote it. A column then costs a
    dozen integer operations, whatever its height, and the way back needs two bits a cell.
    """
    full = (1 << len(reference)) - 1
    positions: dict[str, int] = {}
    for i, symbol in enumerate(reference):
        positions[symbol] = positions.get(symbol, 0) | 1 << i

    # With D[i, j] the distance between the first i and the first j symbols, bit i-1 of
    #   rises, falls: D[i, j] - D[i-1, j] is +1, is -1         (down the reference)
    #   level:        D[i, j] - D[i-1, j-1] is 0               (else it is +1)
    #   grows, sinks: D[i, j] - D[i, j-1] is +1, is -1         (along the hypothesis)
    rises, falls = full, 0
    columns = []
    for symbol in hypothesis:
        matches = positions.get(symbol, 0)
        level = ((((matches & rises) + rises) ^ rises) | matches | falls) & full
        grows = falls | (full & ~(level | rises))
        sinks = level & rises
        grows = grows << 1 | 1  # above the first row: D[0, j] - D[0, j-1] is 1
        sinks <<= 1
        rises = (sinks | ~(level | grows)) & full
        falls = grows & level
        columns.append((level, rises))

    steps = []
    i, j = len(reference), len(hypothesis)
    while i and j:
        level, rises = columns[j - 1]
        bit = 1 << (i - 1)
        if reference[i - 1] == hypothesis[j - 1]:
            steps.append("=")
            i, j = i - 1, j - 1
        elif not level & bit:
            steps.append("S")
            i, j = i - 1, j - 1
        elif rises & bit:
            steps.append("D")
            i -= 1
        else:
            steps.append("I")
            j -= 1
    return "D" * i + "I" * j + "".join(reversed(steps))


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Figures of each class, arrays of shape (classes,). A figure that would be 0 / 0 is 0."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray  # clips whose true label this is
    predicted: np.ndarray  # clips that were given this label

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the classes that occur, as a label or as a prediction."""
        occurs = (self.support > 0) | (self.predicted > 0)
        return float(self.f1[occurs].mean()) if occurs.any() else 0.0


def accuracy(targets: np.ndarray, predictions: np.ndarray) -> float:
    """The share of equal entries of two integer arrays (n,), n > 0."""
    targets, predictions = np.asarray(targets), np.asarray(predictions)
    if targets.ndim != 1 or targets.shape != predictions.shape or not len(targets):
        raise ValueError(
            f"targets {targets.shape} and predictions {predictions.shape}: expected two (n,), n > 0"
        )
    return float((targets == predictions).mean())


def top_k_accuracy(targets: np.ndarray, scores: np.ndarray, k: int) -> float:
    """The share of rows of `scores` (n, classes) that have `targets` (n,) among their `k` highest.

    Of equal scores the lower class comes first, as for argmax, so that `k=1` is `accuracy`.
    """
    targets, scores = np.asarray(targets), np.asarray(scores)
    if scores.ndim != 2 or targets.shape != scores.shape[:1] or not len(targets):
        raise ValueError(
            f"targets {targets.shape}, scores {scores.shape}: expected (n,), (n, classes), n > 0"
        )
    own = np.take_along_axis(scores, targets[:, None], axis=1)
    earlier = np.arange(scores.shape[1]) < targets[:, None]
    rank = ((scores > own) | ((scores == own) & earlier)).sum(axis=1)
    return float((rank < k).mean())


def confusion_matrix(targets: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Counts (classes, classes), int64: row = true class, column = predicted class."""
    pairs = np.stack([np.asarray(targets, dtype=np.int64), np.asarray(predictions, dtype=np.int64)])
    if pairs.size and (pairs.min() < 0 or pairs.max() >= classes):
        raise ValueError(f"classes run from 0 to {classes - 1}, given {pairs.min()} to {pairs.max()}")
    return np.bincount(pairs[0] * classes + pairs[1], minlength=classes**2).reshape(classes, classes)


def class_scores(confusion: np.ndarray) -> ClassScores:
    """Precision, recall, F1 and support of each class, from a confusion matrix (classes, classes)."""
    confusion = np.asarray(confusion)
    hits, support, predicted = np.diagonal(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return ClassScores(
        precision=_ratio(hits, predicted),
        recall=_ratio(hits, support),
        f1=_ratio(2 * hits, support + predicted),
        support=support,
        predicted=predicted,
    )


def calibration_error(confidence: Sequence[float] | np.ndarray, right: Sequence[bool] | np.ndarray, bins: int = 10
                      ) -> float:
    """Expected calibration error (Naeini et al., 2015) in bins of equal width; 0 for no words."""
    said, true = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    place = np.minimum((said * bins).astype(int), bins - 1)
    gaps = [abs(said[place == i].sum() - true[place == i].sum()) for i in range(bins)]
    return float(sum(gaps) / max(len(said), 1))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def validation_metric(kind: str) -> tuple[str, str]:
    """What chooses the checkpoint of a model whose labels are of `kind`; "min" or "max": which is better."""
    return ("val_accuracy", "max") if kind == "classes" else ("val_wer", "min")
