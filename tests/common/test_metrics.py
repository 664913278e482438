import itertools
import random

import numpy as np
import pytest

from earsight.common.metrics import (
    Edit,
    ErrorCounts,
    accuracy,
    align,
    character_errors,
    class_scores,
    confusion_matrix,
    count_errors,
    matches,
    top_k_accuracy,
    word_errors,
)


def table_distance(reference, hypothesis):
    """Levenshtein distance from the recurrence, cell by cell."""
    table = {(i, 0): i for i in range(len(reference) + 1)} | {(0, j): j for j in range(len(hypothesis) + 1)}
    for i, a in enumerate(reference, 1):
        for j, b in enumerate(hypothesis, 1):
            table[i, j] = min(table[i - 1, j - 1] + (a != b), table[i - 1, j] + 1, table[i, j - 1] + 1)
    return table


def table_alignment(reference, hypothesis):
    """The stated choice among the best alignments, read off the full table."""
    table = table_distance(reference, hypothesis)
    edits = []
    i, j = len(reference), len(hypothesis)
    while i or j:
        here = table[i, j]
        if i and j and here == table[i - 1, j - 1] + (reference[i - 1] != hypothesis[j - 1]):
            kind = "ok" if reference[i - 1] == hypothesis[j - 1] else "sub"
            edits.append(Edit(kind, reference[i - 1], hypothesis[j - 1]))
            i, j = i - 1, j - 1
        elif i and here == table[i - 1, j] + 1:
            edits.append(Edit("del", reference[i - 1], None))
            i -= 1
        else:
            edits.append(Edit("ins", None, hypothesis[j - 1]))
            j -= 1
    return edits[::-1]


def random_texts(count, most_words, vocabulary, seed):
    """Pairs of texts with at least one reference word; small vocabularies make many ties."""
    draw = random.Random(seed)
    return [
        (
            " ".join(draw.choices(vocabulary, k=draw.randint(1, most_words))),
            " ".join(draw.choices(vocabulary, k=draw.randint(0, most_words))),
        )
        for _ in range(count)
    ]


def test_every_short_pair_aligns_as_the_full_table_does():
    strings = ["".join(letters) for n in range(5) for letters in itertools.product("abc", repeat=n)]
    for reference, hypothesis in itertools.product(strings, repeat=2):
        if len(reference) + len(hypothesis) <= 7:
            assert align(reference, hypothesis) == table_alignment(reference, hypothesis)


def test_long_pairs_align_as_the_full_table_does():
    draw = random.Random(7)
    for _ in range(10):  # well past one machine word of bits
        reference = "".join(draw.choices("abcd", k=draw.randint(100, 200)))
        hypothesis = "".join(draw.choices("abcd", k=draw.randint(100, 200)))
        assert align(reference, hypothesis) == table_alignment(reference, hypothesis)


def test_alignment_by_hand():
    heard = ["a", "the", "cat", "sit", "mat"]
    assert align(["the", "cat", "sat", "mat", "too"], heard) == [
        Edit("ins", None, "a"),
        Edit("ok", "the", "the"),
        Edit("ok", "cat", "cat"),
        Edit("sub", "sat", "sit"),
        Edit("ok", "mat", "mat"),
        Edit("del", "too", None),
    ]
    assert [edit.kind for edit in align(list("abc"), ["x"])] == ["del", "del", "sub"]
    assert [edit.kind for edit in align(["x"], list("abc"))] == ["ins", "ins", "sub"]
    assert align([], []) == []


def test_counts_are_those_of_the_alignment():
    for reference, hypothesis in random_texts(200, 12, ["one", "two", "three", "four"], seed=1):
        kinds = [edit.kind for edit in align(reference.split(), hypothesis.split())]
        assert word_errors(reference, hypothesis) == ErrorCounts(
            kinds.count("sub"), kinds.count("del"), kinds.count("ins"), len(reference.split())
        )


@pytest.mark.parametrize("most_words", [1, 3, 10, 40])
@pytest.mark.parametrize("vocabulary", ["a b", "one two three", "go stop é 你好 straße to too two"])
def test_rates_are_those_of_jiwer(most_words, vocabulary):
    jiwer = pytest.importorskip("jiwer", reason="pip install jiwer: the independent implementation")
    pairs = random_texts(40, most_words, vocabulary.split(), seed=most_words)
    for measure, theirs in ((word_errors, jiwer.process_words), (character_errors, jiwer.process_characters)):
        for reference, hypothesis in pairs:
            ours, expected = measure(reference, hypothesis), theirs(reference, hypothesis)
            assert ours.edits == expected.substitutions + expected.deletions + expected.insertions
            # The best alignments may split the edits in different ways, but never so as to change this.
            assert ours.deletions - ours.insertions == expected.deletions - expected.insertions
        total = sum((measure(*pair) for pair in pairs), ErrorCounts())
        whole = theirs([pair[0] for pair in pairs], [pair[1] for pair in pairs])
        assert total.rate == pytest.approx(whole.wer if measure is word_errors else whole.cer, abs=1e-12)


def test_a_set_sums_its_edits_and_words():
    long, short = word_errors("a b c d e f g h i", "a b c d e f g h i"), word_errors("a", "b")
    assert (long + short).rate == 0.1  # the mean of the two rates would be 0.5
    assert sum([long, short], ErrorCounts()) == ErrorCounts(1, 0, 0, 10)


def test_an_empty_reference():
    assert word_errors("", "").rate == 0
    nothing_said = word_errors(" \n", "two words")
    assert nothing_said == ErrorCounts(0, 0, 2, 0)
    assert nothing_said.rate == float("inf")
    assert (nothing_said + word_errors("a b c d", "a b c d")).rate == 0.5
    assert word_errors("a b", "") == ErrorCounts(0, 2, 0, 2)


def test_white_space_separates_words_and_counts_once_between_characters():
    assert word_errors("  a\tb\nc ", "a b c").edits == 0
    assert character_errors("  ab\t cd ", "ab cd") == ErrorCounts(0, 0, 0, 5)
    assert character_errors("ab cd", "abcd") == ErrorCounts(0, 1, 0, 5)


def test_symbols_may_be_any_words_in_any_sequence():
    assert count_errors(("ah", "k"), ["ah", "g"]) == ErrorCounts(1, 0, 0, 2)


def test_a_long_text_is_counted():
    reference = [str(i % 977) for i in range(5000)]
    hypothesis = reference[:2000] + reference[2010:] + ["x"] * 5
    assert count_errors(reference, hypothesis) == ErrorCounts(0, 10, 5, 5000)


def test_classification_by_hand():
    targets, predictions = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 2, 0])
    confusion = confusion_matrix(targets, predictions, 4)
    assert confusion.tolist() == [[2, 1, 0, 0], [0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert confusion.dtype == np.int64
    assert accuracy(targets, predictions) == 0.5
    scores = class_scores(confusion)
    np.testing.assert_allclose(scores.precision, [2 / 3, 1 / 2, 0, 0])
    np.testing.assert_allclose(scores.recall, [2 / 3, 1 / 2, 0, 0])
    np.testing.assert_allclose(scores.f1, [2 / 3, 1 / 2, 0, 0])
    assert scores.support.tolist() == [3, 2, 1, 0]
    assert scores.macro_f1 == pytest.approx((2 / 3 + 1 / 2) / 3)  # the fourth class does not occur


def test_matches_are_those_of_the_alignment():
    rng = np.random.default_rng(5)
    for _ in range(200):
        one, other = (rng.choice(list("abc"), rng.integers(0, 8)).tolist() for _ in range(2))
        assert matches(one, other) == [edit.kind == "ok" for edit in align(one, other) if edit.kind != "ins"]


def test_classification_against_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics", reason="pip install scikit-learn: independent figures")
    rng = np.random.default_rng(3)
    targets, scores = rng.integers(0, 7, 300), rng.random((300, 8))
    predictions = scores.argmax(axis=1)
    confusion = confusion_matrix(targets, predictions, 8)
    np.testing.assert_array_equal(confusion, sklearn.confusion_matrix(targets, predictions, labels=range(8)))
    ours = class_scores(confusion)
    theirs = sklearn.precision_recall_fscore_support(targets, predictions, labels=range(8), zero_division=0)
    for mine, other in zip((ours.precision, ours.recall, ours.f1, ours.support), theirs, strict=True):
        np.testing.assert_allclose(mine, other)
    assert ours.macro_f1 == pytest.approx(sklearn.f1_score(targets, predictions, average="macro"))
    for k in (1, 3, 5, 7):
        theirs = sklearn.top_k_accuracy_score(targets, scores, k=k, labels=range(8))
        assert top_k_accuracy(targets, scores, k) == pytest.approx(theirs)


def test_of_equal_scores_the_first_class_wins():
    targets, scores = np.array([0, 1, 2]), np.zeros((3, 3))
    assert top_k_accuracy(targets, scores, 1) == accuracy(targets, scores.argmax(axis=1))
    assert top_k_accuracy(targets, scores, 2) == pytest.approx(2 / 3)


def test_figures_that_have_no_meaning_are_refused():
    with pytest.raises(ValueError, match="classes run from 0 to 2, given 0 to 3"):
        confusion_matrix(np.array([0, 3]), np.array([0, 1]), 3)
    with pytest.raises(ValueError, match="n > 0"):
        accuracy(np.array([]), np.array([]))
    with pytest.raises(ValueError, match="n > 0"):
        top_k_accuracy(np.array([1, 2]), np.zeros((3, 4)), 1)
