"""What hotwords add to a score, by counting."""

import random

import pytest

from earsight.common.decoding.hotwords import DEFAULT_WEIGHT, Hotword, HotwordGraph, parse_hotword
from earsight.common.errors import EarsightError


def gained(graph, ids):
    node, total = graph.ROOT, 0.0
    for i in ids:
        node, gain = graph.step(node, i)
        total += gain
    return total + graph.end(node)


def test_a_sequence_gains_each_phrase_as_often_as_it_holds_it():
    rng = random.Random(1)
    for _ in range(300):
        phrases = {tuple(rng.choices("ab", k=rng.randint(1, 4))): rng.uniform(-2, 5) for _ in range(rng.randint(1, 4))}
        graph = HotwordGraph(phrases.items())
        for _ in range(10):
            text = tuple(rng.choices("abc", k=rng.randint(0, 12)))
            count = sum(weight for phrase, weight in phrases.items() for i in range(len(text))
                        if text[i:i + len(phrase)] == phrase)
            assert gained(graph, text) == pytest.approx(count, abs=1e-9)


def test_a_phrase_half_way_has_half_its_weight():
    graph = HotwordGraph([("abcd", 4.0)])
    node, first = graph.step(graph.ROOT, "a")
    node, second = graph.step(node, "b")
    assert first + second == 2
    assert graph.step(node, "x")[1] == -2 and graph.end(node) == -2


def test_how_hotwords_are_written():
    assert parse_hotword("new york:5") == Hotword("new york", 5)
    assert parse_hotword(" zoo ") == Hotword("zoo", DEFAULT_WEIGHT)
    assert parse_hotword("zoo:-2.5=Z UW") == Hotword("zoo", -2.5, ("Z", "UW"))
    assert parse_hotword("zoo=Z UW").symbols == ("Z", "UW")


@pytest.mark.parametrize(("given", "complaint"), [
    ("", "hotword '' is empty"), (":5", "hotword ':5' is empty"), ("  ", "is empty"), ("zoo:much", "'much' is no"),
    ("zoo:nan", "'nan' is no weight"), ("zoo:inf", "no weight"), ("zoo:", "'' is no weight"),
    ("new york=N Y", "one word's phones"), ("zoo=", "one word's phones"),
])  # fmt: skip
def test_hotwords_that_are_none(given, complaint):
    with pytest.raises(EarsightError, match=complaint):
        parse_hotword(given)
