"""What an n-gram model is in memory: arrays, one entry an n-gram, the n-grams of a length together."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
HIGHEST_ORDER = 6  # of the n-grams that the KenLM inside flashlight-text reads
SPACE = "|"  # stands for the space in models of characters, where a line is split at spaces


@dataclass(frozen=True)
class Grams:
    """All n-grams of one length, sorted by their words. Each array has an entry an n-gram.

    Attributes:
        context: which of the n-grams one shorter its words but the last are (0 for single words).
        suffix: which of them its words but the first are (0 for single words).
        word: its last word, a place in the list of words.
    """

    context: np.ndarray
    suffix: np.ndarray
    word: np.ndarray

    def __len__(self) -> int:
        return len(self.word)


@dataclass(frozen=True)
class NgramModel:
    """A back-off model: log10 P(word | context), and what backing off from an n-gram costs.

    Attributes:
        words: the vocabulary, sorted, with START, END and UNKNOWN.
        orders: the n-grams of length 1, 2, ...; at length 1 one a word. All beginnings and ends of one that is there
            are there too.
        log_probs, backoffs: a float32 array a length, log10; a backoff is 0 where nothing follows.
    """

    words: list[str]
    orders: list[Grams]
    log_probs: list[np.ndarray]
    backoffs: list[np.ndarray]

    def texts(self) -> Iterator[Iterator[str]]:
        """For each length its n-grams, words parted by spaces."""
        shorter = [""]
        for n, grams in enumerate(self.orders, 1):
            last = n == len(self.orders)
            texts = (f"{shorter[context]} {self.words[word]}" if n > 1 else self.words[word]
                     for context, word in zip(grams.context.tolist(), grams.word.tolist()))
            if last:
                yield texts
            else:
                shorter = list(texts)
                yield iter(shorter)
