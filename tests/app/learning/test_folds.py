"""Folds, the choice among candidates and the learning curve, on values known by construction."""

import numpy as np
import pytest

from earsight.app.learning.curve import fit_curve
from earsight.app.learning.folds import Taught, choose, linear_outputs, make_folds


def taught(units, targets, features=None):
    targets = np.array(targets)
    features = np.zeros((len(targets), 2), np.float32) if features is None else features
    labels = tuple("abcdefgh"[: targets.max() + 1])
    return Taught(targets, labels, np.array(units), features, np.zeros((0, features.shape[1]), np.float32),
                  np.zeros(0, int), (features.shape[1],))


def test_units_stay_whole_and_each_clip_is_held_out_once():
    units = np.repeat(range(10), 6)
    clips = taught(units, np.tile([0, 1, 2], 20))
    folds = make_folds(clips)
    assert folds.min() == 0 and folds.max() == 4
    assert all(len(set(folds[units == unit])) == 1 for unit in range(10))
    assert all(set(clips.targets[folds == fold]) == {0, 1, 2} for fold in range(5))


def test_a_class_of_one_unit_is_never_held_out():
    clips = taught([0, 0, 1, 1, 2, 2, 3, 4], [0, 1, 0, 1, 0, 1, 2, 2])
    alone = taught([0, 0, 1, 1, 2, 2, 3, 3], [0, 1, 0, 1, 0, 1, 2, 2])
    assert (make_folds(clips)[6:] >= 0).any()
    assert (make_folds(alone)[6:] == -1).all() and (make_folds(alone)[:6] >= 0).all()


def test_nothing_can_be_held_out_of_classes_of_one_unit_each():
    assert make_folds(taught([0, 0, 1, 1], [0, 0, 1, 1])).max() == -1


def test_what_is_held_out_is_not_taught():
    # A clip's only feature is its own mark: whoever was taught it would know it.
    marks = np.eye(12, dtype=np.float32)
    targets = np.tile([0, 1], 6)
    clips = taught(range(12), targets, marks)
    folds = make_folds(clips)
    outputs = linear_outputs(clips, folds, 1e-3)
    right = outputs.argmax(axis=1) == targets
    assert np.isfinite(outputs).all() and right.mean() < 1
    # An unseen mark leaves the bias alone: all clips of a fold look alike.
    for fold in range(folds.max() + 1):
        held = outputs[folds == fold]
        assert np.allclose(held, held[0], atol=0.05)


def said(right, targets):
    """Log-probabilities (clip, 2) that are right or wrong with 90 %."""
    taken = np.where(right, targets, 1 - targets)
    return np.log(np.where(np.arange(2) == taken[:, None], 0.9, 0.1))


def test_each_answer_is_of_the_model_that_is_best_elsewhere():
    targets, folds = np.tile([0, 1], 6), np.repeat(range(3), 4)
    one = said(np.repeat([True, False, False], 4), targets)  # right in fold 0 alone
    other = said(np.repeat([False, True, False], 4), targets)  # right in fold 1 alone
    chosen = choose({"one": one, "other": other}, targets, folds)
    assert chosen.correct == {"one": pytest.approx(1 / 3), "other": pytest.approx(1 / 3)}
    # In fold 0 the other is better elsewhere, in fold 1 the one is: neither is right there.
    assert np.array_equal(chosen.outputs[:4], other[:4]) and np.array_equal(chosen.outputs[4:8], one[4:8])
    assert not (chosen.outputs.argmax(axis=1) == targets)[:8].any()


def test_candidates_are_compared_where_all_were_asked():
    targets, folds = np.tile([0, 1], 4), np.repeat(range(2), 4)
    cheap = said(np.repeat([True, False], 4), targets)
    dear = said(np.repeat([True, True], 4), targets)
    dear[folds == 1] = np.nan
    dear[0] = np.log([0.99, 0.01])  # as often right, and surer
    chosen = choose({"cheap": cheap, "dear": dear}, targets, folds)
    assert chosen.best == "dear" and chosen.asked.tolist() == [True] * 4 + [False] * 4
    assert chosen.correct == {"cheap": 1.0, "dear": 1.0}


def test_a_power_law_is_continued():
    clips = np.array([25, 50, 75, 100])
    curve = fit_curve(clips, 2.0 * clips**-0.5)
    assert curve.doubled == pytest.approx(2.0 * 200**-0.5, rel=1e-6)
    assert "would fall from 20.0% to about 14.1%" in curve.sentence()


def test_errors_that_do_not_fall_are_told():
    curve = fit_curve([10, 20, 30, 40], [0.2, 0.2, 0.21, 0.2])
    assert curve.doubled is None or curve.doubled == pytest.approx(0.2, abs=0.01)
    assert fit_curve([10, 20, 40], [0.1, 0.15, 0.2]).doubled is None
    assert "hardly help" in fit_curve([10, 20, 40], [0.1, 0.15, 0.2]).sentence()
