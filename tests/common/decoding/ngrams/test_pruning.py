"""Models made to a size: what is left out, and what is left."""

import numpy as np
import pytest
from ngram_models import log10, sentences, values

from earsight.common.decoding.ngrams.counting import count_ngrams
from earsight.common.decoding.ngrams.kenlm_binary import bytes_per_ngram
from earsight.common.decoding.ngrams.making import estimate, make_model
from earsight.common.decoding.ngrams.model import START
from earsight.common.decoding.ngrams.pruning import all_kept, prune, worth_of
from earsight.common.decoding.ngrams.smoothing import adjusted_counts, smooth
from earsight.common.errors import EarsightError

TEXT = sentences(2000, 60)


@pytest.mark.parametrize("size", [0.03, 0.02, 0.016])
def test_a_file_is_no_larger_than_asked_for_and_hardly_smaller(tmp_path, size):
    texts = [" ".join(sentence) for sentence in TEXT]
    make_model(texts, 3, tmp_path / "whole.bin")
    assert (tmp_path / "whole.bin").stat().st_size > 31_000
    make_model(texts, 3, tmp_path / "lm.bin", size=size)
    assert 0.98 * size < (tmp_path / "lm.bin").stat().st_size / 1e6 <= size


def test_what_is_left_is_a_distribution_after_every_context_and_complete():
    model = values(estimate(TEXT, 3, size=0.02))
    assert all(gram[:-1] in shorter and gram[1:] in shorter
               for shorter, longer in zip(model, model[1:]) for gram in longer)
    words = [gram[0] for gram in model[0] if gram != (START,)]
    contexts = [gram for grams in model[:-1] for gram in grams if gram[-1] != "</s>"]
    for context in contexts[::29]:
        assert sum(10 ** log10(model, context, word) for word in words) == pytest.approx(1, abs=1e-5), context


def perplexity(model, text):
    longest = len(model) - 1  # of a context
    found = [log10(model, (START, *sentence)[max(0, end - longest):end], (*sentence, "</s>")[end - 1])
             for sentence in text for end in range(1, len(sentence) + 2)]
    return 10 ** -np.mean(found)


def test_pruning_costs_less_than_leaving_out_the_longest():
    """Half the bytes, and nearer to the whole model than to that of bigrams."""
    held_out = sentences(300, 60, seed=2)
    whole, pruned, bigrams = (perplexity(values(estimate(TEXT, order, size=size)), held_out)
                              for order, size in ((3, None), (3, 0.016), (2, None)))
    assert pruned < whole + 0.5 * (bigrams - whole)


def test_counts_of_what_is_left_out_go_to_what_is_shorter():
    """Siivola et al. (2007): an n-gram that is kept counts one for its end, one that is not all its occurrences."""
    counted = count_ngrams([["a", "b"], ["a", "b"], ["c", "b"]], 2)
    b = counted.words.index("b")
    kept = all_kept(counted.words, counted.orders)
    assert adjusted_counts(counted, kept)[0][b] == 2  # after a, and after c
    kept[1] = counted.orders[1].word != b
    assert adjusted_counts(counted, kept)[0][b] == 3


def test_worth_is_what_the_text_is_less_likely_without_an_ngram():
    """Of each bigram alone: the relative entropy summed over all words, as Stolcke (1998) defines it."""
    counted = count_ngrams(TEXT[:300], 2)
    kept = all_kept(counted.words, counted.orders)
    grams, total = counted.orders[1], counted.counts[0].sum()
    shorter, longer = smooth(counted, kept)
    for i in range(0, len(grams), 37):
        context = grams.context[i]
        of_context = np.flatnonzero(grams.context == context)
        own = np.zeros(len(counted.words))
        own[grams.word[of_context]] = longer.certain[of_context]
        before = own + longer.left[context] * shorter.probability
        left = longer.left[context] + own[grams.word[i]]
        own[grams.word[i]] = 0
        after = own + left * shorter.probability
        predicted = np.array(counted.words) != START
        entropy = np.sum((before * np.log(before / after))[predicted])
        expected = counted.counts[0][context] / total * entropy
        assert worth_of(counted, kept)[1][i] == pytest.approx(expected, rel=0.3, abs=1e-9)


def test_smaller_than_its_words_is_refused(tmp_path):
    with pytest.raises(EarsightError, match="the 63 words alone take 0.00518 MB, and 0.004 were asked for; keep"):
        make_model([" ".join(sentence) for sentence in TEXT], 3, tmp_path / "lm.bin", size=0.004)
    with pytest.raises(EarsightError, match="lm.arpa: a size can be kept in .* name the output lm.bin"):
        make_model(["a b"], 3, tmp_path / "lm.arpa", size=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [float("nan"), float("inf"), 0, -1.0])
def test_a_size_that_is_none(size, tmp_path):
    with pytest.raises(EarsightError, match="size of .* MB: not above 0"):
        make_model(["a b"], 3, tmp_path / "lm.bin", size=size)


def test_nothing_is_left_out_of_what_fits():
    counted = count_ngrams(TEXT[:50], 3)
    kept = all_kept(counted.words, counted.orders)
    costs = bytes_per_ngram(len(counted.words), 3)
    assert all(map(np.array_equal, prune(counted, kept, costs, lambda counts: 5, 5), kept))
