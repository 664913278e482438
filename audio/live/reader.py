"""Sound that is still coming, as from a microphone: what is certain of an utterance so far, and where it ends.

Nothing is read here: whoever holds a stream has a recogniser read what `LiveReader.wanted` gives, here or in another
process, and tells `heard` what it made of it. That is the utterance so far, again and again as it grows; of a long one
the end, which alone still changes; and when it is over, all of it once more, as a file of it is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...common.inference.recognition import Word
from ...common.inference.segmenting import MARGIN, Held
from .agreement import Agreement
from .endpoints import MANUAL, EndpointRules, Group, Span, grouped, longest_gap
from .reading import Reading

INTERVAL = 0.25  # seconds of new sound after which an utterance is read again
STEP = 4.0  # seconds, by which a reading grows at most where sound comes faster than it is said
TAIL = 0.2  # seconds, of the pause behind an utterance, that are left to the next
CONTEXT = 2.0  # seconds before the end of a long utterance that are read with what is not settled, at least
LONGEST = 6.0  # seconds that are read again and again, where nothing becomes settled

# Words are taken for noise, and left out, where what is loud in them is below FLOOR; or hardly above (NEAR) what the
# last pause held; or far below (FAR) the utterance before; or somewhat below it (FAINT), if they last less than BRIEF.
# So noise that begins with the stream and never pauses is not known for what it is, nor are sounds louder than the
# pauses: a cough, a door, another voice. And a soft "yes" behind a loud sentence may be lost. Chosen on clips of GRID's
# development part.
FLOOR, NEAR, FAR, FAINT, BRIEF = -70.0, 9.0, -40.0, -12.0, 0.5  # dB of full scale; dB; dB; dB; seconds
QUIET = 0.2  # seconds of blanks, at least, that tell what a pause sounds like
AFTER, LATE = 0.1, 0.3  # seconds that a sound goes on behind its label, and by which a label may come behind its sound
FRAME = 0.02  # seconds, of which a level is taken
LOUD, USUAL = 95, 50  # percentiles of levels: of what is loud in words, and of what is usual in a pause


@dataclass(frozen=True, eq=False)
class Wanted:
    """Sound that is to be read: mono float32 (samples,), to be read as a file is if it is `final`."""

    samples: np.ndarray
    sample_rate: int
    final: bool


@dataclass(frozen=True)
class Update:
    """What a reading changed.

    Attributes:
        partial: the text of the utterance so far; of a finished one, all of it.
        settled: words that were settled by this reading.
        words: of a finished utterance, their times in seconds from the stream's start; None while it goes on.
        start, end: seconds from the stream's start, of the utterance so far; of a finished one, of what was read.
        fixed: the part of `partial` that is settled.
        confidence: of a finished utterance, the probability that all of it is right.
    """

    partial: str
    settled: tuple[str, ...]
    words: tuple[Word, ...] | None
    start: float
    end: float
    fixed: str = ""
    confidence: float = 0.0


class LiveReader:
    """One stream of mono sound.

    Args:
        sample_rate: Hz.
        rules: when an utterance is over.
    """

    def __init__(self, sample_rate: int, rules: EndpointRules | None = None):
        self.sample_rate, self.rules = sample_rate, rules or EndpointRules()
        self._held = Held(0)
        self._begin = 0  # where that begins which no finished utterance has; this and the others in samples
        self._read = 0  # up to where the last reading went
        self._asked = (0, 0)  # what is being read
        self._ending: tuple[int, int, int] | None = None  # an utterance that is over, and where the next may begin
        self._spoken: tuple[float, float] | None = None  # seconds, of the first and last label of the utterance
        self._agreement = Agreement()
        self._loud: float | None = None  # dB, of the utterance before
        self._quiet = -np.inf  # dB, of the last pause

    @property
    def seconds(self) -> float:
        """Of the stream, so far."""
        return self._held.end / self.sample_rate

    @property
    def held(self) -> float:
        """Seconds that no finished utterance has."""
        return (self._held.end - self._begin) / self.sample_rate

    @property
    def partial(self) -> str:
        """The text of the utterance so far."""
        return _text(self._agreement.words)

    @property
    def settled(self) -> tuple[Word, ...]:
        """Words of the utterance so far that are not taken back, their times in seconds from the stream's start."""
        return tuple(self._agreement.settled)

    def take(self, samples: np.ndarray) -> None:
        """Add sound: mono float32 (samples,) in [-1, 1]."""
        self._held.add(samples)

    def wanted(self, last: bool = False) -> Wanted | None:
        """What is to be read next; None where that can wait for more sound, or there is none.

        Args:
            last: no more comes.
        """
        if not self._ending and not self._due and last and self._held.end > self._begin:
            self._ending = self._first_sample(), self._held.end, self._held.end
        if self._ending:
            self._asked = self._ending[:2]
        elif self._due:
            end = min(self._held.end, self._read + self._samples(STEP))
            self._asked = self._window(end), end
        else:
            return None
        return Wanted(self._held.cut(*self._asked), self.sample_rate, bool(self._ending))

    def heard(self, reading: Reading) -> Update:
        """Take the reading of what was last wanted."""
        first = self._asked[0] / self.sample_rate
        words = [replace(word, start=word.start + first, end=word.end + first) for word in reading.words]
        if self._ending:
            return self._finished(words, reading.confidence, self._ending)
        self._read = self._asked[1]
        labels = [(start + first, end + first) for start, end in reading.labels]
        self._hear_pause(labels)
        settled = self._go_on(self._groups(labels, words))
        start = self._spoken[0] if self._spoken else self._read / self.sample_rate
        return Update(self.partial, _texts(settled), None, start, self._read / self.sample_rate,
                      _text(self._agreement.settled))

    # How an utterance grows

    @property
    def _due(self) -> bool:
        if self.rules == MANUAL:
            return False
        wait = self._samples(INTERVAL)
        if self._spoken and self._agreement.words:  # the moment that may end it
            silent = self._samples(self._spoken[1] + self.rules.rule2_min_trailing_silence) - self._read
            wait = min(wait, silent) if silent > 0 else wait
        return self._held.end - self._read >= wait

    def _window(self, end: int) -> int:
        """Where a reading up to `end` begins: before the utterance, or so late that what is settled is left out."""
        if not self._spoken:
            return max(self._begin, self._read - self._samples(MARGIN))
        start, now = self._first_sample(), end / self.sample_rate
        settled = self._agreement.settled
        gaps = [(a.end + b.start) / 2 for a, b in zip(settled, settled[1:]) if (a.end + b.start) / 2 <= now - CONTEXT]
        late = gaps[-1] if gaps else min(now - LONGEST, self._spoken[1] - CONTEXT)
        return max(start, self._samples(late))

    def _groups(self, labels: Sequence[Span], words: Sequence[Word]) -> list[Group]:
        """What was read, between pauses, mere noise without its words."""
        groups = grouped(labels, words, self.rules.rule2_min_trailing_silence)
        if not groups and self._spoken and self._agreement.settled:  # the pause behind it is all that was read
            return [Group(*self._spoken, tuple(self._agreement.words))]
        return [self._without_noise(group) for group in groups]

    def _go_on(self, groups: Sequence[Group]) -> list[Word]:
        """Take the groups of a reading up to the first that is over; the words that are settled by it."""
        now = self._read / self.sample_rate
        said = [group for group in groups if group.words]
        if not said:
            return self._without_words(groups[-1] if groups else None, now)
        group = said[0]
        following = next((other.start for other in groups if other.start > group.end), None)
        start = group.start if self._spoken is None or not self._agreement.words else self._spoken[0]
        self._spoken = start, group.end
        settled = self._agreement.add(group.words)
        if following is not None:  # a pause that was read with what comes behind it
            end = self._samples(min(group.end + MARGIN, (group.end + following) / 2))
            self._ending = self._first_sample(), end, end
        elif now - group.end >= self.rules.rule2_min_trailing_silence:
            end = self._samples(min(group.end + MARGIN, now))
            self._ending = self._first_sample(), end, max(end - self._samples(TAIL), self._samples(group.end))
        elif now - start >= self.rules.rule3_min_utterance_length:
            cut = self._samples(longest_gap(self._agreement.words, (start + now) / 2) or now)
            self._ending = self._first_sample(), cut, cut
        return settled

    def _without_words(self, group: Group | None, now: float) -> list[Word]:
        self._agreement = Agreement()
        rules = self.rules
        going_on = group is not None and now - group.end < rules.rule2_min_trailing_silence
        self._spoken = (group.start, group.end) if group and going_on else None
        if self._spoken is None:
            self._move(max(self._begin, self._read - self._samples(rules.rule1_min_trailing_silence)))
        return []

    # How it ends

    def _first_sample(self) -> int:
        """Of what belongs to the utterance: its lead too, as far as a recording's would."""
        place = self._spoken[0] if self._spoken else self._read / self.sample_rate
        return max(self._begin, self._samples(place - MARGIN))

    def _finished(self, words: Sequence[Word], confidence: float, place: tuple[int, int, int]) -> Update:
        start, end, following = place
        if words and self.rules != MANUAL and self._is_noise(words):
            words = ()
        if words:
            self._loud = self._level(words)
        update = Update(_text(words), _texts(self._agreement.behind(words)), tuple(words), start / self.sample_rate,
                        end / self.sample_rate, _text(words), confidence)
        self._ending, self._spoken, self._agreement = None, None, Agreement()
        self._read = following
        self._move(following)
        return update

    def _move(self, begin: int) -> None:
        self._begin = begin
        self._held.drop(begin)

    # Noise

    def _without_noise(self, group: Group) -> Group:
        """The same without words at its edges that stand in mere noise, or without any."""
        words = list(group.words)
        while words and self._level(words[:1]) < self._quiet + NEAR:
            words = words[1:]
        while words and self._level(words[-1:]) < self._quiet + NEAR:
            words = words[:-1]
        if not words or self._is_noise(words):
            return replace(group, words=())
        start = group.start if words[0] is group.words[0] else words[0].start
        end = group.end if words[-1] is group.words[-1] else words[-1].end
        return Group(start, end, tuple(words))

    def _hear_pause(self, labels: Sequence[Span]) -> None:
        """Note how loud the last pause of a reading is."""
        first, last = (place / self.sample_rate for place in self._asked)
        ends = [first, *(end + AFTER for _, end in labels)]
        starts = [*(start - LATE for start, _ in labels), last - LATE]
        pauses = [(end, start) for end, start in zip(ends, starts) if start - end >= QUIET]
        if pauses:
            self._quiet = self._loudness(*pauses[-1], USUAL)

    def _is_noise(self, words: Sequence[Word]) -> bool:
        level = self._level(words)
        if level < max(FLOOR, self._quiet + NEAR) or self._loud is None:
            return level < max(FLOOR, self._quiet + NEAR)
        brief = sum(word.end - word.start for word in words) < BRIEF
        return level < self._loud + (FAINT if brief else FAR)

    def _level(self, words: Sequence[Word]) -> float:
        return self._loudness(words[0].start, words[-1].end)

    def _loudness(self, start: float, end: float, share: int = LOUD) -> float:
        """dB of full scale, of that percentile of a stretch's levels."""
        first = max(self._samples(start), self._held.start)
        samples = self._held.cut(first, max(self._samples(end), first))
        frame = max(1, round(FRAME * self.sample_rate))
        frames = np.pad(samples, (0, -len(samples) % frame)).reshape(-1, frame)
        return float(np.percentile(10 * np.log10(np.square(frames).mean(axis=1) + 1e-12), share, method="nearest")
                     if len(frames) else -np.inf)

    def _samples(self, seconds: float) -> int:
        return round(seconds * self.sample_rate)


def _texts(words: Sequence[Word]) -> tuple[str, ...]:
    return tuple(word.text for word in words)


def _text(words: Sequence[Word]) -> str:
    return " ".join(_texts(words))
