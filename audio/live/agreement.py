"""Which words of a growing utterance are settled: those that two readings in a row agree on.

LocalAgreement-2 (Liu, Spanakis and Niehues, 2020; Machacek, Dabre and Bojar, 2023). A reading may begin anywhere: words
that stand before the end of the last settled one are settled already.
"""

from collections.abc import Sequence

from ...common.inference.recognition import Word
from .endpoints import middle


class Agreement:
    """Of one utterance.

    Attributes:
        settled: words that were agreed on; never taken back.
        open: the last reading's words behind these.
    """

    def __init__(self) -> None:
        self.settled: list[Word] = []
        self.open: list[Word] = []

    @property
    def words(self) -> list[Word]:
        """All words as they stand."""
        return [*self.settled, *self.open]

    def add(self, words: Sequence[Word]) -> list[Word]:
        """Take a reading, its times on the utterance's own clock; the words that are settled by it."""
        fresh = self.behind(words)
        before, count = self.behind(self.open), 0
        for one, other in zip(fresh, before):
            if one.text != other.text:
                break
            count += 1
        self.settled += fresh[:count]
        self.open = fresh[count:]
        return fresh[:count]

    def behind(self, words: Sequence[Word]) -> list[Word]:
        """Those of them that stand behind the last settled word."""
        end = self.settled[-1].end if self.settled else float("-inf")
        return [word for word in words if middle(word) > end]
