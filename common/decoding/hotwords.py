"""Words to be listened for: what they add to a hypothesis's score in beam search."""

import math
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ..errors import EarsightError

DEFAULT_WEIGHT = 4.0  # nats: e^4, some 50 times as likely


@dataclass(frozen=True)
class Hotword:
    """A word or several in a row, what each time they are heard adds to the score (nats), and how they are spelled.

    `symbols` are one word's labels, for a word that the lexicon lacks and letters do not spell: its phones.
    """

    text: str
    weight: float = DEFAULT_WEIGHT
    symbols: tuple[str, ...] = ()


def parse_hotword(given: str) -> Hotword:
    """`WORDS`, `WORDS:WEIGHT`, `WORD=PHONE PHONE ...` or `WORD:WEIGHT=PHONE PHONE ...`.

    Raises:
        EarsightError: no word, or a weight that is no number.
    """
    if not isinstance(given, str):
        raise EarsightError(f"hotword {given!r:.60} is no text; write WORDS or WORDS:WEIGHT")
    told, equals, symbols = given.partition("=")
    text, colon, weight = told.partition(":")
    words = text.split()
    if not words:
        raise EarsightError(f"hotword {given!r} is empty; write WORDS, WORDS:WEIGHT or WORD:WEIGHT=PHONE PHONE ...")
    try:
        value = float(weight) if colon else DEFAULT_WEIGHT
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise EarsightError(f"hotword {given!r}: {weight!r} is no weight; write a number of nats, such as 4")
    if equals and (len(words) > 1 or not symbols.split()):
        raise EarsightError(f"hotword {given!r}: write one word's phones after =; name each word by itself")
    return Hotword(" ".join(words), value, tuple(symbols.split()))


class HotwordGraph:
    """Which phrases a sequence of ids is in the midst of (Aho and Corasick, 1975), and what its next id is worth.

    A phrase's weight comes in equal parts with each of its ids, so that the beam does not drop it half-way; when the
    phrase is not finished, what it had got is taken back.

    Args:
        phrases: ids of each phrase, with the phrase's weight.
    """

    ROOT = 0

    def __init__(self, phrases: Iterable[tuple[Sequence[int], float]]):
        self._children: list[dict[int, int]] = [{}]
        self._fails = [self.ROOT]
        self._advance = [0.0]  # what a node's longer phrases have given so far
        self._earned = [0.0]  # what the phrases that end at a node give
        for ids, weight in phrases:
            node = self.ROOT
            for depth, i in enumerate(ids, 1):
                if i not in self._children[node]:
                    self._children[node][i] = len(self._children)
                    self._children.append({})
                    self._fails.append(self.ROOT)
                    self._advance.append(0.0)
                    self._earned.append(0.0)
                node = self._children[node][i]
                if depth < len(ids):
                    self._advance[node] = max(self._advance[node], weight * depth / len(ids))
            self._earned[node] = weight
        waiting = deque(self._children[self.ROOT].values())
        while waiting:
            node = waiting.popleft()
            for i, child in self._children[node].items():
                self._fails[child] = self._next(self._fails[node], i)
                self._earned[child] += self._earned[self._fails[child]]
                waiting.append(child)

    @property
    def first(self) -> Collection[int]:
        """The ids that phrases begin with."""
        return self._children[self.ROOT].keys()

    def step(self, node: int, i: int) -> tuple[int, float]:
        """The node after another id, and what this adds to the score."""
        after = self._next(node, i)
        return after, self._advance[after] - self._advance[node] + self._earned[after]

    def end(self, node: int) -> float:
        """What is added at the end of the sequence: unfinished phrases are taken back."""
        return -self._advance[node]

    def _next(self, node: int, i: int) -> int:
        while node != self.ROOT and i not in self._children[node]:
            node = self._fails[node]
        return self._children[node].get(i, self.ROOT)
