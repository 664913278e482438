"""Confidence: against a general minimiser, by hand, and on made-up words whose truth is known."""

import numpy as np
import pytest

from earsight.common.ctc import PathWord, Token
from earsight.common.decoding.decoders import Hypothesis
from earsight.common.errors import EarsightError
from earsight.common.inference.confidence import (
    LEAD,
    RIDGE,
    Calibration,
    Logistic,
    agreement,
    confidences,
    fit_logistic,
    sound_features,
    word_features,
)
from earsight.common.metrics import calibration_error


def reading(words: str, score: float = 0.0) -> Hypothesis:
    """Words of one label (1) each, of two frames, one after the other."""
    path = (PathWord(word, (Token(1, 2 * i, 2 * i + 2),)) for i, word in enumerate(words.split()))
    return Hypothesis(tuple(path), score)


def test_fitted_weights_minimise_the_penalised_loss():
    from scipy.optimize import minimize

    rng = np.random.default_rng(1)
    x = rng.normal([3.0, -50.0], [1.0, 20.0], (400, 2))
    y = (rng.random(400) < 1 / (1 + np.exp(-(x[:, 0] - 3) + 0.05 * (x[:, 1] + 50)))).astype(float)
    fitted = fit_logistic(x, y)
    scaled = (x - x.mean(axis=0)) / x.std(axis=0)

    y = np.where(y > 0.5, (y.sum() + 1) / (y.sum() + 2), 1 / (len(y) - y.sum() + 2))

    def loss(w):
        z = w[0] + scaled @ w[1:]
        return np.logaddexp(0, z).sum() - (y * z).sum() + RIDGE / 2 * (w[1:] ** 2).sum()

    best = minimize(loss, np.zeros(3), tol=1e-10).x
    expected = 1 / (1 + np.exp(-(best[0] + scaled @ best[1:])))
    assert fitted(x) == pytest.approx(expected, abs=1e-5)
    assert np.mean(fitted(x)) == pytest.approx(y.mean(), abs=1e-4)


def test_fitting_goes_well_where_all_are_right_or_a_feature_is_constant():
    x = np.column_stack([np.arange(20.0), np.full(20, 3.0)])
    sure = fit_logistic(x, np.ones(20))
    assert sure(x) == pytest.approx(21 / 22) and sure.weights[1] == 0


def test_calibration_error_by_hand():
    # bins 0.0-0.1: nothing; 0.9-1.0: mean confidence 0.95, half are right; 0.2-0.3: 0.25 and none
    right = [True, False, False, False]
    assert calibration_error([0.95, 0.95, 0.25, 0.25], right) == pytest.approx(0.45 / 2 + 0.25 / 2)
    assert calibration_error([1.0, 0.0], [True, False]) == 0
    assert calibration_error([], []) == 0


def test_readings_that_agree_make_words_sure():
    agreed = agreement([reading("one two"), reading("one ten"), reading("one")])
    assert agreed == pytest.approx([1, 1 / 3])
    far = agreement([reading("one two", 0), reading("one ten", -1000)])
    assert far == pytest.approx([1, 1])


def test_features_and_confidence_of_words_by_hand():
    log_probs = np.log(np.array([[0.2, 0.8], [0.5, 0.5], [0.7, 0.3], [0.6, 0.4]]))
    read = [reading("one two")]
    features = word_features(read, log_probs)
    entropy = -(0.2 * np.log(0.2) + 0.8 * np.log(0.8) + np.log(0.5)) / 2
    assert features[0] == pytest.approx([np.log(0.8), entropy, np.log(1e-4), np.log(2), 1, LEAD])
    words, whole = confidences(read, log_probs, np.zeros((4, 2)), None)
    assert words == pytest.approx([0.8, 0.4]) and whole == pytest.approx(0.32)

    zero = (0.0,) * 6
    calibration = Calibration(Logistic(np.log(3), zero), Logistic(0.0, (1.0,)), Logistic(0.0, (0.0,) * 8))
    words, whole = confidences(read, log_probs, np.zeros((4, 2)), calibration)
    assert words == pytest.approx([0.75 * 0.5] * 2)
    assert whole == pytest.approx(0.375**2 / (1 + 0.375**2))
    assert confidences([reading("")], log_probs, np.zeros((4, 2)), calibration) == ([], 0.5)
    assert Calibration.from_dict(calibration.to_dict()).words(np.zeros((1, 6))) == pytest.approx(0.75)


@pytest.mark.parametrize("next_score, lead", [(-2.5, 2.5), (0.0, 0.0), (-1000.0, LEAD)])
def test_the_lead_of_the_best_reading_counts_for_each_of_its_words(next_score, lead):
    log_probs = np.log(np.full((4, 2), 0.5))
    readings = [reading("one two"), reading("one ten", next_score), reading("ten", -2000.0)]
    assert word_features(readings, log_probs)[:, -1] == pytest.approx([lead, lead])
    zero = (0.0,) * 5
    calibration = Calibration(Logistic(0.0, (*zero, 1.0)), Logistic(0.0, (1.0,)))
    words, _ = confidences(readings, log_probs, np.zeros((4, 2)), calibration)
    assert words == pytest.approx([1 / (1 + np.exp(-lead))] * 2)


def test_a_calibration_that_knows_no_lead_serves_as_it_did():
    log_probs = np.log(np.full((4, 2), 0.5))
    readings = [reading("one two"), reading("one ten", -3.0)]
    before = Calibration(Logistic(0.0, (0.0, 0.0, 0.0, 0.0, 0.5)), Logistic(0.0, (1.0,)))
    words, _ = confidences(readings, log_probs, np.zeros((4, 2)), before)
    assert words == pytest.approx([1 / (1 + np.exp(-0.5))] * 2)
    damaged = Calibration(Logistic(0.0, (0.0,) * 4), Logistic(0.0, (1.0,)))
    with pytest.raises(EarsightError, match="4 weights for 6 figures"):
        confidences(readings, log_probs, np.zeros((4, 2)), damaged)


def test_impossible_labels_and_short_clips_are_numbers():
    log_probs = np.array([[0.0, -np.inf], [0.0, -np.inf]], np.float32)
    assert np.isfinite(word_features([reading("one")], log_probs)).all()
    assert np.isfinite(sound_features(np.zeros((1, 13), np.float32))).all()
