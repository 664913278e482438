"""Where a transcription's errors are: by the length of the utterances, and by the word that was said."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..metrics import ErrorCounts
from .transcription import UtteranceErrors

SECONDS = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0, 60.0, float("inf"))
WORDS = (0, 1, 2, 3, 5, 8, 12, 20, 30, 60, float("inf"))


@dataclass(frozen=True)
class LengthErrors:
    """The sums over the utterances whose length is at least `low` and below `high`."""

    low: float
    high: float
    utterances: int
    words: ErrorCounts


@dataclass(frozen=True)
class WordErrors:
    """What became of one word wherever it was said: `read_as` holds (other word, count), commonest first."""

    word: str
    count: int
    deleted: int
    read_as: tuple[tuple[str, int], ...]

    @property
    def errors(self) -> int:
        return self.deleted + sum(count for _, count in self.read_as)

    @property
    def rate(self) -> float:
        return self.errors / self.count


def by_seconds(utterances: Iterable[UtteranceErrors]) -> list[LengthErrors]:
    """Errors by the utterances' duration, shortest first; lengths that none has are left out."""
    return _by_length(utterances, lambda utterance: utterance.duration, SECONDS)


def by_words(utterances: Iterable[UtteranceErrors]) -> list[LengthErrors]:
    """Errors by how many words were said, fewest first; numbers that none has are left out."""
    return _by_length(utterances, lambda utterance: utterance.words.reference_length, WORDS)


def _by_length(utterances: Iterable[UtteranceErrors], length: Callable[[UtteranceErrors], float],
               edges: Sequence[float]) -> list[LengthErrors]:
    utterances = list(utterances)
    found = []
    for low, high in zip(edges, edges[1:]):
        inside = [utterance.words for utterance in utterances if low <= length(utterance) < high]
        if inside:
            found.append(LengthErrors(low, high, len(inside), sum(inside, ErrorCounts())))
    return found


def by_reference_word(utterances: Iterable[UtteranceErrors]) -> list[WordErrors]:
    """Every word that was said, the one with most errors first, then the commonest. Insertions belong to none."""
    read: dict[str, Counter[str | None]] = defaultdict(Counter)
    for utterance in utterances:
        for edit in utterance.alignment():
            if edit.reference is not None:
                read[edit.reference][edit.hypothesis] += 1
    words = []
    for word, counts in read.items():
        others = [(other, count) for other, count in counts.items() if other not in (word, None)]
        words.append(WordErrors(word, sum(counts.values()), counts[None],
                                tuple(sorted(others, key=lambda pair: (-pair[1], pair[0])))))
    return sorted(words, key=lambda word: (-word.errors, -word.count, word.word))
