"""`earsight.transcribe` and `classify` from Python: what they cannot use is named in one EarsightError."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import earsight
from conftest import tone, write_wav
from earsight import EarsightError
from earsight.common.decoding.ngrams.making import make_model


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_wav(tmp_path_factory.mktemp("clip") / "clip.wav", tone(440, 0.5))


@pytest.mark.parametrize("options, said", [
    ({"language": "en"}, "language: there is no such option; known are decoder, beam"),
    ({"hotword": ["x"]}, "hotword: there is no such option; is hotwords meant"),
    ({"beam_size": 3}, "beam_size: .* is beam meant"),
    ({"beam": "3"}, "beam: '3' is not a whole number from 1"),
    ({"beam": 0}, "beam: 0 is not"),
    ({"n_best": "3"}, "n_best: '3' is not a whole number from 1"),
    ({"n_best": True}, "n_best: True is not"),
    ({"lm_weight": float("nan")}, "lm_weight: nan is not a number"),
    ({"lm": 3}, "lm: 3 is not the path of a file"),
    ({"decoder": ["beam"]}, r"decoder \['beam'\] is unknown; choose greedy or beam"),
    ({"hotwords": "green:5"}, "hotwords: 'green:5' is not a list of texts"),
    ({"hotwords": [5]}, "hotword 5 is no text"),
    ({"model": ["en-small"]}, "model: a list, .*give the path"),
    ({"model": ""}, "model: '' names no file"),
])
def test_the_argument_is_named(options, said, clip):
    with pytest.raises(EarsightError, match=said):
        earsight.transcribe(clip, **options)


@pytest.mark.parametrize("path", ["", None, 3, b"clip.wav", "a\0b", ["clip.wav"]])
def test_a_path_that_is_none(path):
    for function in (earsight.transcribe, earsight.classify):
        with pytest.raises(EarsightError, match="^path: "):
            function(path)


def test_paths_and_lists_serve(clip, tmp_path):
    make_model(["green apples", "green pears"], 2, tmp_path / "words.arpa")
    assert earsight.transcribe(str(clip), model=None, decoder=None).duration == 0.5
    assert earsight.transcribe(clip, hotwords=("green:5",), lm=tmp_path / "words.arpa").duration == 0.5


def test_a_replaced_model_is_read_again(clip, tone_models, tmp_path):
    shutil.copytree(tone_models["classification"], tmp_path / "m")
    assert "lo" in earsight.classify(clip, tmp_path / "m").probabilities
    shutil.rmtree(tmp_path / "m")
    shutil.copytree(Path(earsight.__file__).parent / "audio/models/digits", tmp_path / "m")
    assert "seven" in earsight.classify(clip, tmp_path / "m").probabilities


def test_a_relative_model_is_of_the_folder_one_is_in(clip, tone_models, tmp_path, monkeypatch):
    for name, source in (("a", tone_models["classification"]),
                         ("b", Path(earsight.__file__).parent / "audio/models/digits")):
        shutil.copytree(source, tmp_path / name / "m")
    monkeypatch.chdir(tmp_path / "a")
    assert "lo" in earsight.classify(clip, "m").probabilities
    os.chdir(tmp_path / "b")
    assert "seven" in earsight.classify(clip, "m").probabilities


ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(-3, 2**40), st.floats(), st.text(max_size=8),
                     st.binary(max_size=4), st.lists(st.text(max_size=6), max_size=2), st.just(object()),
                     st.dictionaries(st.text(max_size=2), st.integers(), max_size=1))
NAMES = st.sampled_from(["decoder", "beam", "beam_threshold", "lm", "lexicon", "lm_weight", "word_score",
                         "blank_penalty", "hotwords", "n_best", "language"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.one_of(st.none(), ANYTHING), model=st.one_of(st.none(), ANYTHING),
       options=st.dictionaries(NAMES, ANYTHING, max_size=2))
def test_nothing_but_an_error_of_ours(clip, path, model, options):
    """Whatever is given: a transcript, or an EarsightError."""
    for call in (lambda: earsight.transcribe(clip, **options), lambda: earsight.transcribe(clip, model, **options),
                 lambda: earsight.transcribe(path), lambda: earsight.classify(path, model)):
        try:
            call()
        except EarsightError as error:
            assert "\n" not in str(error)
