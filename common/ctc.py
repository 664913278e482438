"""CTC paths: the label of each frame, and the words that a path says, with their frames. In numpy."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .labels import BLANK, WORD_START, Labels


class Token(NamedTuple):  # of which a search makes thousands
    """One label of a path: frames `first` up to, not including, `end`."""

    label: int
    first: int
    end: int


@dataclass(frozen=True)
class PathWord:
    """A word of a path, and its labels, separators left out; none where their places are not asked for."""

    text: str
    tokens: tuple[Token, ...]


def greedy(log_probs: np.ndarray) -> tuple[list[int], list[int]]:
    """Best label of each frame, repeats merged, blanks dropped (Graves et al., 2006, best path decoding).

    Args:
        log_probs: (time, n_labels).

    Returns:
        The label ids, and the frame at which each of them begins.
    """
    tokens = tokens_of_path(log_probs.argmax(axis=-1))
    return [token.label for token in tokens], [token.first for token in tokens]


def tokens_of_path(path: np.ndarray) -> list[Token]:
    """The labels of a path (time,), repeats merged, blanks dropped."""
    return tokens_of_labels(path.tolist())


def tokens_of_labels(path: list[int]) -> list[Token]:
    """The same of a path that is a list."""
    ends = [place for place, (before, label) in enumerate(zip(path, path[1:]), 1) if before != label]
    ends += [len(path)] if path else []
    return [Token(path[first], first, end) for first, end in zip([0, *ends], ends) if path[first] != BLANK]


def words_of_path(path: np.ndarray, labels: Labels) -> list[PathWord]:
    """The words that a path (time,) of labels of text says, split where its labels split words."""
    groups: list[list[Token]] = [[]]
    for token in tokens_of_path(path):
        if token.label == labels.separator:
            groups.append([])
        elif labels.kind == "bpe" and labels.symbols[token.label].startswith(WORD_START):
            groups.append([token])
        else:
            groups[-1].append(token)
    words = ((labels.decode([token.label for token in group]), tuple(group)) for group in groups if group)
    return [PathWord(text, tokens) for text, tokens in words if text]
