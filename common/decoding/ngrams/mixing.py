"""Models mixed to one: a text's own with another, whose text need not be at hand.

The mean of what they say of each n-gram that any of them holds, `P(w | h) = sum of share * P_i(w | h)`, with backoffs
that make each context's probabilities sum to 1 (as SRILM's `ngram -mix-lm`; Stolcke, 2002). It is exact for those
n-grams; of others the mixed backoffs are an approximation of the mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .model import Grams, NgramModel
from .pruning import all_kept

LEAST = 1e-12  # of a probability that is divided by: float64 sums of a vocabulary end in no less


@dataclass(frozen=True)
class Mixture:
    """All n-grams of some models, and P(last word | context) of each, a float64 array a length."""

    words: list[str]
    orders: list[Grams]
    probabilities: list[np.ndarray]


def mix(models: Sequence[NgramModel], shares: Sequence[float]) -> Mixture:
    """Mix models by their shares, which sum to 1. A word that only some know has what these give it."""
    words = sorted(set().union(*(model.words for model in models)))
    numbers = {word: number for number, word in enumerate(words)}
    known = [np.array([numbers[word] for word in model.words]) for model in models]
    nothing = np.zeros(len(words), np.int32)
    orders = [Grams(nothing, nothing, np.arange(len(words), dtype=np.int32))]
    places = known  # of each model's n-grams of a length, among all of it
    likely = [_spread(10.0 ** model.log_probs[0], where, np.zeros(len(words))) for model, where in zip(models, places)]
    backing = [_spread(10.0 ** model.backoffs[0], where, np.ones(len(words))) for model, where in zip(models, places)]
    probabilities = [_mean(likely, shares)]
    for n in range(1, max(len(model.orders) for model in models)):
        having = [i for i, model in enumerate(models) if n < len(model.orders)]
        grams = {i: models[i].orders[n] for i in having}
        keys = {i: places[i][grams[i].context] * len(words) + known[i][grams[i].word] for i in having}
        every = np.unique(np.concatenate(list(keys.values())))
        context, word, suffix = every // len(words), every % len(words), np.zeros(len(every), np.int64)
        found = {i: np.searchsorted(every, keys[i]) for i in having}
        for i in having:
            suffix[found[i]] = places[i][grams[i].suffix]
        # What a model does not hold, it says by backing off.
        likely = [back[context] * shorter[suffix] for back, shorter in zip(backing, likely)]
        backing = [np.ones(len(every)) for _ in models]
        for i in having:
            likely[i] = _spread(10.0 ** models[i].log_probs[n], found[i], likely[i])
            backing[i] = _spread(10.0 ** models[i].backoffs[n], found[i], backing[i])
        places = [found.get(i, np.zeros(0, np.int64)) for i in range(len(models))]
        orders.append(Grams(*(each.astype(np.int32) for each in (context, suffix, word))))
        probabilities.append(_mean(likely, shares))
    return Mixture(words, orders, probabilities)


def mixture_model(mixture: Mixture) -> NgramModel:
    """The model of all n-grams but those that hold UNKNOWN."""
    kept = all_kept(mixture.words, mixture.orders)
    orders, log_probs, backoffs = [], [], []
    places = np.zeros(1, np.int64)
    for n, (grams, mask) in enumerate(zip(mixture.orders, kept)):
        orders.append(Grams(*(each.astype(np.int32) for each in (
            places[grams.context[mask]], places[grams.suffix[mask]], grams.word[mask]))))
        places = np.cumsum(mask) - 1
        log_probs.append(np.log10(np.maximum(mixture.probabilities[n][mask], LEAST)).astype(np.float32))
        backoffs.append(np.log10(_backoffs(mixture, kept, n)[mask]).astype(np.float32))
    return NgramModel(mixture.words, orders, log_probs, backoffs)


def _backoffs(mixture: Mixture, kept: list[np.ndarray], n: int) -> np.ndarray:
    """Of the n-grams of length n + 1: what is left beside the words that follow each, over what the context one shorter
    gives to words but these; 1 where either is nothing."""
    count = len(mixture.orders[n])
    if n + 1 == len(mixture.orders):
        return np.ones(count)
    longer, mask = mixture.orders[n + 1], kept[n + 1]
    context = longer.context[mask]
    left = 1 - np.bincount(context, mixture.probabilities[n + 1][mask], count)
    below = 1 - np.bincount(context, mixture.probabilities[n][longer.suffix[mask]], count)
    return np.divide(left, below, out=np.ones(count), where=(left > LEAST) & (below > LEAST))


def _spread(values: np.ndarray, places: np.ndarray, among: np.ndarray) -> np.ndarray:
    among[places] = values
    return among


def _mean(values: Sequence[np.ndarray], shares: Sequence[float]) -> np.ndarray:
    return np.sum([share * value for share, value in zip(shares, values)], axis=0)
