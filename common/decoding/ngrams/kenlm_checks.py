"""Whether a file of KenLM's binary format points outside itself: KenLM maps it unchecked, and a search would crash."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...errors import EarsightError
from .kenlm_binary import QUANTISED_TRIE, bits_of, header, packed_size, pointer_split

ORDER, TYPE, COUNTS = 88, 96, 108  # bytes of the header where they begin
BLOCK = 1 << 14  # pointers that are looked at together: the caches hold them
MOST_BITS = 25  # of a log-probability or a backoff, KenLM's own limit


def check_binary(path: str | Path) -> None:
    """Look through a quantised trie, as `earsight lm` makes it (`kenlm_binary` has its layout).

    Files of KenLM's other types are left to KenLM.

    Raises:
        EarsightError: its parts do not fit into it, or its pointers into its parts.
    """
    data = np.memmap(path, np.uint8, mode="r")
    if len(data) < COUNTS or data[TYPE:TYPE + 4].view("<u4")[0] != QUANTISED_TRIE:
        return
    if not _points_within(data):
        raise EarsightError(f"{path}: no n-gram model that KenLM reads (it is damaged or cut short, and points outside "
                            "itself); copy it again, or make one with `earsight lm`")


def _points_within(data: np.ndarray) -> bool:
    order = int(data[ORDER])
    if order < 2 or COUNTS + 8 * order > len(data):
        return False
    counts = data[COUNTS:COUNTS + 8 * order].view("<u8").tolist()
    words = counts[0]
    # A part's entries are no more than the file has bits, before anything is made of so many.
    if not words or max(counts) > 8 * len(data):
        return False
    vocabulary = len(header(counts))
    bins = vocabulary + 8 + 8 * words
    if bins + 8 > len(data):
        return False
    known = int(data[vocabulary:vocabulary + 8].view("<u8")[0])
    if known not in (words - 1, words):  # without <unk>, which KenLM adds to models that lack it
        return False
    likely, backing = int(data[bins + 1]), int(data[bins + 2])
    if max(likely, backing) > MOST_BITS:
        return False
    unigrams = bins + 8 + 4 * ((order - 1) * 2 ** likely + (order - 2) * 2 ** backing)
    place = unigrams + 16 * (words + 2)
    if place > len(data):
        return False
    pointers = np.ndarray(known + 2, "<u8", data, unigrams + 8, (16,))
    if not _rise(pointers, counts[1]):
        return False
    for count, longer in zip(counts[1:], counts[2:]):
        if place + 2 > len(data):
            return False
        inline, table = pointer_split(count + 1, longer, int(data[place + 1]))
        before = bits_of(words) + likely + backing
        packed = place + 8 * (1 + table) + 7
        end = packed + packed_size(count, before + inline)
        if end > len(data):
            return False
        array = np.ndarray(table, "<u8", data, place + -place % 8 + 8)
        if array[0] != 0 or not _rise(array, count + 1):
            return False
        low = _numbers(data[packed:end], count + 1, before + inline, before, inline)
        if not _all_rise(low, array, inline, longer):
            return False
        place = end
    return place + packed_size(counts[-1], bits_of(words) + likely) <= len(data)


def _rise(values: np.ndarray, highest: int) -> bool:
    """Whether values of uint64 never fall, and end at `highest` at the most."""
    return bool((values[1:] >= values[:-1]).all()) and int(values[-1]) <= highest


def _all_rise(low: Iterator[np.ndarray], array: np.ndarray, inline: int, highest: int) -> bool:
    """The same of pointers whose `inline` low bits are given block by block.

    Their high bits are the last place in the array that holds no more than the pointer's own number.
    """
    last, number = np.uint64(0), 0
    for values in low:
        first, end = np.searchsorted(array, [number, number + len(values)], "right")
        within = np.diff(array[first:end].astype(np.int64), prepend=number, append=number + len(values))
        high = np.repeat(np.arange(first - 1, end, dtype=np.uint64), within)
        pointers = high << np.uint64(inline) | values
        if pointers[0] < last or not _rise(pointers, highest):
            return False
        last, number = pointers[-1], number + len(values)
    return True


def _numbers(packed: np.ndarray, count: int, width: int, first: int, bits: int) -> Iterator[np.ndarray]:
    """Of `count` entries of `width` bits, the number that `bits` bits from the `first` on make; BLOCK at a time."""
    touched = np.ndarray(len(packed) - 7, "<u8", packed, 0, (1,))  # 8 bytes from each byte on
    for start in range(0, count, BLOCK):
        place = np.arange(start, min(start + BLOCK, count)) * width + first
        yield touched[place >> 3] >> (place & 7).astype(np.uint64) & np.uint64(2 ** bits - 1)


def packed_numbers(packed: np.ndarray, count: int, width: int, first: int, bits: int) -> np.ndarray:
    """What `bits` bits from the `first` on say in each of `count` entries of `width` bits: (count,) int64."""
    blocks = [block.astype(np.int64) for block in _numbers(packed, count, width, first, bits)]
    return np.concatenate([np.zeros(0, np.int64), *blocks])
