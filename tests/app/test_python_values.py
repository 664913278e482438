"""Values from Python that Python's own operators stumble over: one EarsightError that names the argument."""

import numpy as np
import pytest

import earsight
from conftest import tone, write_wav
from earsight import EarsightError

LONG, HALF, HUGE, ARRAY = "a" * 300, "\ud800", 10**400, np.array([1, 2])


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_wav(tmp_path_factory.mktemp("clip") / "clip.wav", tone(440, 0.5))


@pytest.mark.parametrize("options, said", [
    ({"channels": ARRAY}, "^channels: "),
    ({"damaged": ARRAY}, "^damaged: "),
    ({"decoder": ARRAY}, "^decoder "),
    ({"lm": HALF}, "^lm: .* is not the path of a file"),
    ({"lexicon": LONG}, "^lexicon: .* is not the path of a file"),
    ({"lm_weight": HUGE}, "^lm_weight: .* is not a number"),
    ({"beam_threshold": HUGE}, "^beam_threshold: .* is not a number above 0"),
    ({"model": LONG}, "^model: .* names no file"),
    ({"model": HALF}, "^model: .* names no file"),
])
def test_transcribe(options, said, clip):
    with pytest.raises(EarsightError, match=said):
        earsight.transcribe(clip, **{"model": "en-small", **options})


@pytest.mark.parametrize("options, said", [
    ({"source": 3}, "^source: a int"),
    ({"source": None}, "^source: a NoneType"),
    ({"source": LONG}, "^path: .* names no file"),
    ({"source": [HALF]}, "^path: .* names no file"),
    ({"output": LONG}, "^path: .* names no file"),
    ({"output": "."}, "name the model's own folder"),
    ({"output": "/"}, "name the model's own folder"),
    ({"output": "a/.."}, "name the model's own folder"),
    *[({"minutes": minutes}, "^--minutes .*: give a number above 0") for minutes in ("x", None, HUGE, 1j, [], ARRAY)],
    ({"task": ARRAY}, "^--task "),
    ({"add": ARRAY}, "^add: .* is neither True nor False"),
])
def test_learn(options, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EarsightError, match=said):
        earsight.learn(**{"source": tmp_path, "output": "model", "minutes": 1e-4, **options})
    assert not list(tmp_path.iterdir())


X, Y = np.random.default_rng(1).random((4, 9, 2)), [0, 1, 0, 1]


@pytest.fixture(scope="module")
def fitted():
    return earsight.SeriesClassifier(hidden=4, layers=1, steps=1, threads=1).fit(X, Y)


@pytest.mark.parametrize("series, said", [
    (None, "^X is a NoneType"), (3, "^X is a int"), (np.float32(2), "^X is a float32"),
    (np.array(3), "^X is a ndarray"), (object(), "^X is a object"), ([HUGE], "^series 1 of X holds no numbers"),
    ([[HUGE]], "^series 1 of X holds no numbers"),
])
def test_series(series, said, fitted):
    for call in (fitted.predict, fitted.predict_proba, lambda each: fitted.fit(each, Y)):
        with pytest.raises(EarsightError, match=said):
            call(series)


@pytest.mark.parametrize("classes, said", [
    ([], "^y has the shape"), (["a", "b"] * 3, "^y has the shape"), ([(1, 2), (3, 4)] * 2, "^y has the shape"),
    ([[1, 2], [3]] * 2, "^y is no list of classes"), ([0.5, float("nan")] * 2, "^y holds NaN"),
    (np.array([0.5, float("nan")] * 2, object), "^y holds NaN"),
])
def test_classes(classes, said, fitted):
    for call in (fitted.fit, fitted.score):
        with pytest.raises(EarsightError, match=said):
            call(X, classes)


@pytest.mark.parametrize("classes", [[None] * 4, [None, "a"] * 2, [{}, {}] * 2])
def test_classes_without_an_order(classes, fitted):
    with pytest.raises(EarsightError, match="^y holds classes that have no order"):
        fitted.fit(X, classes)


@pytest.mark.parametrize("name, value", [("layers", -1), ("layers", HUGE), ("members", HUGE), ("stride", -1),
                                         ("stride", HUGE)])
def test_encoders_that_cannot_be(name, value):
    with pytest.raises(EarsightError, match=f"^encoder.{name} .*: give [01] or more"):
        earsight.SeriesClassifier(**{"hidden": 4, "layers": 1, "steps": 1, "threads": 1, name: value}).fit(X, Y)


@pytest.mark.parametrize("folder", [LONG, HALF, 3, None, "a\0b", ""])
def test_a_folder_to_save_in(folder, fitted):
    with pytest.raises(EarsightError, match="^path: "):
        fitted.save(folder)


def test_classes_of_half_letters(fitted, tmp_path):
    """Which files in UTF-8 hold escaped alone, as JSON has them."""
    model = earsight.SeriesClassifier(hidden=4, layers=1, steps=1, threads=1).fit(X, [HALF, "b"] * 2)
    assert set(model.predict(X)) <= {HALF, "b"}


@pytest.mark.parametrize("name", ["steps", "batch_size", "learning_rate", "frame_shift", "seed", "threads"])
@pytest.mark.parametrize("value", [None, "x", ARRAY, -1, HUGE, float("nan"), []])
def test_numbers_of_a_training(name, value):
    with pytest.raises(EarsightError, match=f"^{name}: .* is not a "):
        earsight.SeriesClassifier(hidden=4, layers=1, **{"steps": 1, "threads": 1, name: value}).fit(X, Y)
