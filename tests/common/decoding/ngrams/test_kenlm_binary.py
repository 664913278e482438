"""KenLM's binary format: read by KenLM itself, beside the ARPA file of the same model."""

import random

import numpy as np
import pytest
from ngram_models import sentences

from earsight.common.decoding.decoders import Decoder
from earsight.common.decoding.language_model import load_lm
from earsight.common.decoding.ngrams.arpa import write_arpa
from earsight.common.decoding.ngrams.kenlm_binary import (
    binary_size,
    is_binary,
    murmur_hash,
    words_of_binary,
    write_binary,
)
from earsight.common.decoding.ngrams.kenlm_checks import check_binary
from earsight.common.decoding.ngrams.making import estimate, make_model
from earsight.common.decoding.ngrams.model import UNKNOWN
from earsight.common.decoding.ngrams.reading import words_of_lm
from earsight.common.decoding.options import DecodingOptions
from earsight.common.errors import EarsightError
from earsight.common.labels import Labels


def scores(lm, names, sentences):
    """log10 of each word and of each sentence's end."""
    places = {name: place for place, name in enumerate(names)}
    found = []
    for sentence in sentences:
        state = lm.start(False)
        for word in sentence:
            state, score = lm.score(state, places[word])
            found.append(score)
        found.append(lm.finish(state)[1])
    return np.array(found)


@pytest.mark.parametrize("order, count, vocabulary, exact", [
    (1, 50, None, True), (2, 20, 10, True), (3, 30, None, True), (3, 1500, None, False), (4, 1500, 40, False),
    (6, 200, None, False)])
def test_scores_are_those_of_the_arpa_file(tmp_path, order, count, vocabulary, exact):
    text = sentences(count, 60)
    model = estimate(text, order, vocabulary)
    write_arpa(model, tmp_path / "lm.arpa")
    write_binary(model, tmp_path / "lm.bin")
    assert (tmp_path / "lm.bin").stat().st_size == binary_size(model.words, [len(grams) for grams in model.orders])
    names = sorted({word for sentence in text for word in sentence}) + ["never-seen"]
    asked = text[:100] + [random.Random(seed).choices(names, k=8) for seed in range(200)]
    of_arpa, of_binary = (scores(load_lm(str(tmp_path / name), names), names, asked) for name in ("lm.arpa", "lm.bin"))
    if exact:  # as many values as bins, or fewer: nothing is rounded but to float32
        np.testing.assert_allclose(of_binary, of_arpa, atol=2e-6)
    else:  # a score is one probability, and backoffs, each of one of some 250 values
        assert abs(of_binary - of_arpa).mean() < 0.005
        assert abs(of_binary - of_arpa).max() < 0.1
        assert abs(of_binary.mean() - of_arpa.mean()) < 0.001


def test_words_are_in_the_file(tmp_path):
    model = estimate(sentences(40, 50), 2)
    write_binary(model, tmp_path / "lm.bin")
    write_arpa(model, tmp_path / "lm.arpa")
    assert is_binary(tmp_path / "lm.bin") and not is_binary(tmp_path / "lm.arpa")
    assert sorted(words_of_lm(tmp_path / "lm.bin")) == sorted(words_of_lm(tmp_path / "lm.arpa"))
    assert words_of_binary(tmp_path / "lm.bin")[0] == UNKNOWN
    whole = (tmp_path / "lm.bin").read_bytes()
    (tmp_path / "without.bin").write_bytes(whole[:100] + b"\0" + whole[101:])  # as build_binary makes it if told so
    assert words_of_lm(tmp_path / "without.bin") is None
    (tmp_path / "cut.bin").write_bytes(whole[:-400])
    with pytest.raises(EarsightError, match="cut.bin: no n-gram model that KenLM reads"):
        load_lm(str(tmp_path / "cut.bin"), ["w1"])


def test_a_binary_file_that_counts_no_words_has_none(tmp_path):
    make_model(["one two", "two one"], 2, tmp_path / "lm.bin")
    data = bytearray((tmp_path / "lm.bin").read_bytes())
    assert words_of_lm(str(tmp_path / "lm.bin"))
    for size in (60, 93, 112):
        (tmp_path / "lm.bin").write_bytes(data[:size])
        assert words_of_lm(str(tmp_path / "lm.bin")) is None
        with pytest.raises(EarsightError, match="lm.bin: no n-gram model that KenLM reads"):
            load_lm(str(tmp_path / "lm.bin"), ["one"])
    data[108:116] = bytes(8)
    (tmp_path / "lm.bin").write_bytes(data)
    assert words_of_lm(str(tmp_path / "lm.bin")) is None


@pytest.mark.parametrize("order, count", [(2, 60), (3, 300), (4, 1500)])
def test_no_changed_byte_makes_a_search_crash(tmp_path, order, count):
    """Where KenLM followed a pointer out of the file, the process would be gone, and this test with it."""
    text = sentences(count, 60)
    write_binary(estimate(text, order), tmp_path / "lm.bin")
    whole, rng = (tmp_path / "lm.bin").read_bytes(), np.random.default_rng(order)
    names, refused = sorted({word for sentence in text for word in sentence}), 0
    for _ in range(150):
        data = np.frombuffer(whole, np.uint8).copy()
        data[rng.integers(88, len(data), rng.integers(1, 30))] ^= rng.integers(1, 256, dtype=np.uint8)
        (tmp_path / "changed.bin").write_bytes(data.tobytes())
        try:
            lm = load_lm(str(tmp_path / "changed.bin"), names)
        except EarsightError:
            refused += 1
        else:
            scores(lm, names, text[:30])
    assert 30 < refused < 150


@pytest.mark.parametrize("name, place, value", [
    ("counts", 108, b"\xff" * 8), ("bigrams", 116, b"\xff\xff"), ("vocabulary", 136, b"\x01"),
    ("a word more", 136, b"\x3f"),
    ("bits", 136 + 8 + 8 * 63 + 1, b"\xff"), ("unigrams", -1, b"\xff" * 4), ("cut", 200, b"")])
def test_parts_that_do_not_fit_are_told(name, place, value, tmp_path):
    model = estimate(sentences(300, 60), 3)
    write_binary(model, tmp_path / "lm.bin")
    data = (tmp_path / "lm.bin").read_bytes()
    words = len(model.words)
    assert words == 62 + 1
    if name == "unigrams":  # the place of the third word's bigrams
        place = 136 + 8 + 8 * words + 8 + 4 * 256 * 3 + 16 * 2 + 8
    (tmp_path / "lm.bin").write_bytes(data[:place] + value + (data[place + len(value):] if value else b""))
    with pytest.raises(EarsightError, match="lm.bin: no n-gram model that KenLM reads .*points outside itself"):
        check_binary(tmp_path / "lm.bin")


def test_search_over_the_words_of_a_binary_file(tmp_path):
    labels = Labels("characters", ("<blank>", "a", "b", " "))
    make_model(["ab ba", "ab ba ab"], 2, tmp_path / "lm.bin")
    log_probs = np.log(np.full((5, 4), 0.1))
    for frame, label in enumerate((1, 2, 3, 2, 2)):  # ab b
        log_probs[frame, label] = np.log(0.7)
    options = DecodingOptions(decoder="beam", lm=str(tmp_path / "lm.bin"), lm_weight=1.0)
    reading, *_ = Decoder(labels, options)(log_probs)
    assert reading.text == "ab ba"


def test_hashes_are_murmur_hashes():
    known = {  # by KenLM's murmur_hash.cc
        "<s>": 33080154819493488, "a": 510903276987443985, "größe": 11205966055993160407,
        "exactly8": 13510205711175299182, "seventeen letters": 1258535479903609377,
        "a phrase of twenty-three": 4323943566031683094}
    assert {text: murmur_hash(text.encode()) for text in known} == known


def test_the_same_model_gives_the_same_bytes(tmp_path):
    text = sentences(100, 30)
    for name, given in (("a.bin", text), ("b.bin", text[::-1])):
        write_binary(estimate(given, 3), tmp_path / name)
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()
