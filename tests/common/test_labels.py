"""Text to labels and back."""

import pytest

from earsight.common.ctc import greedy
from earsight.common.errors import EarsightError
from earsight.common.labels import BLANK, Labels, build_labels, read_lexicon

TEXTS = ["bin blue at f two now", "set red with o nine again", "two two"]


@pytest.fixture
def lexicon(tmp_path):
    path = tmp_path / "lexicon.txt"
    path.write_text("two T UW\ntoo T UW\nrun R AH N\nran R AE N\none W AH N\none HH W AH N\n")
    return path


@pytest.mark.parametrize("kind", ["characters", "bpe"])
def test_text_comes_back(kind):
    labels = build_labels(kind, TEXTS, vocabulary=30)
    for text in TEXTS:
        ids = labels.encode(text)
        assert BLANK not in ids and max(ids) < len(labels)
        assert labels.decode(ids) == text
    again = Labels.from_dict(labels.to_dict())
    assert again == labels and again.encode(TEXTS[0]) == labels.encode(TEXTS[0])


def test_bpe_joins_frequent_neighbours():
    labels = build_labels("bpe", TEXTS * 5, vocabulary=40)
    assert len(labels.encode("two two")) < len("two two")


def test_phones_come_back_as_words(lexicon):
    labels = build_labels("phones", ["two run one", "two"], lexicon)
    assert labels.decode(labels.encode("two run one")) == "two run one"
    # Of two words that sound alike, the one that the training text has.
    assert labels.decode(labels.encode("too")) == "two"
    assert [labels.symbols[i] for i in labels.encode("run one")] == ["R", "AH", "N", "|", "W", "AH", "N"]


def test_a_stored_lexicon_is_as_the_one_that_was_stored(lexicon):
    labels = build_labels("phones", ["two run one", "two"], lexicon)
    again = Labels.from_dict(labels.to_dict())
    assert again == labels and list(again.lexicon) == list(labels.lexicon) and "gone" not in again.lexicon
    assert again.lexicon["one"] == [("W", "AH", "N"), ("HH", "W", "AH", "N")]
    assert again.lexicon_ids() == labels.lexicon_ids()
    assert again.lexicon_ids()["run"] == [[labels.symbols.index(phone) for phone in ("R", "AH", "N")]]
    assert again.to_dict() == labels.to_dict()
    for plain in (["W AH X"], ["W AH N", "X"]):
        with pytest.raises(EarsightError, match="word 'one': 'X' is outside the model's alphabet"):
            Labels.from_dict({**labels.to_dict(), "lexicon": {"one": plain}}).lexicon_ids()


def test_a_slip_goes_to_the_nearest_pronunciation(lexicon):
    labels = build_labels("phones", ["one two run"], lexicon)
    assert labels.nearest_word(("R", "N")) in ("run", "ran")
    assert labels.nearest_word(("HH", "W", "AH")) == "one"
    boundary = labels.symbols.index("|")
    assert labels.decode([boundary, boundary]) == ""


def test_classes():
    labels = build_labels("classes", ["b", "a", "b"])
    assert labels.symbols == ("a", "b") and labels.encode("b") == [1] and labels.decode([1]) == "b"
    with pytest.raises(EarsightError, match="'c' is unknown to the model; it knows a, b"):
        labels.encode("c")
    with pytest.raises(EarsightError, match="only one class"):
        build_labels("classes", ["a", "a"])


def test_what_is_outside(lexicon, tmp_path):
    with pytest.raises(EarsightError, match="'z' in 'zoo'"):
        build_labels("characters", TEXTS).encode("zoo")
    with pytest.raises(EarsightError, match="'three' is not in the lexicon"):
        build_labels("phones", TEXTS, lexicon).encode("three")
    with pytest.raises(EarsightError, match="empty"):
        build_labels("characters", [])
    with pytest.raises(EarsightError, match="need a lexicon"):
        build_labels("phones", TEXTS)
    with pytest.raises(EarsightError, match="words"):
        build_labels("words", TEXTS)
    (tmp_path / "bad.txt").write_text("one W AH N\ntwo\n")
    with pytest.raises(EarsightError, match="line 2"):
        read_lexicon(tmp_path / "bad.txt")
    with pytest.raises(EarsightError, match="nowhere.txt"):
        read_lexicon(tmp_path / "nowhere.txt")


def test_minimum_frames_counts_the_blank_between_equal_labels():
    labels = build_labels("characters", TEXTS)
    assert labels.minimum_frames(labels.encode("two")) == 3
    assert labels.minimum_frames([1, 1, 1]) == 5
    assert labels.minimum_frames([]) == 0


def test_greedy_merges_repeats_and_drops_blanks():
    import numpy as np

    path = [0, 1, 1, 0, 1, 2, 2, 0, 0, 3]
    log_probs = np.log(np.eye(4)[path] * 0.9 + 0.025)
    assert greedy(log_probs) == ([1, 1, 2, 3], [1, 4, 5, 9])
    assert greedy(log_probs[:1]) == ([], [])
    assert greedy(log_probs[:0]) == ([], [])
