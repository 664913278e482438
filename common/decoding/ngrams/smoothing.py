"""Counts to probabilities: modified Kneser-Ney smoothing.

Interpolated (Chen and Goodman, 1998), with the conventions of KenLM's lmplz (Heafield et al., 2013): unigrams are
interpolated with the uniform distribution over all words, `</s>` and `<unk>`. N-grams may be left out of the model; the
counts of the shorter ones then tell what is left to them (Siivola, Hirsimäki and Virpioja, 2007, "On growing and
pruning Kneser-Ney smoothed n-gram models"): one for each word that may stand before, in an n-gram that is kept, and all
occurrences in those that are not.
"""

from dataclasses import dataclass

import numpy as np

from .counting import NgramCounts
from .model import START, Grams, NgramModel

# Discounts of lmplz for texts too small to estimate them from; 0 would leave nothing for other words.
FALLBACK = (0.5, 1.0, 1.5)


@dataclass(frozen=True)
class Smoothed:
    """What n-grams of one length are worth, kept or not: arrays of float64.

    Attributes:
        probability: P(last word | context).
        certain: the share of it that is the n-gram's own: its discounted count, over its context's.
        left: what each context of them (n-gram one shorter) leaves for shorter contexts to share out.
    """

    probability: np.ndarray
    certain: np.ndarray
    left: np.ndarray


def smooth(counted: NgramCounts, kept: list[np.ndarray]) -> list[Smoothed]:
    """Probabilities of all n-grams by those that are kept (a bool an n-gram, for each length; all of length 1)."""
    everything = [np.ones(len(grams), bool) for grams in counted.orders]
    discounts = [_discounts(counts) for counts in adjusted_counts(counted, everything)]
    start = counted.words.index(START)
    shorter = np.full(1, 1 / (len(counted.words) - 1))  # START is never predicted
    smoothed = []
    for grams, counts, mask, discount in zip(counted.orders, adjusted_counts(counted, kept), kept, discounts):
        n_contexts = len(shorter)
        totals = np.bincount(grams.context, counts, n_contexts)
        taken = np.where(mask, discount[np.minimum(counts, 3)], counts)
        left = np.ones(n_contexts)
        np.divide(np.bincount(grams.context, taken, n_contexts), totals, out=left, where=totals > 0)
        certain = (counts - taken) / np.maximum(totals, 1)[grams.context]
        shorter = certain + left[grams.context] * shorter[grams.suffix]
        if not smoothed:
            shorter[start] = 1.0
        smoothed.append(Smoothed(shorter, certain, left))
    return smoothed


def smoothed_model(counted: NgramCounts, kept: list[np.ndarray]) -> NgramModel:
    """The model of the n-grams that are kept."""
    smoothed = smooth(counted, kept)
    orders, log_probs, backoffs = [], [], []
    places = np.zeros(1, np.int32)
    for n, (grams, mask) in enumerate(zip(counted.orders, kept)):
        orders.append(Grams(places[grams.context[mask]], places[grams.suffix[mask]], grams.word[mask]))
        places = np.cumsum(mask, dtype=np.int32) - 1
        left = smoothed[n + 1].left[mask] if n + 1 < len(smoothed) else np.ones(len(orders[-1]))
        log_probs.append(np.log10(smoothed[n].probability[mask]).astype(np.float32))
        backoffs.append(np.log10(left).astype(np.float32))
    if len(orders) == 1:  # KenLM reads no model without bigrams, of which there may be none
        orders.append(Grams(*[np.zeros(0, np.int32)] * 3))
        log_probs.append(np.zeros(0, np.float32))
        backoffs.append(np.zeros(0, np.float32))
    return NgramModel(counted.words, orders, log_probs, backoffs)


def adjusted_counts(counted: NgramCounts, kept: list[np.ndarray]) -> list[np.ndarray]:
    """For each length, the counts (int64) that Kneser and Ney (1995) put in the places of how often n-grams are there.

    The longest and those from the start are counted as they are, others by the words before them: "Francisco" is
    frequent, but follows only "San".
    """
    start = counted.words.index(START)
    longer = counted.counts[-1]
    adjusted = [longer]
    first = _first_words(counted.orders)
    for n in range(len(counted.orders) - 2, -1, -1):
        grams = counted.orders[n + 1]
        counts = np.bincount(grams.suffix, np.where(kept[n + 1], 1, longer), len(counted.orders[n])).astype(np.int64)
        from_start = first[n] == start
        counts[from_start] = counted.counts[n][from_start]
        adjusted.insert(0, longer := counts)
    adjusted[0] = adjusted[0].copy()
    adjusted[0][start] = 0
    return adjusted


def _first_words(orders: list[Grams]) -> list[np.ndarray]:
    firsts = [orders[0].word]
    for grams in orders[1:]:
        firsts.append(firsts[-1][grams.context])
    return firsts


def _discounts(counts: np.ndarray) -> np.ndarray:
    """What is taken off counts of 0, 1, 2, and 3 or more (Chen and Goodman, 1998, equation 26)."""
    of = np.bincount(np.minimum(counts, 5), minlength=6).tolist()
    if not all(of[k] for k in (1, 2, 3)):
        return np.array((0.0, *FALLBACK))
    share = of[1] / (of[1] + 2 * of[2])
    discounts = [k - (k + 1) * share * of[k + 1] / of[k] for k in (1, 2, 3)]
    right = all(0 < d <= k for k, d in enumerate(discounts, 1))
    return np.array((0.0, *(discounts if right else FALLBACK)))
