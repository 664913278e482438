"""The classifier in scikit-learn's shape, under scikit-learn's own tools."""

import pickle

import numpy as np
import pytest
from series_models import CLASSES, swing

import earsight
from earsight.common.series.recognition import SeriesRecogniser

SMALL = {"hidden": 8, "layers": 1, "steps": 40, "batch_size": 6, "learning_rate": 0.01, "augment": False, "threads": 1}


def clips(count, seed=0, length=16):
    return ([swing(CLASSES[k % 2], length + k % 3, seed + k) for k in range(count)],
            np.array([k % 2 for k in range(count)]))


@pytest.fixture(scope="module")
def fitted():
    return earsight.SeriesClassifier(**SMALL).fit(*clips(20))


def test_it_learns_and_says_how_sure_it_is(fitted):
    X, y = clips(10, 500)
    assert fitted.score(X, y) == 1 and fitted.classes_.tolist() == [0, 1]
    probabilities = fitted.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(fitted.classes_[probabilities.argmax(axis=1)], fitted.predict(X))
    together = np.stack([each[:16] for each in X])
    np.testing.assert_array_equal(fitted.predict(together), y)  # an array (series, time, channel) is as good as a list


def test_scikit_learns_tools_take_it(fitted):
    base = pytest.importorskip("sklearn.base")
    selection = pytest.importorskip("sklearn.model_selection")
    copy = base.clone(fitted)
    assert copy.get_params() == fitted.get_params() and not hasattr(copy, "classes_")
    assert base.is_classifier(copy)
    assert "hidden=8" in repr(copy)
    X, y = clips(16)
    search = selection.GridSearchCV(copy, {"hidden": [4]}, cv=2).fit(X, y)
    assert search.best_params_ == {"hidden": 4} and search.best_estimator_.score(X, y) > 0.7


def test_it_travels_in_a_pickle_and_as_a_model_folder(fitted, tmp_path):
    X, _ = clips(3, 900)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    folder = fitted.save(tmp_path / "model")
    np.save(tmp_path / "a.npy", X[0])
    given = SeriesRecogniser(folder).classify(tmp_path / "a.npy").probabilities
    np.testing.assert_allclose([given["0"], given["1"]], fitted.predict_proba(X)[0], atol=1e-6)


@pytest.mark.parametrize("X, y, complaint", [
    ([np.zeros((3, 2))] * 2, [0], "holds 2 series; give each a class"),
    ([np.zeros((3, 2))] * 2, ["a", "a"], "two or more"),
    ([np.zeros((3, 2)), np.zeros((3, 1))], [0, 1], "series 2 of X has 1 channels, and the first 2"),
    ([["a"], ["b"]], [0, 1], "series 1 of X holds no numbers"),
    ([], [], "X holds no series"),
])
def test_what_cannot_be_learnt_is_told(X, y, complaint):
    with pytest.raises(earsight.EarsightError, match=complaint):
        earsight.SeriesClassifier().fit(X, y)


def test_other_channels_unknown_parameters_and_nothing_learnt(fitted):
    with pytest.raises(earsight.EarsightError, match="X has 3 channels, and the classifier learnt 2"):
        fitted.predict([np.zeros((5, 3))])
    with pytest.raises(earsight.EarsightError, match="no parameter 'depth'"):
        earsight.SeriesClassifier().set_params(depth=3)
    with pytest.raises(earsight.EarsightError, match="call fit first"):
        earsight.SeriesClassifier().predict([np.zeros((5, 3))])
