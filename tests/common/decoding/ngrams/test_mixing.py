"""A model mixed with another, and files read back: against what each of them says."""

import numpy as np
import pytest
from ngram_models import log10, sentences, values

from earsight.app.main import main
from earsight.common.decoding.ngrams.arpa import read_arpa, write_arpa
from earsight.common.decoding.ngrams.kenlm_binary import write_binary
from earsight.common.decoding.ngrams.making import estimate, make_model
from earsight.common.decoding.ngrams.mixing import mix, mixture_model
from earsight.common.decoding.ngrams.model import START, UNKNOWN
from earsight.common.decoding.ngrams.reading import read_model
from earsight.common.errors import EarsightError


def probability(grams, history, word):
    """P(word | history); 0 of a word that the model lacks."""
    longest = len(grams) - 1  # of a context
    return 10 ** log10(grams, tuple(history)[max(0, len(history) - longest):], word) if (word,) in grams[0] else 0.0


@pytest.mark.parametrize("orders", [(3, 3), (2, 4), (4, 2)])
def test_a_mixture_says_the_mean_of_what_its_models_say(orders):
    one = estimate(sentences(60, 20), orders[0])
    other = estimate([[*sentence, "more"] for sentence in sentences(80, 12)], orders[1])
    made = mixture_model(mix([one, other], [0.3, 0.7]))
    assert made.words == sorted({*one.words, *other.words})
    tables, of_one, of_other = values(made), values(one), values(other)
    for grams in tables:
        for (*history, word), (log_prob, _) in grams.items():
            if word != START:
                expected = 0.3 * probability(of_one, history, word) + 0.7 * probability(of_other, history, word)
                assert 10 ** log_prob == pytest.approx(expected, rel=1e-4)
    for history in [gram for grams in tables[:-1] for gram in list(grams)[::7]]:
        if "</s>" not in history:
            total = sum(probability(tables, history, word) for word in made.words if word != START)
            assert total == pytest.approx(1, abs=1e-4)


def test_a_model_mixed_with_itself_is_itself():
    model = estimate(sentences(100, 20), 3)
    again = mixture_model(mix([model, model], [0.4, 0.6]))
    for mine, theirs in zip(values(again), values(model)):
        assert mine.keys() == theirs.keys()
        np.testing.assert_allclose([*mine.values()], [*theirs.values()], atol=1e-4)


@pytest.mark.parametrize("order, count", [(2, 60), (3, 300), (4, 1500), (6, 200)])
def test_files_are_read_as_they_were_written(tmp_path, order, count):
    model = estimate(sentences(count, 60), order)
    write_arpa(model, tmp_path / "lm.arpa")
    write_binary(model, tmp_path / "lm.bin")
    for name, near in (("lm.arpa", 1e-6), ("lm.bin", 0.2)):  # which holds values of 254 bins
        found = read_model(tmp_path / name)
        assert found.words == model.words
        for mine, theirs in zip(found.orders, model.orders):
            for part in ("context", "suffix", "word"):
                np.testing.assert_array_equal(getattr(mine, part), getattr(theirs, part))
        for mine, theirs in zip([*found.log_probs, *found.backoffs], [*model.log_probs, *model.backoffs]):
            np.testing.assert_allclose(mine, theirs, atol=near)
            assert len(mine) == 0 or abs(mine - theirs).mean() < 0.005
    write_binary(read_model(tmp_path / "lm.bin"), tmp_path / "again.bin")
    first, second = read_model(tmp_path / "lm.bin"), read_model(tmp_path / "again.bin")
    for mine, theirs in zip([*first.log_probs, *first.backoffs], [*second.log_probs, *second.backoffs]):
        np.testing.assert_array_equal(mine, theirs)


def test_n_grams_of_any_order_of_lines_are_read(tmp_path):
    """SRILM sorts otherwise, and leaves backoffs out."""
    (tmp_path / "lm.arpa").write_text(
        "\\data\\\nngram 1=4\nngram 2=3\n\n\\1-grams:\n-0.5\tb\t-0.1\n-99\t<s>\t-0.2\n-0.7\ta\n-0.6\t</s>\n\n"
        "\\2-grams:\n-0.3\tb a\n-0.2\t<s> b\n-0.4\ta </s>\n\n\\end\\\n")
    model = read_arpa(tmp_path / "lm.arpa")
    assert model.words == ["</s>", "<s>", "<unk>", "a", "b"]
    unigrams, bigrams = values(model)
    assert list(bigrams) == [("<s>", "b"), ("a", "</s>"), ("b", "a")]
    assert bigrams["b", "a"][0] == pytest.approx(-0.3) and unigrams["b",] == pytest.approx((-0.5, -0.1))
    assert unigrams["a",] == pytest.approx((-0.7, 0)) and unigrams[UNKNOWN,][0] == -99


@pytest.mark.parametrize("body, told", [
    ("nothing", "no ARPA file of n-grams"),
    ("\\data\\\n\\1-grams:\n-1\ta\n\\2-grams:\n-1\ta c\n", "one of its 2-grams holds 'c'"),
    ("\\data\\\n\\1-grams:\n-1\ta\n\\2-grams:\n-1\ta a\n\\3-grams:\n-1\ta a </s>\n", "lacks its beginning or its end"),
    ("\\data\\\n\\1-grams:\nx\ta\n", "a line of its 1-grams cannot be read"),
    ("\\data\\\n\\1-grams:\nnan\ta\n", "nan is no log-probability"),
    ("\\data\\\n\\1-grams:\n-1\ta\t1e99\n", "1e99 is no log-probability"),
    ("\\data\\\n\\1-grams:\n-1\n", "a line of its 1-grams cannot be read"),
    ("\\data\\\n\\1-grams:\n-1 a\n\\2-grams:\n-1\ta\n", "a line of its 2-grams cannot be read")])
def test_files_that_are_no_models_are_told(body, told, tmp_path):
    (tmp_path / "lm.arpa").write_text(body)
    with pytest.raises(EarsightError, match=told):
        read_model(tmp_path / "lm.arpa")
    with pytest.raises(EarsightError, match="gone.bin: the language model cannot be read"):
        read_model(tmp_path / "gone.bin")


def test_a_changed_byte_ends_in_an_error_or_a_model(tmp_path):
    write_binary(estimate(sentences(300, 40), 3), tmp_path / "lm.bin")  # whose words' numbers would go on to 63
    whole, rng, refused = (tmp_path / "lm.bin").read_bytes(), np.random.default_rng(1), 0
    for _ in range(200):
        data = np.frombuffer(whole, np.uint8).copy()
        data[rng.integers(88, len(data), rng.integers(1, 6))] ^= rng.integers(1, 256, dtype=np.uint8)
        (tmp_path / "changed.bin").write_bytes(data.tobytes())
        try:
            model = read_model(tmp_path / "changed.bin")
            assert all(np.isfinite(each).all() for each in (*model.log_probs, *model.backoffs))
        except EarsightError:
            refused += 1
    assert 60 < refused < 200


def test_a_small_share_makes_ones_own_sentences_likely_and_others_hardly_less(tmp_path):
    other, mine = sentences(1500, 60), ["open the pod bay doors", "close the pod bay doors"]
    base = estimate([*other, ["the", "doors", "open"]], 3)
    write_binary(base, tmp_path / "base.bin")
    make_model(mine, 4, tmp_path / "mixed.bin", mixed_with=tmp_path / "base.bin", share=0.02)

    def likelihood(grams, texts):
        return np.mean([np.log10(max(probability(grams, ["<s>", *text][:place + 1], word), 1e-9))
                        for text in texts for place, word in enumerate([*text, "</s>"])])

    before, after = values(base), values(read_model(tmp_path / "mixed.bin"))
    own = [text.split() for text in mine]
    assert likelihood(after, own) > likelihood(before, own) + 1
    assert likelihood(after, other[:100]) > likelihood(before, other[:100]) - 0.02


def test_lm_command_mixes(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("open the pod bay doors\n")
    make_model(["the doors of the bay"], 2, tmp_path / "other.arpa")
    given = ["lm", str(tmp_path / "mine.txt"), "--output", str(tmp_path / "lm.arpa")]
    assert main([*given, "--mix", str(tmp_path / "other.arpa"), "--share", "0.4"]) == 0
    grams = values(read_model(tmp_path / "lm.arpa"))
    assert {("the",), ("pod",), ("of",)} <= grams[0].keys() and {("pod", "bay"), ("of", "the")} <= grams[1].keys()
    for more, told in ((["--share", "0.4"], "name that one"), (["--mix", "nobody"], "model 'nobody'"),
                       (["--mix", "digits"], "without a language model of its own"),
                       (["--mix", str(tmp_path / "other.arpa"), "--share", "1"], "not between 0 and 1"),
                       (["--mix", str(tmp_path / "other.arpa"), "--size", "1"], "a size"),
                       (["--mix", str(tmp_path / "lm.arpa")], "lm.arpa")):
        assert main([*given, *more]) == 1
        assert told in capsys.readouterr().err
    assert values(read_model(tmp_path / "lm.arpa")) == grams  # what was there is there still
