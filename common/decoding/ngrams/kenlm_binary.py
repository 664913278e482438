"""KenLM's binary format of n-gram models: its quantised trie with array-compressed pointers, which it maps, not parses.

The layout is that of KenLM's format version 5 (`build_binary -q 8 -b 8 -a 22 trie`; Heafield, 2011), little-endian:

    header      a magic line, values that tell a machine of another make, the order, the type, n-grams of each length
    vocabulary  how many words; their MurmurHash64A, sorted; a word's id is its place, from 1, and <unk>'s is 0
    bins        the values that stand for log-probabilities and backoffs, for each length from 2
    unigrams    float32 log-probability and backoff, and as 64 bits where the bigrams that end in the word begin
    n-grams     for each length from 2, packed bits: the first word's id, backoff, log-probability, and the place where
                the longer ones begin, of which high bits are in an array before; the longest have no backoff or place
    words       with a zero byte behind each, by their ids

N-grams are sorted by their words from the last to the first: those that end alike stand together.
"""

import struct
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np

from ...files import whole_file
from .model import UNKNOWN, NgramModel

MAGIC = b"mmap lm http://kheafield.com/code format version 5\n\0"
QUANTISED_TRIE = 5  # "trie with quantization and array-compressed pointers"
BINARY_SUFFIXES = (".bin", ".binary")
BITS = 8  # of a log-probability, and of a backoff
POINTER_BITS = 22  # at most, that go from a pointer to the array before
RESERVED = 2  # backoffs of 0: -0.0 of an n-gram that begins no longer one, 0.0 of one that does


def write_binary(model: NgramModel, path: str | Path) -> None:
    """Write the model, whole or not at all; the same model, the same bytes."""
    with whole_file(path) as temporary, open(temporary, "wb") as file:
        for part in _parts(model):
            file.write(part)


def binary_size(words: list[str], counts: list[int]) -> int:
    """Bytes of a model with so many n-grams of each length (two lengths or more)."""
    size = len(header(counts)) + 8 + 8 * len(words) + len(_texts(words))
    size += 8 + 4 * (2 ** BITS) * (2 * len(counts) - 3) + 16 * (len(words) + 2)
    for shorter, longer in zip(counts[1:], counts[2:]):
        inline, table = pointer_split(shorter + 1, longer)
        size += 8 * (1 + table) + 7 + packed_size(shorter, bits_of(len(words)) + 2 * BITS + inline)
    return size + packed_size(counts[-1], bits_of(len(words)) + BITS)


def bytes_per_ngram(n_words: int, order: int) -> list[float]:
    """What an n-gram of each length takes, nearly: how long a pointer is depends on how many there are."""
    between = (bits_of(n_words) + 2 * BITS + 8) / 8
    return [16.0, *[between] * (order - 2), (bits_of(n_words) + BITS) / 8][:order]


def is_binary(path: str | Path) -> bool:
    """Whether a file is of KenLM's binary format."""
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def words_of_binary(path: str | Path) -> list[str] | None:
    """The words of a KenLM binary file, marks included, if it is one and holds them."""
    with open(path, "rb") as file:
        head = file.read(len(header([0])))
        if not head.startswith(MAGIC) or len(head) < 116:  # without a count of words
            return None
        order, _, _, has_words, _ = struct.unpack_from("<B3xfIB3xI", head, 88)
        count = struct.unpack_from("<Q", head, 108)[0]
        if not order or not has_words or not count:
            return None
        return _last_words(file, count)


def _last_words(file, count: int) -> list[str] | None:
    """The last `count` texts with a zero byte behind each: <unk>, and so on."""
    end = file.seek(0, 2)
    size = 16 * count
    while True:
        start = max(0, end - size)
        file.seek(start)
        texts = file.read(end - start).split(b"\0")
        if len(texts) > count + 1 or start == 0:
            break
        size *= 2
    words = [text.decode("utf-8", "replace") for text in texts[-count - 1:-1]]
    words[0] = words[0][-len(UNKNOWN):]  # what is before it ends in no zero byte
    return words if words[0] == UNKNOWN else None


def _parts(model: NgramModel) -> Iterator[bytes]:
    counts = [len(grams) for grams in model.orders]
    known = sorted((murmur_hash(word.encode()), word) for word in model.words if word != UNKNOWN)
    words = [UNKNOWN, *(word for _, word in known)]
    ids = {word: i for i, word in enumerate(words)}
    yield header(counts)
    yield struct.pack("<Q", len(known)) + np.array([*(number for number, _ in known), 0], "<u8").tobytes()

    extends = [np.bincount(longer.context, minlength=len(grams)) > 0
               for grams, longer in zip(model.orders, model.orders[1:])]
    likely = [_quantise(log_probs, 2 ** BITS) for log_probs in model.log_probs[1:]]
    backing = [_quantise_backoffs(*each) for each in zip(model.backoffs[1:-1], extends[1:])]
    bins = [quantised[0].tobytes() for pair in zip_longest(likely, backing) for quantised in pair if quantised]
    yield struct.pack("<BBB5x", 2, BITS, BITS) + b"".join(bins)  # the version of the bins comes first

    place = firsts = np.array([ids[word] for word in model.words])  # each n-gram's place, and its first word's id
    order, begins = [np.argsort(place)], []
    entries = []
    for n, grams in enumerate(model.orders[1:], 1):
        parent = place[grams.suffix]
        begins.append(np.concatenate([[0], np.cumsum(np.bincount(parent, minlength=counts[n - 1]))]))
        firsts = firsts[grams.context]
        order.append(np.argsort(parent * counts[0] + firsts))
        place = np.empty(len(grams), np.int64)
        place[order[-1]] = np.arange(len(grams))
        codes = [each[n - 1][1] for each in (backing, likely) if n - 1 < len(each)]
        entries.append([values[order[-1]] for values in (firsts, *codes)])

    unigrams = np.zeros(counts[0] + 2, np.dtype([("log_prob", "<f4"), ("backoff", "<f4"), ("longer", "<u8")]))
    unigrams["log_prob"][:counts[0]] = model.log_probs[0][order[0]]
    unigrams["backoff"][:counts[0]] = _marked(model.backoffs[0], extends[0])[order[0]]
    unigrams["longer"][:counts[0] + 1] = begins[0]
    yield unigrams.tobytes()
    width = bits_of(counts[0])
    offset = 0  # from a multiple of 8, as all before is
    for entry, begin in zip(entries, begins[1:]):
        part = _middle(entry, [width, BITS, BITS], begin, offset)
        offset += len(part)
        yield part
    yield _packed([np.append(values, 0) for values in entries[-1]], [width, BITS])
    yield _texts(words)


def header(counts: Sequence[int]) -> bytes:
    """What a file of n-grams of these counts begins with."""
    head = MAGIC.ljust(56, b"\0") + struct.pack("<3fIIIQ", 0.0, 1.0, -0.5, 1, 2 ** 32 - 1, 0, 1)
    head += struct.pack("<B3xfIB3xI", len(counts), 1.5, QUANTISED_TRIE, True, 1)
    head += struct.pack(f"<{len(counts)}Q", *counts)
    return head + bytes(-len(head) % 8)


def _texts(words: list[str]) -> bytes:
    return b"".join(word.encode() + b"\0" for word in words)


def _middle(entries: list[np.ndarray], widths: list[int], begins: np.ndarray, offset: int) -> bytes:
    """N-grams of a length between: their entries, with the places where longer ones begin, one more than entries.

    The array holds, for each value of the pointers' high bits, the first entry that has it or more.

    Args:
        offset: bytes before this part: the array starts at a multiple of 8.
    """
    inline, table = pointer_split(len(begins), int(begins[-1]))
    array = np.searchsorted(begins >> inline, np.arange(table)).astype("<u8")
    array[0] = 0
    before = -offset % 8
    head = bytes([0, POINTER_BITS]).ljust(before + 8, b"\0")  # the version of the array comes first
    packed = _packed([*(np.append(entry, 0) for entry in entries), begins & (2 ** inline - 1)], [*widths, inline])
    return head + array.tobytes() + bytes(7 - before) + packed


def pointer_split(n_pointers: int, highest: int, most: int = POINTER_BITS) -> tuple[int, int]:
    """How many bits of each pointer stand in its entry, and how long the array for the others is: what is smallest.

    Args:
        n_pointers: one more than there are entries.
        highest: that a pointer may be.
        most: bits that may go to the array.
    """
    bits = bits_of(highest)
    cost = {high: (highest >> (bits - high)) * 64 - n_pointers * high for high in range(min(bits, most) + 1)}
    high = min(cost, key=lambda high: cost[high])  # the least, of equal ones
    return bits - high, (highest >> (bits - high)) + 1


def _packed(values: list[np.ndarray], widths: list[int]) -> bytes:
    """Entries of several values each as bits, the first value lowest, and 8 bytes that readers may touch."""
    total = sum(widths)
    entry = np.zeros(len(values[0]), np.uint64)
    shift = 0
    for value, width in zip(values, widths):
        entry |= value.astype(np.uint64) << np.uint64(shift)
        shift += width
    bits = np.arange(total, dtype=np.uint64)
    parts = [np.packbits(((entry[i:i + 65536, None] >> bits) & np.uint64(1)).astype(np.uint8), bitorder="little")
             for i in range(0, len(entry), 65536)]  # whole bytes each, as 8 divides their length
    return b"".join(part.tobytes() for part in parts) + bytes(8)


def packed_size(count: int, width: int) -> int:
    """Bytes of `count` entries of `width` bits, with one more for where the last ends."""
    return ((count + 1) * width + 7) // 8 + 8


def bits_of(highest: int) -> int:
    """How many bits numbers up to this take."""
    return highest.bit_length()


def _quantise(values: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Bins' centres (float32, rising) that stand for `values` with little squared error, and each value's bin.

    Bins of equally many values (Federico and Bertoldi, 2006), bettered by Lloyd's algorithm (1982).
    """
    distinct = np.unique(values)
    if len(distinct) <= bins:
        centres = np.concatenate([distinct, np.full(bins - len(distinct), distinct[-1] if len(distinct) else 0.0)])
        return centres.astype("<f4"), np.searchsorted(distinct, values)
    ordered = np.sort(values).astype(np.float64)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    edges = np.linspace(0, len(ordered), bins + 1).astype(np.int64)
    centres = np.zeros(bins)
    for _ in range(30):
        filled = np.diff(edges) > 0
        centres[filled] = (np.diff(sums[edges])[filled]) / np.diff(edges)[filled]
        centres.sort()
        edges[1:-1] = np.searchsorted(ordered, (centres[1:] + centres[:-1]) / 2)
    centres = centres.astype("<f4")
    return centres, np.searchsorted((centres[1:] + centres[:-1]) / 2, values)


def _quantise_backoffs(backoffs: np.ndarray, extends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `_quantise`, with the bins RESERVED for what is 0."""
    some = backoffs != 0
    centres, codes = _quantise(backoffs[some], 2 ** BITS - RESERVED)
    every = extends.astype(np.int64)
    every[some] = codes + RESERVED
    return np.concatenate([np.array([-0.0, 0.0], "<f4"), centres]), every


def _marked(backoffs: np.ndarray, extends: np.ndarray) -> np.ndarray:
    """Backoffs of which those of 0 tell by their sign whether the n-gram begins a longer one."""
    return np.where(backoffs != 0, backoffs, np.where(extends, np.float32(0.0), np.float32(-0.0)))


def murmur_hash(text: bytes) -> int:
    """MurmurHash64A of seed 0 (Appleby, 2008; public domain)."""
    m, mask = 0xC6A4A7935BD1E995, 2 ** 64 - 1
    value = len(text) * m & mask
    whole = len(text) // 8
    for block in struct.unpack(f"<{whole}Q", text[:8 * whole]):
        block = block * m & mask
        block = (block ^ block >> 47) * m & mask
        value = (value ^ block) * m & mask
    if rest := text[8 * whole:]:
        value = (value ^ int.from_bytes(rest, "little")) * m & mask
    value = (value ^ value >> 47) * m & mask
    return value ^ value >> 47
