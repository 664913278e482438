"""How often n-grams are in a text, counted by sorting: tens of millions of words in memory."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from ...errors import EarsightError
from .model import END, START, UNKNOWN, Grams


@dataclass(frozen=True)
class NgramCounts:
    """The n-grams of a text up to some length, and how often each is there (int64); those of length 1 are all words."""

    words: list[str]
    orders: list[Grams]
    counts: list[np.ndarray]


def count_ngrams(sentences: Iterable[Sequence[str]], order: int, vocabulary: int | Sequence[str] | None = None
                 ) -> NgramCounts:
    """Count n-grams of 1 to `order` words, none of which spans two sentences.

    Args:
        sentences: each a sequence of words; START and END are put around it.
        vocabulary: how many of the commonest words to keep, or which words; others become UNKNOWN.

    Raises:
        EarsightError: there are no words, or one of them is a mark of the format.
    """
    words, tokens = _tokens(sentences, vocabulary)
    nothing = np.zeros(len(words), np.int32)
    orders = [Grams(nothing, nothing, np.arange(len(words), dtype=np.int32))]
    counts = [np.bincount(tokens, minlength=len(words))]
    start = words.index(START)
    places = np.arange(len(tokens))  # of the last words of all n-grams of a length
    which = tokens  # for each place in the text, the n-gram that ends there
    for _ in tqdm(range(1, order), desc="counting n-grams", unit="order", disable=None):
        places = places[tokens[places] != start]
        places = places[which[places - 1] >= 0]
        keys = which[places - 1].astype(np.int64) * len(words) + tokens[places]
        keys, inverse, count = np.unique(keys, return_inverse=True, return_counts=True)
        suffix = np.empty(len(keys), np.int32)
        suffix[inverse] = which[places]
        orders.append(Grams((keys // len(words)).astype(np.int32), suffix, (keys % len(words)).astype(np.int32)))
        counts.append(count)
        which = np.full(len(tokens), -1, np.int32)
        which[places] = inverse
    return NgramCounts(words, orders, counts)


def _tokens(sentences: Iterable[Sequence[str]], vocabulary: int | Sequence[str] | None) -> tuple[list[str], np.ndarray]:
    """The words, sorted, and the text as places (int32) among them, each sentence between its marks."""
    marks = [UNKNOWN, START, END]
    numbers = defaultdict(lambda: len(numbers), zip(marks, range(3)))
    text = array("i")
    for sentence in tqdm(sentences, desc="reading", unit="sentence", disable=None):
        if found := set(marks).intersection(sentence):
            raise EarsightError(f"{found.pop()!r} in the text is a mark of the ARPA format; take it out")
        text.append(1)
        text.extend(map(numbers.__getitem__, sentence))
        text.append(2)
    if len(numbers) == len(marks):
        raise EarsightError("the text holds no words; a language model needs some")
    tokens = np.frombuffer(text, np.int32)
    if vocabulary is None:
        kept = set(numbers)
    elif isinstance(vocabulary, int):
        frequency = dict(zip(numbers, np.bincount(tokens).tolist()))
        known = sorted(numbers.keys() - marks, key=lambda word: (-frequency[word], word))
        kept = {*marks, *known[:vocabulary]}
    else:
        kept = {*marks, *vocabulary}
        if not kept & (numbers.keys() - marks):
            raise EarsightError("none of the vocabulary's words is in the text; check how they are written")
    words = sorted(kept)
    places = {word: place for place, word in enumerate(words)}
    final = np.fromiter((places.get(word, places[UNKNOWN]) for word in numbers), np.int32, len(numbers))
    return words, final[tokens]
