"""Where a stream's utterances end and which of their words are settled, by readings that are known."""

import numpy as np
import pytest

from earsight.audio.recognition.live import BYTES, EndpointRules, Listening
from earsight.common.inference.recognition import Word

RATE = 1000
RULES = EndpointRules(2.4, 0.8, 5.0)


def stream(seconds, level=0.1, rules=RULES):
    """With so much sound of one loudness."""
    listening = Listening(RATE, rules)
    add(listening, seconds, level)
    return listening


def add(listening, seconds, level=0.1):
    samples = np.full(round(seconds * RATE), round(level * 32767), "<i2")
    listening.samples += samples.tobytes()


def said(text, start=0.0, each=0.5):
    """Words one behind another."""
    return [Word(word, start + i * each, start + (i + 1) * each, 0.9) for i, word in enumerate(text.split())]


def hear(listening, words, last=False):
    return listening.heard(words, len(listening.samples), last)


def test_words_are_settled_once_two_readings_agree():
    listening = stream(2.0)
    first = hear(listening, said("one two four"))
    assert (first.partial, first.settled, first.words) == ("one two four", (), None)
    second = hear(listening, said("one two three"))
    assert second.settled == ("one", "two")
    third = hear(listening, said("one two three four"))
    assert third.settled == ("three",)
    final = hear(listening, said("one two three four"), last=True)
    assert final.settled == ("four",) and final.partial == "one two three four" and len(final.words) == 4


def test_silence_behind_the_last_word_ends_an_utterance_and_times_go_on():
    listening = stream(1.7)
    assert hear(listening, said("one two")).words is None
    add(listening, 0.2)
    final = hear(listening, said("one two"))
    assert [(word.text, word.start, word.end) for word in final.words] == [("one", 0.0, 0.5), ("two", 0.5, 1.0)]
    assert listening.partial == "" and listening.held == pytest.approx(0.2) and listening.seconds == pytest.approx(1.9)
    add(listening, 1.0)
    final = hear(listening, said("three", 0.3), last=True)
    assert final.words[0].start == pytest.approx(1.9 - 0.2 + 0.3) and listening.held == 0


def test_a_pause_between_words_ends_one_too():
    """As where sound comes faster than it is said, and the reading has both utterances."""
    listening = stream(4.0)
    words = said("one two") + said("three four", 2.0)
    final = hear(listening, words)
    assert final.partial == "one two" and final.end == pytest.approx(1.5)
    assert listening.seconds == pytest.approx(4.0) and listening.held == pytest.approx(2.5)
    assert hear(listening, said("three four", 0.5)).partial == "three four"


def test_sound_without_words_is_dropped_but_for_its_end():
    listening = stream(2.0)
    assert hear(listening, []).words is None and listening.held == pytest.approx(2.0)
    add(listening, 0.5)
    assert hear(listening, []).words is None and listening.held == pytest.approx(0.4)
    assert listening.seconds == pytest.approx(2.5)


def test_who_does_not_pause_is_cut_in_the_longest_gap_of_the_second_half():
    listening = stream(5.0)
    words = said("a b c d e f", each=0.5) + said("g h", 3.3) + said("i", 4.35)
    final = hear(listening, words)
    assert final.partial == "a b c d e f" and final.end == pytest.approx(3.15)
    assert listening.held == pytest.approx(5.0 - 3.15)


def test_noise_far_below_what_was_said_is_no_word():
    listening = stream(2.0, level=0.3)
    assert hear(listening, said("one two"), last=True).partial == "one two"
    add(listening, 1.0, level=0.001)  # 49 dB below
    assert hear(listening, said("e z")).partial == ""
    add(listening, 1.0, level=0.1)  # 10 dB below: words
    assert hear(listening, said("three four", 1.0)).partial == "three four"


def test_a_short_noise_some_way_below_is_no_word():
    listening = stream(2.0, level=0.3)
    hear(listening, said("one two"), last=True)
    add(listening, 2.0, level=0.05)  # 16 dB below
    assert hear(listening, said("z", each=0.3)).partial == ""
    assert hear(listening, said("six seven eight", each=0.3)).partial == "six seven eight"


def test_nobody_speaks_so_softly():
    listening = stream(2.0, level=0.0001)
    assert hear(listening, said("one two three")).partial == ""


def test_when_a_reading_is_due_and_how_far_it_goes():
    listening = stream(0.2)
    assert not listening.due
    add(listening, 0.1)
    listening.samples += b"\0"  # half a sample
    assert listening.due and listening.readable == 300 * BYTES
    listening.heard([], listening.readable)
    assert not listening.due
    add(listening, 100.0)
    assert listening.readable == 4300 * BYTES
