from earsight.common.metrics import ErrorCounts
from earsight.common.reports.error_analysis import by_reference_word, by_seconds, by_words
from earsight.common.reports.transcription import Confidence, TranscriptResult, transcription_report


def result(name, speaker, reference, hypothesis, duration):
    sure = Confidence((1.0,) * len(hypothesis.split()), 1.0)
    return TranscriptResult(name, speaker, reference, hypothesis, duration, sure, sure)


SPOKEN = transcription_report([
    result("1", "ann", "enter six", "center six", 0.5),
    result("2", "ann", "enter", "", 1.0),
    result("3", "bo", "enter six enter", "enter oh sex enter", 70.0),
    result("4", "bo", "enter seven", "send seven", 1.9),
    result("5", None, "", "oh", 0.2),
])


def test_by_length_by_hand():
    seconds = [(each.low, each.high, each.utterances, each.words) for each in by_seconds(SPOKEN.utterances)]
    assert seconds == [(0, 1, 2, ErrorCounts(1, 0, 1, 2)), (1, 2, 2, ErrorCounts(1, 1, 0, 3)),
                       (60, float("inf"), 1, ErrorCounts(1, 0, 1, 3))]
    words = [(each.low, each.utterances, each.words.edits) for each in by_words(SPOKEN.utterances)]
    assert words == [(0, 1, 1), (1, 1, 1), (2, 2, 2), (3, 1, 2)]


def test_lengths_add_up_to_the_totals():
    for lengths in (by_seconds(SPOKEN.utterances), by_words(SPOKEN.utterances)):
        assert sum((each.words for each in lengths), ErrorCounts()) == SPOKEN.words
        assert sum(each.utterances for each in lengths) == len(SPOKEN.utterances)


def test_by_reference_word_by_hand():
    words = {each.word: each for each in by_reference_word(SPOKEN.utterances)}
    assert list(words) == ["enter", "six", "seven"]  # most errors first
    enter = words["enter"]
    assert (enter.count, enter.deleted, enter.errors, enter.rate) == (5, 1, 3, 0.6)
    assert enter.read_as == (("center", 1), ("send", 1))
    assert sum(each.errors for each in words.values()) == SPOKEN.words.substitutions + SPOKEN.words.deletions
    assert sum(each.count for each in words.values()) == SPOKEN.words.reference_length
