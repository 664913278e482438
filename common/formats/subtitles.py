"""Words with times to subtitles: short cues that can be read while they are heard, cut where the speaker pauses.

The limits are those that broadcasters' guidelines share (Netflix, Timed Text Style Guide, general requirements; BBC,
Subtitle Guidelines): two lines of 42 characters, 17 characters a second, one to seven seconds, two frames between cues.
"""

import html
import math
import sys
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from ..inference.recognition import Word, srt_clock

LINE = 42  # characters
SPEED = 17  # characters a second
SHORTEST, LONGEST = 1000, 7000  # ms
LINGER = 2000  # ms; a cue that takes longer to read than to say stays on no longer than this behind its last word
GAP = 80  # ms, two frames at 25 a second
PAUSE = 300  # ms; a break in a shorter pause is likely to be within a phrase
PHRASE_ENDS = (".", ",", ";", ":", "?", "!", "…")


@dataclass(frozen=True)
class Span:
    """A word on a grid of milliseconds; its text has no white space at its ends, and none but single spaces within."""

    text: str
    start: int
    end: int
    confidence: float


@dataclass(frozen=True)
class Cue:
    """What is shown at once; `start` and `end` in ms."""

    start: int
    end: int
    lines: tuple[str, ...]
    words: tuple[Span, ...]


def spans(words: Sequence[Word]) -> list[Span]:
    """Words in whole milliseconds: rising, without overlap, each at least 1 ms; those without text are left out."""
    given = [(" ".join(word.text.split()), word) for word in words]
    given = [(text, word) for text, word in given if text]
    starts, free = [], 0
    for _, word in given:
        starts.append(max(round(1000 * word.start), free))
        free = starts[-1] + 1
    return [Span(text, start, min(max(round(1000 * word.end), start + 1), following), word.confidence)
            for (text, word), start, following in zip(given, starts, [*starts[1:], sys.maxsize])]


def cues(words: Sequence[Word], duration: float) -> list[Cue]:
    """The cues of a clip of `duration` seconds, of all ways to cut it that with the least cost."""
    given = spans(words)
    ends = _cut(given)
    result = []
    for first, end in zip([0, *ends], ends):
        own = given[first:end]
        following = given[end].start if end < len(given) else None
        limit = max(round(1000 * duration), own[-1].end) if following is None else following - GAP
        start, characters = own[0].start, len(_line(own))
        legible = min(start + max(SHORTEST, 1000 * characters // SPEED), own[-1].end + LINGER)
        wanted = min(max(own[-1].end, legible), start + LONGEST)
        least = start + 1
        if following is not None and following - start < 2 * GAP:  # no room for a gap
            least = min((start + following + 1) // 2, own[-1].end)
        result.append(Cue(start, max(min(wanted, limit), least), _lines(own), tuple(own)))
    return result


def srt(words: Sequence[Word], duration: float) -> str:
    """SubRip subtitles of a clip of `duration` seconds."""
    return srt_of(cues(words, duration))


def vtt(words: Sequence[Word], duration: float) -> str:
    """WebVTT subtitles of a clip of `duration` seconds."""
    return vtt_of(cues(words, duration))


def srt_of(given: Sequence[Cue]) -> str:
    """SubRip. It knows no escapes: an arrow in the text, which would begin another cue, becomes the one character."""
    return "\n\n".join(f"{number}\n{srt_clock(cue.start / 1000)} --> {srt_clock(cue.end / 1000)}\n"
                       + "\n".join(line.replace("-->", "→") for line in cue.lines)
                       for number, cue in enumerate(given, 1))


def vtt_of(given: Sequence[Cue]) -> str:
    """WebVTT (W3C, 2019)."""
    blocks = [f"{_vtt_clock(cue.start)} --> {_vtt_clock(cue.end)}\n"
              + "\n".join(html.escape(line, quote=False) for line in cue.lines) for cue in given]
    return "\n\n".join(["WEBVTT", *blocks])


def _cut(words: list[Span]) -> list[int]:
    """Where cues end: the number of the word behind each cue's last, by dynamic programming over the words."""
    count = len(words)
    places = [0, *accumulate(len(word.text) + 1 for word in words)]  # of each word in the text
    pauses = [b.start - a.end for a, b in zip(words, words[1:])]
    # Within a cue, a pause of 0.7 s costs what another cue does.
    silence = [0.0, *accumulate(max(pause - PAUSE, 0) / 400 for pause in pauses)]
    best, origin = [0.0] + [math.inf] * count, [0] * (count + 1)
    for first in range(count):
        for end in range(first + 1, _fitting(places, first) + 1):
            start, last = words[first].start, words[end - 1]
            if end > first + 1 and last.end - start > LONGEST:
                break
            room = words[end].start - GAP - start if end < count else math.inf
            speed = 1000 * (places[end] - 1 - places[first]) / max(min(room, LONGEST), 1)
            cost = best[first] + 1.0 + silence[end - 1] - silence[first]
            cost += 2.0 * (room < SHORTEST) + 0.3 * max(speed - SPEED, 0)
            if end < count and not last.text.endswith(PHRASE_ENDS):
                cost += 1.5 * max(1 - pauses[end - 1] / PAUSE, 0)
            if cost < best[end]:
                best[end], origin[end] = cost, first
    ends, end = [], count
    while end:
        ends.append(end)
        end = origin[end]
    return ends[::-1]


def _fitting(places: list[int], first: int) -> int:
    """The number of the word behind the last that fits two lines with word `first`; a longer word stands alone."""
    second = bisect_right(places, places[first] + LINE + 1) - 1
    if second <= first or second == len(places) - 1:
        return max(second, first + 1)
    return max(bisect_right(places, places[second] + LINE + 1) - 1, second)


def _lines(words: list[Span]) -> tuple[str, ...]:
    split = _split(words)
    return tuple(_line(part) for part in (words[:split], words[split:]) if part)


def _split(words: list[Span]) -> int:
    """How many words stand in the first of two lines; 0 for one line."""
    whole = len(_line(words))
    if whole <= LINE:
        return 0
    lengths = list(accumulate(len(word.text) + 1 for word in words))  # with the space behind
    fitting = [k for k in range(1, len(words)) if lengths[k - 1] - 1 <= LINE and whole - lengths[k - 1] <= LINE]
    # Lines of like length, and rather a break in a pause.
    return min(fitting, default=0, key=lambda k: (abs(2 * lengths[k - 1] - whole)
                                                      - (words[k].start - words[k - 1].end) // 20))


def _line(words: list[Span]) -> str:
    return " ".join(word.text for word in words)


def _vtt_clock(milliseconds: int) -> str:
    return srt_clock(milliseconds / 1000).replace(",", ".")
