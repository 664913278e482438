"""Language models of text: against KenLM's own estimator, against probability theory, and as KenLM reads them."""

import itertools

import pytest
from ngram_models import log10, values

from earsight.common.data.texts import read_texts
from earsight.common.decoding.language_model import load_lm
from earsight.common.decoding.ngrams.arpa import write_arpa
from earsight.common.decoding.ngrams.making import estimate, make_model, read_words
from earsight.common.decoding.ngrams.model import END, START, UNKNOWN
from earsight.common.decoding.ngrams.reading import words_of_lm
from earsight.common.errors import EarsightError

TEXT = """one two three
one two four
two three
two three one
four one two
five one two three
one six
two two seven
three one two
one two three four
six one two
two three four"""
SENTENCES = [line.split() for line in TEXT.splitlines()]
# `lmplz -o 3 --discount_fallback` of KenLM 0.3.0 on TEXT: unigram discounts estimated, the others lmplz's fallback.
LMPLZ = {
    "<unk>": (-1.1496389, 0.0),
    "<s>": (0.0, -0.38021123),
    "</s>": (-0.6961816, 0.0),
    "one": (-0.8018656, -0.44715804),
    "two": (-1.1496389, -0.30103),
    "seven": (-1.0006999, -0.30103),
    "two </s>": (-0.7352354, 0.0),
    "six </s>": (-0.45513344, 0.0),
    "<s> one": (-0.5621108, -0.30103),
    "one two": (-0.27958864, -0.30103),
    "two three": (-0.6500768, -0.30103),
    "one two </s>": (-0.51388925, 0.0),
    "<s> one two": (-0.19541602, 0.0),
    "one two three": (-0.48651344, 0.0),
    "two three four": (-0.607514, 0.0),
    "two two seven": (-0.24670318, 0.0),
}


def test_values_are_those_of_lmplz():
    model = values(estimate(SENTENCES, 3))
    assert [len(grams) for grams in model] == [10, 23, 24]
    for gram, (probability, backoff) in LMPLZ.items():
        gram = tuple(gram.split())
        assert model[len(gram) - 1][gram] == pytest.approx((probability, backoff), abs=2e-6), gram


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_sum_to_one_after_every_context(order):
    model = values(estimate(SENTENCES, order))
    words = [gram[0] for gram in model[0] if gram != (START,)]
    assert {END, UNKNOWN} <= set(words)
    contexts = [gram for grams in model[:-1] for gram in grams] or [()]
    for context in contexts + [("seven", "five"), (START, UNKNOWN)][: order - 1]:
        if END not in context and len(context) < order:
            assert sum(10 ** log10(model, context, word) for word in words) == pytest.approx(1, abs=1e-6), context


def test_kenlm_reads_the_file_and_agrees(tmp_path):
    write_arpa(estimate(SENTENCES, 3), tmp_path / "lm.arpa")
    model = values(estimate(SENTENCES, 3))
    names = sorted({word for words in SENTENCES for word in words}) + ["eight"]
    lm = load_lm(str(tmp_path / "lm.arpa"), names)
    for words in itertools.product(["one", "two", "eight"], repeat=3):
        state, history = lm.start(False), [START]
        for word in words:
            state, score = lm.score(state, names.index(word))
            known = word if word != "eight" else UNKNOWN
            assert score == pytest.approx(log10(model, history[-2:], known), abs=1e-5)
            history.append(known)
        assert lm.finish(state)[1] == pytest.approx(log10(model, history[-2:], END), abs=1e-5)


def test_text_files_and_manifests(tmp_path, tone_corpus):
    (tmp_path / "a.txt").write_text("one two\n\n  three   \n")
    assert read_texts([tmp_path / "a.txt"]) == ["one two", "three"]
    assert "2 sentences, 6 1-grams" in make_model(read_texts([tmp_path / "a.txt"]), 2, tmp_path / "a.arpa")
    assert words_of_lm(tmp_path / "a.arpa") == ["one", "three", "two"]
    make_model(read_texts([tmp_path / "a.txt"]), 4, tmp_path / "letters.arpa", characters=True)
    assert set(words_of_lm(tmp_path / "letters.arpa")) == set("onetwhr|")

    from earsight.common.data.manifest import read_manifest, write_manifest
    manifest = write_manifest(read_manifest(tone_corpus / "tones.csv"), tmp_path / "dev.jsonl.gz")
    assert read_texts([manifest]) == [row.split(",")[1] for row in
                                      (tone_corpus / "tones.csv").read_text().splitlines()[1:]]
    assert read_texts([tone_corpus / "tones.csv"]) == read_texts([manifest])


def test_words_alone_make_a_model_too(tmp_path):
    make_model(["one two", "one"], 1, tmp_path / "lm.arpa")
    lm = load_lm(str(tmp_path / "lm.arpa"), ["one", "two"])
    model = values(estimate([["one", "two"], ["one"]], 1))
    state, score = lm.score(lm.start(False), 0)
    assert score == pytest.approx(model[0]["one",][0], abs=1e-6)
    assert lm.score(state, 1)[1] == pytest.approx(model[0]["two",][0], abs=1e-6)


def test_vocabulary_of_the_commonest_words_or_of_a_list(tmp_path):
    counts = {"one": 9, "two": 12, "three": 7, "four": 4, "five": 1, "six": 2, "seven": 1}  # as they are in TEXT
    model = values(estimate(SENTENCES, 1, 3))
    assert {gram for gram, in model[0]} == {"one", "two", "three", START, END, UNKNOWN}
    rest = sum(count for word, count in counts.items() if word not in ("one", "two", "three"))
    # By lmplz's discounts for small texts, 1.5 off all counts here, shared out among the five that can follow.
    total = sum(counts.values()) + len(SENTENCES)
    shared = 5 * 1.5 / total / 5
    assert 10 ** model[0][UNKNOWN,][0] == pytest.approx((rest - 1.5) / total + shared, abs=1e-6)

    (tmp_path / "words.txt").write_text("two T UW\n\none\nzero\n")
    model = values(estimate(SENTENCES, 3, read_words(tmp_path / "words.txt")))
    assert {gram for gram, in model[0]} == {"one", "two", "zero", START, END, UNKNOWN}
    assert not any(UNKNOWN in gram for grams in model[1:] for gram in grams)  # nothing asks for them
    words = [gram[0] for gram in model[0] if gram != (START,)]
    for context in [gram for grams in model[:-1] for gram in grams if END not in gram]:
        assert sum(10 ** log10(model, context, word) for word in words) == pytest.approx(1, abs=1e-6), context
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(EarsightError, match="empty.txt: the vocabulary is empty"):
        read_words(tmp_path / "empty.txt")
    with pytest.raises(EarsightError, match="none of the vocabulary's words is in the text"):
        estimate(SENTENCES, 2, ["ONE", "TWO"])


def test_bad_text(tmp_path):
    with pytest.raises(EarsightError, match="order 7: KenLM reads n-grams of up to 6 words"):
        estimate(SENTENCES, 7)
    with pytest.raises(EarsightError, match="holds no words"):
        estimate([], 3)
    with pytest.raises(EarsightError, match="'</s>' in the text is a mark"):
        estimate([["a", "</s>"]], 2)
    with pytest.raises(EarsightError, match="nowhere.txt: the text cannot be read"):
        read_texts([tmp_path / "nowhere.txt"])
    (tmp_path / "latin.txt").write_bytes("größe".encode("latin-1"))
    with pytest.raises(EarsightError, match="latin.txt: not UTF-8 text"):
        read_texts([tmp_path / "latin.txt"])
    (tmp_path / "labels.csv").write_text("path,label\na.wav,one\n")
    with pytest.raises(EarsightError, match="labels.csv, line 1: no column text among path, label"):
        read_texts([tmp_path / "labels.csv"])
