"""N-gram language models of text. Plain Python.

Modified Kneser-Ney smoothing, interpolated (Chen and Goodman, 1998), with the conventions of KenLM's lmplz (Heafield et
al., 2013): unigrams are interpolated with the uniform distribution over all words, `</s>` and `<unk>`.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from tqdm import tqdm

from ..errors import EarsightError
from .arpa import END, SPACE, START, UNKNOWN, Ngram, write_arpa

FALLBACK = (0.5, 1.0, 1.5)  # lmplz's discounts for texts too small to estimate them from

def estimate(sentences: Iterable[Sequence[str]], order: int) -> list[dict[Ngram, tuple[float, float]]]:
    """Estimate a model, held in memory whole: for texts of millions of words, not billions.

    Args:
        sentences: each a sequence of words.
        order: the longest n-grams, from 1.

    Returns:
        For n = 1 to `order`: n-gram -> its log10 probability, and the log10 weight of backing off from it (0 where
        nothing follows it).

    Raises:
        EarsightError: there are no words, or one of them is a mark of the format.
    """
    counts = _adjusted_counts(sentences, order)
    if len(counts[0]) <= 1:  # </s> alone
        raise EarsightError("the text holds no words; a language model needs some")
    vocabulary = len(counts[0]) + 1  # with <unk>, which nothing was seen of
    lower = {(): 1 / vocabulary}
    probabilities, weights = [], []
    for of_order in tqdm(counts, desc="smoothing", unit="order", disable=None):
        discounts = _discounts(of_order)
        probability, weight = _interpolated(of_order, discounts, lower)
        if not probabilities:
            probability[UNKNOWN,] = weight[()] / vocabulary
        probabilities.append(probability)
        weights.append(weight)
        lower = probability
    model = [{gram: (math.log10(p), math.log10(follow.get(gram, 1.0))) for gram, p in probability.items()}
             for probability, follow in zip(probabilities, [*weights[1:], {}])]
    start = weights[1].get((START,), 1.0) if order > 1 else 1.0
    model[0][START,] = (0.0, math.log10(start))  # never predicted; KenLM writes 0 too
    return model


def _adjusted_counts(sentences: Iterable[Sequence[str]], order: int) -> list[Counter]:
    """For each n the n-grams' counts: for the longest and those from the start how often, else after how many words.

    The second is what Kneser and Ney (1995) put in a count's place: "Francisco" is frequent, but follows only "San".
    """
    longest: list[Counter] = [Counter() for _ in range(order)]  # as far left as the order or the start lets them go
    for words in tqdm(sentences, desc="counting", unit="sentence", disable=None):
        marks = {START, END, UNKNOWN}.intersection(words)
        if marks:
            raise EarsightError(f"{marks.pop()!r} in the text is a mark of the ARPA format; take it out")
        padded = (START, *words, END)
        for end in range(2, len(padded) + 1):
            gram = padded[max(0, end - order):end]
            longest[len(gram) - 1][gram] += 1
    adjusted = [Counter() for _ in range(order)]
    adjusted[-1] = longest[-1]
    for n in range(order - 1, 0, -1):
        for gram in adjusted[n]:
            adjusted[n - 1][gram[1:]] += 1
        adjusted[n - 1].update(longest[n - 1])
    return adjusted


def _discounts(counts: Counter) -> tuple[float, float, float]:
    """What is taken off counts of 1, of 2, and of 3 or more (Chen and Goodman, 1998, equation 26)."""
    of = Counter(counts.values())
    if not all(of[k] for k in (1, 2, 3)):
        return FALLBACK
    share = of[1] / (of[1] + 2 * of[2])
    one, two, three = (k - (k + 1) * share * of[k + 1] / of[k] for k in (1, 2, 3))
    discounts = one, two, three
    return discounts if all(0 <= d <= k for k, d in enumerate(discounts, 1)) else FALLBACK


def _interpolated(counts: Counter, discounts: tuple[float, float, float], lower: dict[Ngram, float]
                  ) -> tuple[dict[Ngram, float], dict[Ngram, float]]:
    """Probabilities of n-grams, and of each context the weight that its discounts leave for the shorter n-grams."""
    totals: Counter = Counter()
    taken: dict[Ngram, float] = defaultdict(float)
    for gram, count in counts.items():
        totals[gram[:-1]] += count
        taken[gram[:-1]] += discounts[min(count, 3) - 1]
    weights = {context: taken[context] / total for context, total in totals.items()}
    return {gram: (count - discounts[min(count, 3) - 1]) / totals[gram[:-1]] + weights[gram[:-1]] * lower[gram[1:]]
            for gram, count in counts.items()}, weights


def make_model(texts: Sequence[str], order: int, output: str | Path, characters: bool = False) -> str:
    """Sentences to an ARPA file of n-grams of words, or of characters; returns what was made."""
    sentences = [[SPACE if c == " " else c for c in " ".join(text.split())] if characters else text.split()
                 for text in texts]
    model = estimate(sentences, order)
    write_arpa(model, output)
    grams = ", ".join(f"{len(of_order)} {n}-grams" for n, of_order in enumerate(model, 1))
    return f"{output}: {len(texts)} sentences, {grams}"
