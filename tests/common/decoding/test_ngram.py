"""Language models of text: against KenLM's own estimator, against probability theory, and as KenLM reads them."""

import itertools

import pytest

from earsight.common.data.texts import read_texts
from earsight.common.decoding.arpa import END, START, UNKNOWN, words_of_arpa, write_arpa
from earsight.common.decoding.language_model import load_lm
from earsight.common.decoding.ngram import estimate, make_model
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


def log10(model, context, word):
    """log10 P(word | context) by backing off, as the ARPA format defines it."""
    gram = (*context, word)
    if gram in model[len(gram) - 1]:
        return model[len(gram) - 1][gram][0]
    backoff = model[len(context) - 1].get(tuple(context), (0.0, 0.0))[1]
    return backoff + log10(model, context[1:], word)


def test_values_are_those_of_lmplz():
    model = estimate(SENTENCES, 3)
    assert [len(grams) for grams in model] == [10, 23, 24]
    for gram, (probability, backoff) in LMPLZ.items():
        gram = tuple(gram.split())
        assert model[len(gram) - 1][gram] == pytest.approx((probability, backoff), abs=2e-6), gram


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_sum_to_one_after_every_context(order):
    model = estimate(SENTENCES, order)
    words = [gram[0] for gram in model[0] if gram != (START,)]
    assert {END, UNKNOWN} <= set(words)
    contexts = [gram for grams in model[:-1] for gram in grams] or [()]
    for context in contexts + [("seven", "five"), (START, UNKNOWN)][: order - 1]:
        if END not in context and len(context) < order:
            assert sum(10 ** log10(model, context, word) for word in words) == pytest.approx(1, abs=1e-6), context


def test_kenlm_reads_the_file_and_agrees(tmp_path):
    model = estimate(SENTENCES, 3)
    write_arpa(model, tmp_path / "lm.arpa")
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
    assert words_of_arpa(tmp_path / "a.arpa") == ["one", "three", "two"]
    make_model(read_texts([tmp_path / "a.txt"]), 4, tmp_path / "letters.arpa", characters=True)
    assert set(words_of_arpa(tmp_path / "letters.arpa")) == set("onetwhr|")

    from earsight.common.data.manifest import read_manifest, write_manifest
    manifest = write_manifest(read_manifest(tone_corpus / "tones.csv"), tmp_path / "dev.jsonl.gz")
    assert read_texts([manifest]) == [row.split(",")[1] for row in
                                      (tone_corpus / "tones.csv").read_text().splitlines()[1:]]
    assert read_texts([tone_corpus / "tones.csv"]) == read_texts([manifest])


def test_bad_text(tmp_path):
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
