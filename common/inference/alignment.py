"""Forced alignment: where in a clip the words of a text that is known are, by the best CTC path that says them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import isqrt

import numpy as np

from ..ctc import PathWord, Token
from ..labels import BLANK

Spellings = Sequence[Sequence[int]]  # of one word, as label ids


@dataclass
class Graph:
    """Which labels may follow each other in a text: a node for each place of a label or a blank.

    Attributes:
        labels: of each node.
        words: which word's each node is; -1 for blanks and separators.
        before: the nodes from which each may be reached, itself first.
        initial, final: nodes in which a path may begin and end.
    """

    labels: list[int] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    before: list[list[int]] = field(default_factory=list)
    initial: list[int] = field(default_factory=list)
    final: list[int] = field(default_factory=list)

    def add(self, label: int, before: Sequence[int], word: int = -1) -> int:
        """Add a node that may follow `before`, or begin the path if these are empty or hold the first blank."""
        node = len(self.labels)
        self.labels.append(label)
        self.words.append(word)
        # Two equal labels in a row are one label unless there is a blank between them.
        self.before.append([node, *(b for b in before if self.labels[b] != label)])
        if not before or 0 in before:
            self.initial.append(node)
        return node

    def chain(self, ids: Sequence[int], before: list[int], word: int = -1) -> list[int]:
        """Add labels one behind the other, a blank behind each; returns the nodes in which they end."""
        for i in ids:
            node = self.add(i, before, word)
            before = [node, self.add(BLANK, [node])]
        return before


def text_graph(words: Sequence[Spellings], separator: int | None) -> Graph:
    """The graph of a text: each word in any of its spellings, with the separator, if there is one, between words."""
    graph = Graph()
    ends = [graph.add(BLANK, [])]
    for number, spellings in enumerate(words):
        if number and separator is not None:
            ends = graph.chain([separator], ends)
        ends = [node for ids in spellings for node in graph.chain(ids, ends, number)]
    graph.final = ends
    return graph


def best_path(log_probs: np.ndarray, graph: Graph) -> tuple[np.ndarray, float]:
    """The likeliest path through a graph (Viterbi).

    The scores of one frame in sqrt(time) are kept, and those between computed again on the way back: memory grows with
    sqrt(time) * nodes (Grice et al., 1997).

    Args:
        log_probs: (time, label), at least one frame.

    Returns:
        The node of each frame (time,), and the path's log-probability: -inf where there is none.
    """
    time, labels = len(log_probs), np.array(graph.labels)
    # The first node before each is itself; then for the second, third, ...: which nodes have one, and which it is.
    ways = []
    for k in range(1, max(map(len, graph.before))):
        having = [node for node, before in enumerate(graph.before) if len(before) > k]
        ways.append((np.array(having), np.array([graph.before[node][k] for node in having])))

    def step(scores: np.ndarray, frame: int) -> tuple[np.ndarray, np.ndarray]:
        best, way = scores.copy(), np.zeros(len(scores), dtype=np.uint8)
        for k, (nodes, before) in enumerate(ways, 1):
            reached = scores[before]
            better = reached > best[nodes]
            best[nodes[better]] = reached[better]
            way[nodes[better]] = k
        return best + log_probs[frame, labels], way

    scores = np.full(len(labels), -np.inf)
    scores[graph.initial] = log_probs[0, labels[graph.initial]]
    block = isqrt(time - 1) + 1
    kept = [scores]
    for frame in range(1, time):
        scores, _ = step(scores, frame)
        if frame % block == 0:
            kept.append(scores)
    node = max(graph.final, key=scores.__getitem__)
    total = float(scores[node])
    path = np.empty(time, dtype=np.int64)
    for number in reversed(range(len(kept))):
        first, last = number * block, min((number + 1) * block, time)
        scores, backs = kept[number], []
        for frame in range(first + 1, min(last + 1, time)):
            scores, way = step(scores, frame)
            backs.append(way)
        for frame in reversed(range(first, last)):
            if frame + 1 < time:
                node = graph.before[node][backs[frame - first][node]]
            path[frame] = node
    return path, total


def path_words(path: np.ndarray, graph: Graph, texts: Sequence[str]) -> list[PathWord]:
    """The words of a path through a graph of `texts`, with the frames of their labels."""
    tokens: list[list[Token]] = [[] for _ in texts]
    frame = 0
    for node, run in groupby(path.tolist()):
        end = frame + len(list(run))
        if graph.words[node] >= 0:
            tokens[graph.words[node]].append(Token(graph.labels[node], frame, end))
        frame = end
    return [PathWord(text, tuple(own)) for text, own in zip(texts, tokens)]
