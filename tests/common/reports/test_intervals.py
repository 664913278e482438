"""Bootstrap intervals against what is known of binomial shares."""

import numpy as np
import pytest

from earsight.common.reports.intervals import bootstrap_interval


def test_an_interval_of_single_clips_is_the_binomial_one():
    right = np.zeros(400)
    right[:320] = 1
    low, high = bootstrap_interval(right, np.ones(400), range(400))
    wide = 1.96 * np.sqrt(0.8 * 0.2 / 400)
    assert low == pytest.approx(0.8 - wide, abs=0.01) and high == pytest.approx(0.8 + wide, abs=0.01)


def test_clips_that_go_wrong_together_widen_it():
    right = np.repeat([1.0, 1.0, 1.0, 1.0, 0.0], 80)
    groups = np.repeat(range(5), 80).tolist()
    together, apart = (bootstrap_interval(right, np.ones(400), units) for units in (groups, range(400)))
    assert together[1] - together[0] > 4 * (apart[1] - apart[0])


def test_a_rate_counts_words_not_clips():
    # One long clip without errors beside nine short ones that are all wrong.
    edits, words = np.array([0.0] + [1.0] * 9), np.array([91.0] + [1.0] * 9)
    low, high = bootstrap_interval(edits, words, range(10))
    assert low < 0.09 < high <= 1.0


def test_all_right_has_no_width():
    assert bootstrap_interval(np.ones(5), np.ones(5), range(5)) == (1.0, 1.0)
