"""Training clips that go on, from a word on, as another clip of the same speaker does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..errors import EarsightError
from .cuts import TimedWord, speaker_of, words_of

if TYPE_CHECKING:
    import numpy as np
    from lhotse.cut import Cut


class Piece(NamedTuple):
    """Part of a clip, from `start` to `end` in seconds from the clip's start; None is the clip's end."""

    cut: Cut
    start: float = 0.0
    end: float | None = None


class Splicer:
    """Joins pieces of clips between words, as Lam et al. (2021) do for speech of which there is little: new sentences.

    A clip goes on with another's word of the same place in the sentence, so that commands of fixed form keep it. Clips
    whose words have no times, and those of a speaker of whom there are no others, stay as they are.

    Args:
        cuts: the training clips.
        share: of the places between two words, those at which another clip goes on.

    Raises:
        EarsightError: the share is none, or no clip can be spliced.
    """

    def __init__(self, cuts: Iterable[Cut], share: float):
        if not 0 <= share <= 1:
            raise EarsightError(f"data.splice {share:g}: give a share from 0 to 1")
        self._share = share
        self._of_speaker: dict[str, list[tuple[Cut, Sequence[TimedWord]]]] = defaultdict(list)
        for cut in cuts if share else ():
            speaker, words = speaker_of(cut), words_of(cut)
            if speaker is not None and len(words) > 1:
                self._of_speaker[speaker].append((cut, words))
        if share and max(map(len, self._of_speaker.values()), default=0) < 2:
            raise EarsightError("data.splice: no two training clips of one speaker tell when words are said; prepare "
                                "the corpus again if it knows (GRID does), or leave the setting out")

    def __call__(self, cut: Cut, rng: np.random.Generator) -> tuple[list[Piece], str | None]:
        """The pieces to read in a clip's place, in order, and what is said in them; None is what the clip says."""
        words, others = words_of(cut), self._of_speaker.get(speaker_of(cut) or "", ())
        if len(words) < 2 or len(others) < 2:
            return [Piece(cut)], None
        pieces, said, since = [], [words[0].text], 0.0
        while (k := len(said)) < len(words):
            if rng.random() < self._share:
                other, its = others[int(rng.integers(len(others)))]
                if k < len(its):
                    pieces.append(Piece(cut, since, _between(words, k)))
                    cut, words, since = other, its, _between(its, k)
            said.append(words[k].text)
        return [*pieces, Piece(cut, since)], " ".join(said)


def _between(words: Sequence[TimedWord], k: int) -> float:
    """Seconds at which word k is about to begin."""
    return (words[k - 1].end + words[k].start) / 2
