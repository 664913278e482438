"""Where utterances end: in the model's own blanks, by the rules and names of sherpa-onnx's endpoint detector."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line shows the rules, and loads no more than it must
    from ...common.inference.recognition import Word

Span = tuple[float, float]  # seconds


@dataclass(frozen=True)
class EndpointRules:
    """When an utterance is over, in seconds. Silence is where the model gives nothing but blanks.

    sherpa-onnx has 1.2 s for rule 2; here an utterance may end, as in a recording, where its sentence pauses.

    Attributes:
        rule1_min_trailing_silence: silence after which sound is given up in which nothing was said.
        rule2_min_trailing_silence: silence behind what was said that ends an utterance.
        rule3_min_utterance_length: of an utterance, which is then ended without a pause.
    """

    rule1_min_trailing_silence: float = 2.4
    rule2_min_trailing_silence: float = 0.5
    rule3_min_utterance_length: float = 20.0


MANUAL = EndpointRules(math.inf, math.inf, math.inf)  # who uses them says when an utterance ends


@dataclass(frozen=True)
class Group:
    """What stands between two pauses.

    Attributes:
        start, end: seconds, of its first and last label.
        words: that were read there.
    """

    start: float
    end: float
    words: "tuple[Word, ...]"


def grouped(labels: Sequence[Span], words: "Sequence[Word]", pause: float) -> list[Group]:
    """Stretches of labels with at least `pause` seconds of blanks between them, each with its words.

    Args:
        labels: where the outputs are no blanks, rising.
        words: whose middles say where they belong; those without a label near them have their own times.
    """
    labels = list(labels) or [(word.start, word.end) for word in words]
    spans: list[Span] = []
    for start, end in labels:
        if spans and start - spans[-1][1] < pause:
            spans[-1] = spans[-1][0], end
        else:
            spans.append((start, end))
    borders = [-math.inf, *((a[1] + b[0]) / 2 for a, b in zip(spans, spans[1:])), math.inf]
    return [Group(start, end, tuple(word for word in words if first <= middle(word) < last))
            for (start, end), first, last in zip(spans, borders, borders[1:])]


def middle(word: "Word") -> float:
    """Seconds."""
    return (word.start + word.end) / 2


def longest_gap(words: "Sequence[Word]", after: float) -> float | None:
    """The middle of the longest gap between two words, the second of which begins after so many seconds."""
    gaps = [(b.start - a.end, (a.end + b.start) / 2) for a, b in zip(words, words[1:]) if b.start > after]
    return max(gaps)[1] if gaps else None
