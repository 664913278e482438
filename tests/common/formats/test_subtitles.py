import numpy as np
import pytest
from random_words import random_words

from earsight.common.formats.subtitles import GAP, LINE, LINGER, LONGEST, SHORTEST, SPEED, cues, spans
from earsight.common.inference.recognition import Word


def spoken(text: str, *, start: float = 0.0, length: float = 0.3, pauses: dict[int, float] | None = None) -> list[Word]:
    """Words of `length` seconds one behind the other; `pauses`: seconds behind the word of that number."""
    words = []
    for number, one in enumerate(text.split()):
        words.append(Word(one, start, start + length, 0.9))
        start += length + (pauses or {}).get(number, 0.0)
    return words


@pytest.mark.parametrize("seed", range(40))
def test_any_words_make_cues_that_rise_and_keep_the_text(seed):
    words, duration = random_words(seed)
    found = cues(words, duration)
    texts = [" ".join(word.text.split()) for word in words]
    assert " ".join(line for cue in found for line in cue.lines) == " ".join(text for text in texts if text)
    edges = np.array([(cue.start, cue.end) for cue in found]).reshape(-1)
    assert (edges[:1] >= 0).all() and (np.diff(edges) >= 0).all() and (edges[1::2] > edges[::2]).all()
    for cue in found:
        assert len(cue.lines) <= 2
        assert all(len(line) <= LINE for line in cue.lines) or len(cue.words) == 1
        assert cue.words[-1].end - cue.words[0].start <= LONGEST or len(cue.words) == 1


@pytest.mark.parametrize("seed", range(40))
def test_any_words_become_spans_that_rise(seed):
    words, _ = random_words(seed)
    found = spans(words)
    assert [span.text for span in found] == [" ".join(word.text.split()) for word in words if word.text.split()]
    assert all(span.end > span.start >= 0 for span in found)
    assert all(b.start >= a.end for a, b in zip(found, found[1:]))


def test_words_that_are_in_order_keep_their_times():
    given = [Word("a", 0.1, 0.25, 1.0), Word("b", 0.25, 0.5, 1.0), Word("c", 0.7, 0.7, 1.0)]
    assert [(span.start, span.end) for span in spans(given)] == [(100, 250), (250, 500), (700, 701)]
    overlapping = [Word("a", 0.1, 0.4, 1.0), Word("b", 0.3, 0.5, 1.0)]
    assert [(span.start, span.end) for span in spans(overlapping)] == [(100, 300), (300, 500)]


def test_cues_keep_the_guidelines_in_ordinary_speech():
    rng = np.random.default_rng(1)
    words, place = [], 0.4
    for number in range(400):
        text = "x" * int(rng.integers(1, 9))
        words.append(Word(text, place, place + 0.07 * len(text), 0.9))
        place = words[-1].end + (rng.uniform(0.5, 2.0) if number % 9 == 8 else 0.02)
    found = cues(words, place)
    for cue, following in zip(found, found[1:]):
        assert following.start - cue.end >= GAP or cue.end == cue.words[-1].end - GAP
    lengths = np.array([cue.end - cue.start for cue in found])
    speeds = np.array([1000 * len(" ".join(cue.lines)) / length for cue, length in zip(found, lengths)])
    assert lengths.min() >= SHORTEST and lengths.max() <= LONGEST
    assert speeds.max() <= SPEED + 0.5


def test_cues_break_in_pauses():
    text = "we came to the house late and nobody was there to open the door for us"
    found = cues(spoken(text, pauses={5: 0.8}), 8.0)
    assert [" ".join(cue.lines) for cue in found] == ["we came to the house late",
                                                      "and nobody was there to open the door for us"]
    # The same words in one breath stay together, as two lines of like length.
    together = cues(spoken(text), 8.0)
    assert [cue.lines for cue in together] == [("we came to the house late and nobody",
                                                "was there to open the door for us")]


def test_cues_rather_break_behind_a_sentence():
    text = "it was late. then he went home again and found that the door had been left open by somebody else"
    broken = [" ".join(cue.lines) for cue in cues(spoken(text, length=0.4), 20.0)]
    assert broken[0] == "it was late."


def test_a_short_word_is_shown_for_a_second_but_not_past_the_end():
    assert [(c.start, c.end) for c in cues([Word("yes", 0.5, 0.7, 1.0)], 10.0)] == [(500, 1500)]
    assert [(c.start, c.end) for c in cues([Word("yes", 0.5, 0.7, 1.0)], 1.2)] == [(500, 1200)]


@pytest.mark.parametrize("silence", [1.0, 30.0, 3600.0])
def test_a_cue_does_not_stay_through_the_silence_behind_it(silence):
    words = spoken("four one five two nine seven", start=0.4, length=0.43, pauses={5: silence})
    words += spoken("two four six", start=words[-1].end + silence)
    first, second = cues(words, words[-1].end + silence)
    assert (first.start, first.end) == (400, 2980) and second.end - second.start == SHORTEST


def test_a_cue_that_is_said_fast_stays_to_be_read_but_not_for_long():
    words = spoken("x" * 40 + " " + "y" * 40, length=0.2)
    (cue,) = cues(words, 60.0)
    assert cue.end == 400 + LINGER
    (cue,) = cues([Word("word", 0.0, 20.0, 0.9)], 60.0)  # as where a model hears one on and on
    assert cue.end == LONGEST


def test_a_word_longer_than_a_line_stands_alone():
    long = "pneumono" * 7
    found = cues([*spoken("it is"), Word(long, 0.6, 2.0, 1.0), *spoken("they say", start=2.0)], 4.0)
    assert [cue.lines for cue in found] == [("it is",), (long,), ("they say",)]


def test_no_words_no_cues():
    assert cues([], 3.0) == []


def test_ten_thousand_words_are_cut_quickly_enough_to_wait_for():
    words, _ = random_words(3, count=10_000)
    assert sum(len(cue.words) for cue in cues(words, 1e5)) == sum(bool(word.text.split()) for word in words)
