"""Leaving out the n-grams that a model misses least, until it is small enough.

An n-gram's worth is what the model loses without it: the relative entropy between the distributions of the words after
its context with and without it, weighted by how often the context is in the text (Stolcke, 1998, "Entropy-based pruning
of backoff language models"), a byte of the file. What is left is smoothed anew (see `smoothing`), since the short
n-grams of a Kneser-Ney model are made for what the long ones do not say (Chelba et al., 2010).
"""

from collections.abc import Callable

import numpy as np
from tqdm import tqdm

from .counting import NgramCounts
from .model import UNKNOWN, Grams
from .smoothing import smooth

ROUNDS = 3  # of pruning and smoothing: the worth of what is left changes with what is taken


def all_kept(words: list[str], orders: list[Grams]) -> list[np.ndarray]:
    """A bool an n-gram, for each length: all but those that hold UNKNOWN, which no search can ask for."""
    unknown = words.index(UNKNOWN)
    kept = [np.ones(len(words), bool)]
    clean = orders[0].word != unknown
    for grams in orders[1:]:
        clean = clean[grams.context] & clean[grams.suffix]
        kept.append(clean)
    return kept


def prune(counted: NgramCounts, kept: list[np.ndarray], costs: list[float], size: Callable[[list[int]], int],
          target: int) -> list[np.ndarray]:
    """Choose among the n-grams that are kept.

    Args:
        costs: bytes of an n-gram, for each length.
        size: the bytes of a model with so many n-grams of each length.
        target: how many there may be.
    """
    now = size(_counts(kept))
    for left in tqdm(range(ROUNDS - 1, -1, -1), desc="pruning", unit="round", disable=None):
        if now <= target:
            break
        aim = round(target * (now / target) ** (left / (left + 1)))
        worth = [value / cost for value, cost in zip(worth_of(counted, kept), costs)]
        kept = _most_worth(counted, kept, worth, lambda masks: size(_counts(masks)) <= aim)
        now = size(_counts(kept))
    return kept


def worth_of(counted: NgramCounts, kept: list[np.ndarray]) -> list[np.ndarray]:
    """Nats a word of text that are lost with each n-gram; 0 for words and those that are left out.

    Without it, its discounted share `own` of its context's words goes to what the context leaves to shorter n-grams,
    `left`, so that it has `p = (left + own) * short` rather than `own + left * short`, and all other words gain.
    """
    smoothed = smooth(counted, kept)
    total = counted.counts[0].sum()
    worth = [np.zeros(len(kept[0]))]
    for n in range(1, len(kept)):
        mask = kept[n]
        grams, (before, after) = counted.orders[n], smoothed[n - 1:n + 1]
        context = grams.context[mask]
        short, own, p = before.probability[grams.suffix[mask]], after.certain[mask], after.probability[mask]
        left = after.left[context]
        known = np.bincount(context, short, len(kept[n - 1]))[context]  # share of words that have n-grams of their own
        loss = p * np.log(p / ((left + own) * short))
        gain = left * np.maximum(1 - known, 0) * np.log1p(own / left) + own * (known - short)
        worth.append(np.zeros(len(mask)))
        worth[n][mask] = counted.counts[n - 1][context] / total * (loss - gain)
    return worth


def _most_worth(counted: NgramCounts, kept: list[np.ndarray], worth: list[np.ndarray],
                fits: Callable[[list[np.ndarray]], bool]) -> list[np.ndarray]:
    """As many n-grams of most worth as fit, with the beginnings and ends of each."""
    every = np.concatenate([values[mask] for values, mask in zip(worth[1:], kept[1:])])
    every.sort()
    few, many = 0, len(every)  # how many are left out: too few, enough
    while many - few > max(1, len(every) // 100_000):
        middle = (few + many) // 2
        if fits(_above(counted, kept, worth, every[middle])):
            many = middle
        else:
            few = middle
    return _above(counted, kept, worth, every[many] if many < len(every) else np.inf)


def _above(counted: NgramCounts, kept: list[np.ndarray], worth: list[np.ndarray], threshold: float) -> list[np.ndarray]:
    chosen = [mask & (values >= threshold) for mask, values in zip(kept, worth)]
    chosen[0] = kept[0]
    for n in range(len(chosen) - 1, 1, -1):
        grams = counted.orders[n]
        chosen[n - 1][grams.context[chosen[n]]] = True
        chosen[n - 1][grams.suffix[chosen[n]]] = True
    return chosen


def _counts(kept: list[np.ndarray]) -> list[int]:
    return [int(mask.sum()) for mask in kept]
