"""Paths of labels, run by run."""

from itertools import groupby

import numpy as np
import pytest

from earsight.common.ctc import Token, tokens_of_labels, tokens_of_path


@pytest.mark.parametrize("path, tokens", [
    ([], []), ([0, 0], []), ([3], [Token(3, 0, 1)]),
    ([1, 1, 0, 1, 2, 2], [Token(1, 0, 2), Token(1, 3, 4), Token(2, 4, 6)])])
def test_runs_of_known_paths(path, tokens):
    assert tokens_of_labels(path) == tokens == tokens_of_path(np.array(path, int))


def test_runs_are_those_of_itertools():
    rng = np.random.default_rng(1)
    for count in range(60):
        path, place, expected = rng.integers(0, 3, count), 0, []
        for label, run in groupby(path.tolist()):
            size = len(list(run))
            expected += [Token(label, place, place + size)] if label else []
            place += size
        assert tokens_of_path(path) == expected
