"""KenLM's binary format back to n-grams: the quantised tries of `kenlm_binary`, which has their layout."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import EarsightError
from .kenlm_binary import QUANTISED_TRIE, bits_of, header, packed_size, pointer_split, words_of_binary
from .kenlm_checks import COUNTS, ORDER, TYPE, check_binary, packed_numbers
from .model import Grams, NgramModel

UNIGRAM = np.dtype([("log_prob", "<f4"), ("backoff", "<f4"), ("longer", "<u8")])


class _Entries(NamedTuple):
    """The n-grams of a length as they stand in the file."""

    first: np.ndarray  # word ids
    log_probs: np.ndarray
    backoffs: np.ndarray
    begins: np.ndarray  # where those begin that are one longer and end in each; one more than there are entries
    end: int  # the byte behind them


def read_binary(path: str | Path) -> NgramModel:
    """The model of a file: all that `write_binary` was given, with values rounded to its bins.

    Raises:
        EarsightError: it is damaged, or of another of KenLM's types.
    """
    check_binary(path)
    data = np.fromfile(path, np.uint8)
    words = words_of_binary(path)
    if words is None or data[TYPE:TYPE + 4].view("<u4")[0] != QUANTISED_TRIE:
        raise EarsightError(f"{path}: a binary file that `earsight lm` did not make; give the ARPA file it was made of")
    order = int(data[ORDER])
    counts = data[COUNTS:COUNTS + 8 * order].view("<u8").astype(np.int64).tolist()
    n_words, bins = counts[0], len(header(counts)) + 8 + 8 * counts[0]
    likely, backing = int(data[bins + 1]), int(data[bins + 2])
    sizes = [2 ** likely, 2 ** backing] * (order - 2) + [2 ** likely]
    place = bins + 8 + 4 * sum(sizes)
    values = np.split(data[bins + 8:place].view("<f4"), np.cumsum(sizes)[:-1])
    unigrams = data[place:place + UNIGRAM.itemsize * (n_words + 2)].view(UNIGRAM)
    place += UNIGRAM.itemsize * (n_words + 2)

    # Of each n-gram of the file, in its order: the place that it will have, sorted by words from the first on; its last
    # word; its beginning, one shorter; and what the file sorts by.
    ids = np.argsort(words)
    final = places_of(ids)
    orders = [Grams(np.zeros(n_words, np.int32), np.zeros(n_words, np.int32), np.arange(n_words, dtype=np.int32))]
    log_probs, backoffs = [unigrams["log_prob"][:n_words][ids]], [unigrams["backoff"][:n_words][ids]]
    sorted_to, last, context, keys = final, np.arange(n_words), np.zeros(n_words, np.int64), np.zeros(0, np.int64)
    begins = unigrams["longer"][:n_words + 1].astype(np.int64)
    for n, count in enumerate(counts[1:], 1):
        suffix = np.repeat(np.arange(counts[n - 1]), np.diff(begins))
        entries = _longest(data, place, count, n_words, likely, values[-1]) if n == order - 1 else _between(
            data, place, count, counts[n + 1], n_words, likely, backing, *values[2 * n - 2:2 * n])
        begins, place = entries.begins, entries.end
        damaged = EarsightError(f"{path}: its {n + 1}-grams do not fit its shorter ones; it is damaged, copy it again")
        if len(suffix) != count or not (entries.first < n_words).all():
            raise damaged
        wanted = context[suffix] * n_words + entries.first
        found = entries.first if n == 1 else np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        if n > 1 and not np.array_equal(keys[found], wanted):
            raise damaged
        keys, context, last = suffix * n_words + entries.first, found, last[suffix]
        by_words = np.lexsort((final[last], sorted_to[context]))
        orders.append(Grams(*(each[by_words].astype(np.int32)
                              for each in (sorted_to[context], sorted_to[suffix], final[last]))))
        log_probs.append(entries.log_probs[by_words])
        backoffs.append(entries.backoffs[by_words])
        sorted_to = places_of(by_words)
    if not all(np.isfinite(each).all() for each in (*log_probs, *backoffs)):
        raise EarsightError(f"{path}: holds probabilities that are no numbers; it is damaged, copy it again")
    return NgramModel([words[i] for i in ids], orders, log_probs, backoffs)


def places_of(order: np.ndarray) -> np.ndarray:
    """Of a permutation, which of its entries each number is."""
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places


def _between(data: np.ndarray, place: int, count: int, longer: int, n_words: int, likely: int, backing: int,
             log_probs: np.ndarray, backoffs: np.ndarray) -> _Entries:
    inline, table = pointer_split(count + 1, longer, int(data[place + 1]))
    packed = place + 8 * (1 + table) + 7
    widths = [bits_of(n_words), backing, likely, inline]
    end = packed + packed_size(count, sum(widths))
    first, back, like, low = (packed_numbers(data[packed:end], count + 1, sum(widths), sum(widths[:i]), widths[i])
                              for i in range(4))
    array = np.ndarray(table, "<u8", data, place + -place % 8 + 8).astype(np.int64)
    high = np.searchsorted(array, np.arange(count + 1), "right") - 1
    return _Entries(first[:-1], log_probs[like[:-1]], backoffs[back[:-1]], high << inline | low, end)


def _longest(data: np.ndarray, place: int, count: int, n_words: int, likely: int, log_probs: np.ndarray) -> _Entries:
    widths = [bits_of(n_words), likely]
    end = place + packed_size(count, sum(widths))
    first, like = (packed_numbers(data[place:end], count, sum(widths), sum(widths[:i]), widths[i]) for i in range(2))
    return _Entries(first, log_probs[like], np.zeros(count, np.float32), np.zeros(0, np.int64), end)
