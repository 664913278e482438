"""Sound that is still coming, as from a microphone: what is certain of an utterance so far, and where it ends.

Nothing is read here: whoever holds a stream reads `Listening.samples` whenever it is `due`, and gives `heard` what a
recogniser made of them. A reading of a growing utterance changes its last words; those that two readings in a row agree
on are settled (LocalAgreement-2: Liu, Spanakis and Niehues, 2020; Machacek, Dabre and Bojar, 2023).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...common.inference.recognition import Word

BYTES = 2  # a sample: 16 bits, signed, the low byte first
LEAD = 0.4  # seconds before an utterance's first word that are read with it
TAIL = 0.2  # seconds, of the pause behind an utterance, that are left to the next
# What is read in mere noise: far below what was said before, or below any microphone's speech; or short and somewhat
# below, as `common.inference.segmenting` has it for recordings. Chosen on clips of GRID's development part.
FAR, FLOOR, BRIEF, FAINT = -40.0, -70.0, 0.5, -12.0  # dB beside what was said; dB of full scale; seconds; dB
FRAME = 0.02  # seconds, of which a level is taken
LOUD = 95  # percentile of levels that counts as loud
STEP = 4.0  # seconds, by which a reading grows at most where sound comes faster than it is said


@dataclass(frozen=True)
class EndpointRules:
    """When an utterance is over, in seconds; names and defaults of rules 1 and 3 are sherpa-onnx's.

    Attributes:
        rule1_min_trailing_silence: silence after which sound without a word is dropped.
        rule2_min_trailing_silence: silence behind the last word that ends an utterance.
        rule3_min_utterance_length: of sound, after which an utterance is ended without a pause.
    """

    rule1_min_trailing_silence: float = 2.4
    rule2_min_trailing_silence: float = 0.8
    rule3_min_utterance_length: float = 20.0


@dataclass(frozen=True)
class Update:
    """What a reading changed.

    Attributes:
        partial: the text of the utterance so far; of a finished one, all of it.
        settled: words that were settled by this reading.
        words: of a finished utterance, their times in seconds from the stream's start; None while it goes on.
        start, end: seconds from the stream's start, of what was read.
    """

    partial: str
    settled: tuple[str, ...]
    words: tuple[Word, ...] | None
    start: float
    end: float


class Listening:
    """One stream.

    Args:
        sample_rate: Hz.
        rules: when an utterance is over.
        interval: seconds of new sound after which it is worth while to read again.
    """

    def __init__(self, sample_rate: int, rules: EndpointRules | None = None, interval: float = 0.25):
        self.sample_rate, self.rules, self.interval = sample_rate, rules or EndpointRules(), interval
        self.samples = bytearray()
        self.partial = ""
        self._start = 0  # in samples from the stream's start, of `samples`
        self._read = 0  # bytes of `samples` in the last reading
        self._previous: list[str] = []
        self._settled = 0
        self._loud: float | None = None  # dB, of the utterance before

    @property
    def due(self) -> bool:
        """Whether there is enough new sound to read again."""
        return len(self.samples) - self._read >= self.interval * self.sample_rate * BYTES

    @property
    def seconds(self) -> float:
        """Of the stream, so far."""
        return self._start / self.sample_rate + self._length(len(self.samples))

    @property
    def held(self) -> float:
        """Seconds of sound that are not done with."""
        return self._length(len(self.samples))

    @property
    def readable(self) -> int:
        """Bytes of `samples` that the next reading takes."""
        return min(len(self.samples) // BYTES * BYTES, self._read + self._bytes(STEP))

    def heard(self, words: Sequence[Word], size: int, last: bool = False) -> Update:
        """Take the reading of the first `size` bytes of `samples`; their words' times count from there.

        Args:
            last: nothing comes behind these: the utterance is over.
        """
        self._read = size
        length, rules = self._length(size), self.rules
        while (place := self._pause(words)) and self._is_noise(words[:place]):
            words = words[place:]
        if 0 < place < len(words):
            cut = self._bytes((words[place - 1].end + words[place].start) / 2)
            return self._finish(words[:place], cut, cut)
        if last:
            return self._finish(words, size, size)
        if not words:
            if length >= rules.rule1_min_trailing_silence:
                self._drop(size - self._bytes(LEAD))
            return self._update(words, None, length)
        if length - words[-1].end >= rules.rule2_min_trailing_silence:
            return self._finish(words, size, size - self._bytes(TAIL))
        if length >= rules.rule3_min_utterance_length:
            return self._cut(words, size)
        return self._update(words, None, length)

    def _update(self, words: Sequence[Word], final: tuple[Word, ...] | None, length: float) -> Update:
        texts = [word.text for word in words]
        agreed = len(texts) if final is not None else _common(texts, self._previous)
        settled = tuple(texts[self._settled:agreed])
        self._settled = max(self._settled, agreed)
        self._previous, self.partial = texts, " ".join(texts)
        start = self._start / self.sample_rate
        return Update(self.partial, settled, final, start, start + length)

    def _finish(self, words: Sequence[Word], size: int, keep_from: int) -> Update:
        if words:
            self._loud = self._level(words)
        start = self._start / self.sample_rate
        final = tuple(replace(word, start=word.start + start, end=word.end + start) for word in words)
        update = self._update(words, final, self._length(size))
        self._drop(keep_from)
        self.partial, self._previous, self._settled, self._read = "", [], 0, 0
        return update

    def _cut(self, words: Sequence[Word], size: int) -> Update:
        """Without a pause: in the longest gap between two words of the second half; what is behind it goes on."""
        middle = self._length(size) / 2
        gaps = [(b.start - a.end, i) for i, (a, b) in enumerate(zip(words, words[1:]), 1) if b.start > middle]
        place = max(gaps)[1] if gaps else len(words)
        if place == len(words):
            return self._finish(words, size, size)
        cut = (words[place - 1].end + words[place].start) / 2
        return self._finish(words[:place], self._bytes(cut), self._bytes(cut))

    def _pause(self, words: Sequence[Word]) -> int:
        """How many words come before the first pause that ends an utterance, or the end."""
        for place, (one, following) in enumerate(zip(words, words[1:]), 1):
            if following.start - one.end >= self.rules.rule2_min_trailing_silence:
                return place
        return len(words)

    def _is_noise(self, words: Sequence[Word]) -> bool:
        level = self._level(words)
        if level < FLOOR or self._loud is None:
            return level < FLOOR
        brief = sum(word.end - word.start for word in words) < BRIEF
        return level < self._loud + (FAINT if brief else FAR)

    def _level(self, words: Sequence[Word]) -> float:
        """dB of full scale, of what is loud from the first word to the last."""
        span = self.samples[self._bytes(words[0].start):self._bytes(words[-1].end)]
        samples = np.frombuffer(bytes(span[:len(span) // BYTES * BYTES]), "<i2") / 32768
        frame = max(1, round(FRAME * self.sample_rate))
        frames = np.pad(samples, (0, -len(samples) % frame)).reshape(-1, frame)
        return float(np.percentile(10 * np.log10(np.square(frames).mean(axis=1) + 1e-12), LOUD, method="nearest")
                     if len(frames) else -np.inf)

    def _drop(self, size: int) -> None:
        size = max(size, 0) // BYTES * BYTES
        del self.samples[:size]
        self._start += size // BYTES
        self._read = max(self._read - size, 0)

    def _length(self, size: int) -> float:
        return size // BYTES / self.sample_rate

    def _bytes(self, seconds: float) -> int:
        return round(seconds * self.sample_rate) * BYTES


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    count = 0
    for one, other in zip(a, b):
        if one != other:
            break
        count += 1
    return count
