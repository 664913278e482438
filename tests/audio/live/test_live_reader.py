"""Where a stream's utterances end and which of their words are settled, by readings that are known."""

import numpy as np
import pytest

from earsight.audio.live.endpoints import MANUAL, EndpointRules, grouped
from earsight.audio.live.reader import LiveReader
from earsight.audio.live.reading import Reading
from earsight.common.inference.recognition import Word

RATE = 1000
RULES = EndpointRules(2.4, 0.8, 5.0)


def said(text, start=0.0, each=0.5):
    """Words one behind another."""
    return [Word(word, start + i * each, start + (i + 1) * each, 0.9) for i, word in enumerate(text.split())]


class Speaker:
    """A stream in which words are said at known times, and a reader that hears them."""

    def __init__(self, words, rules=RULES, level=0.1):
        self.words, self.reader, self.level = list(words), LiveReader(RATE, rules), level
        self.updates, self.read = [], []

    def go_on(self, seconds, last=False, level=None):
        """So much more sound, a quarter of a second at a time; what it brought."""
        before = len(self.updates)
        for _ in range(round(seconds / 0.25)):
            self.reader.take(self._sound(0.25, self.level if level is None else level))
            self._read(False)
        if last:
            self._read(True)
        return self.updates[before:]

    def _sound(self, seconds, level):
        """Loud where a word is said, and all but silent elsewhere."""
        times = self.reader.seconds + np.arange(round(seconds * RATE)) / RATE
        spoken = np.any([times < 0, *((word.start <= times) & (times < word.end) for word in self.words)], axis=0)
        return np.where(spoken, level, 1e-5).astype(np.float32)

    def _read(self, last):
        while (wanted := self.reader.wanted(last)) is not None:
            first, end = self.reader._asked[0] / RATE, self.reader._asked[1] / RATE
            assert len(wanted.samples) == round((end - first) * RATE)
            heard = [word for word in self.words if word.start >= first - 1e-6 and word.end <= end + 1e-6]
            moved = tuple(Word(word.text, word.start - first, word.end - first, 0.9) for word in heard)
            self.read.append((first, end, wanted.final))
            self.updates.append(self.reader.heard(
                Reading(moved, tuple((word.start, word.end) for word in moved), 0.8)))


def finals(updates):
    return [update for update in updates if update.words]


def test_words_are_settled_once_two_readings_agree():
    reader = LiveReader(RATE, RULES)

    def hear(seconds, text):
        reader.take(np.full(round(seconds * RATE), 0.1, np.float32))
        assert not reader.wanted().final
        words = tuple(said(text))
        return reader.heard(Reading(words, tuple((word.start, word.end) for word in words), 1.0))

    first = hear(1.5, "one two four")
    assert (first.partial, first.settled, first.words) == ("one two four", (), None)
    second = hear(0.3, "one two three")
    assert second.settled == ("one", "two") and second.fixed == "one two" and second.partial == "one two three"
    third = hear(0.3, "won two three four")  # what is settled is not taken back
    assert third.settled == ("three",) and third.partial == "one two three four"
    assert [word.text for word in reader.settled] == ["one", "two", "three"]


def test_silence_behind_the_last_word_ends_an_utterance_and_times_go_on():
    speaker = Speaker([*said("one two"), *said("three", 3.0)])
    assert finals(speaker.go_on(1.5)) == []
    [final] = finals(speaker.go_on(1.0))
    assert [(word.text, word.start, word.end) for word in final.words] == [("one", 0.0, 0.5), ("two", 0.5, 1.0)]
    assert final.confidence == 0.8 and speaker.reader.partial == ""
    [final] = finals(speaker.go_on(1.5, last=True))
    assert final.words[0].start == pytest.approx(3.0) and speaker.reader.held == 0


def test_an_utterance_is_read_again_the_moment_that_may_end_it():
    """0.8 s behind a word that ended at 1.3 s, though 0.25 s have not gone by since the reading at 2.0 s."""
    speaker = Speaker(said("one two", 0.3), level=0.1)
    speaker.reader.take(speaker._sound(2.0, 0.1))
    speaker._read(False)
    assert finals(speaker.updates) == []
    speaker.reader.take(speaker._sound(0.15, 0.1))
    speaker._read(False)
    assert len(finals(speaker.updates)) == 1


def test_a_final_is_read_from_its_lead_to_its_pause():
    speaker = Speaker(said("one two", 2.0))
    [final] = finals(speaker.go_on(5.0))
    [(first, end, _)] = [each for each in speaker.read if each[2]]
    assert (final.start, final.end) == (first, end) == (pytest.approx(2.0 - 0.66), pytest.approx(3.0 + 0.66))


def test_a_pause_between_words_ends_one_too():
    """As where sound comes faster than it is said, and the reading has both utterances."""
    speaker = Speaker([*said("one two"), *said("three four", 2.0)])
    speaker.reader.take(speaker._sound(3.5, 0.1))
    speaker._read(False)
    [final] = finals(speaker.updates)
    assert final.partial == "one two" and final.end == pytest.approx(1.5)
    assert speaker.reader.partial == "three four" and speaker.reader.seconds == pytest.approx(3.5)


def test_sound_without_words_is_given_up_but_for_its_end():
    speaker = Speaker([])
    assert all(update.partial == "" for update in speaker.go_on(10.0, last=True))
    assert max(end - first for first, end, _ in speaker.read) <= 0.66 + 0.25 + 1e-6
    assert finals(speaker.updates) == []


def test_who_does_not_pause_is_cut_in_the_longest_gap_of_the_second_half():
    words = [*said("a b c d e f"), *said("g h", 3.3), *said("i", 4.35)]
    [final] = finals(Speaker(words).go_on(5.25))
    assert final.partial == "a b c d e f" and final.end == pytest.approx(3.15)


def test_of_a_long_utterance_the_end_is_read_again_and_in_the_end_all_of_it():
    words = said(" ".join(f"w{i}" for i in range(36)))
    speaker = Speaker(words, EndpointRules())
    [final] = finals(speaker.go_on(19.25))
    partials = [(first, end) for first, end, last in speaker.read if not last]
    assert max(end - first for first, end in partials) < 3.5
    assert final.partial == " ".join(word.text for word in words) and final.start == 0.0
    settled = [text for update in speaker.updates for text in update.settled]
    assert settled == [word.text for word in words]


def test_who_says_when_an_utterance_ends_is_read_then():
    speaker = Speaker([*said("one two"), *said("three", 3.0)], MANUAL)
    assert speaker.go_on(4.0) == []
    [final] = speaker.go_on(0.0, last=True)
    assert final.partial == "one two three" and (final.start, final.end) == (0.0, 4.0)


def test_noise_far_below_what_was_said_is_no_word():
    speaker = Speaker([*said("one two"), *said("e z", 2.5)], level=0.3)
    speaker.go_on(2.25)
    assert not finals(speaker.go_on(2.5, level=0.001))  # 49 dB below
    speaker = Speaker([*said("one two"), *said("three four", 2.5)], level=0.3)
    speaker.go_on(2.25)
    assert finals(speaker.go_on(2.5, level=0.1))[-1].partial == "three four"  # 10 dB below: words


def test_a_short_noise_some_way_below_is_no_word():
    for words, expected in ((said("z", 2.5, each=0.3), []), (said("six seven eight", 2.5, each=0.3), ["six"])):
        speaker = Speaker([*said("one two"), *words], level=0.3)
        speaker.go_on(2.25)
        assert [each.partial.split()[0] for each in finals(speaker.go_on(3.0, level=0.05))] == expected  # 16 dB below


def test_words_in_noise_like_that_of_the_pauses_are_none():
    """Steady noise, in which a model hears a word."""
    reader = LiveReader(RATE, RULES)
    noise = 0.02 * np.random.default_rng(1).standard_normal(3 * RATE).astype(np.float32)

    def hear(samples, *words):
        reader.take(samples)
        first = reader.wanted().samples
        labels = tuple((len(first) / RATE - 0.2, len(first) / RATE) for _ in words)
        return reader.heard(Reading(tuple(Word(word, *labels[0], 0.9) for word in words), labels, 0.9))

    hear(noise[:1000])
    assert hear(noise[1000:1500], "v").partial == ""
    assert hear(10 * noise[1500:2000], "three").partial == "three"


def test_nobody_speaks_so_softly():
    assert not finals(Speaker(said("one two three"), level=0.0001).go_on(4.0, last=True))


def test_groups_are_parted_by_pauses_and_have_the_words_near_them():
    words = [*said("one two"), *said("three", 3.0)]
    labels = [(0.1, 0.4), (0.6, 0.9), (3.1, 3.3)]
    assert [(group.start, group.end, [word.text for word in group.words]) for group in grouped(labels, words, 0.5)] == [
        (0.1, 0.9, ["one", "two"]), (3.1, 3.3, ["three"])]
    assert [group.end for group in grouped([], words, 0.5)] == [1.0, 3.5]
