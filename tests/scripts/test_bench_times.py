"""Errors of words' times, and what is fitted to them, on tones whose places are known."""

import shutil
import sys

import bench_times
import numpy as np
import pytest

from earsight.audio.corpora.importers import OPENERS
from earsight.common.data.manifest import read_manifest, write_manifest
from earsight.common.inference.recognition import Word
from earsight.common.model_folder import read_config

LATE = 0.2  # seconds that the reference times are wrong by, so that there is something to fit


@pytest.fixture
def manifest(tone_corpus, tmp_path):
    """The tones with the times of their words: 0.35 s each, and 0.1 s behind it."""
    cuts = list(read_manifest(tone_corpus / "tones.csv", OPENERS))
    for cut in cuts:
        supervision = cut.supervisions[0]
        places = [(word, 0.45 * k + LATE, 0.45 * k + 0.35 + LATE) for k, word in enumerate(supervision.text.split())]
        supervision.custom = {**(supervision.custom or {}), "words": places}
    return write_manifest(cuts, tmp_path / "dev.jsonl.gz")


def test_only_words_that_are_right_are_compared():
    references = [("set", 0.5, 0.7), ("white", 0.7, 1.0), ("now", 1.0, 1.5)]
    heard = (("set", 0.52, 0.7), ("right", 0.7, 1.0), ("oh", 1.0, 1.1), ("now", 1.1, 1.4))
    words = [Word(*word, confidence=1.0) for word in heard]
    assert np.array(bench_times.compared(references, words)) == pytest.approx(np.array([[0.02, 0.0], [0.1, -0.1]]))
    text = bench_times.summary([(0.02, 0.0), (-0.1, 0.3)], 3)
    assert text.startswith("2 of 3 words\nstarts mean absolute error  60 ms, within 120 ms 100.0%, worst  100 ms")
    assert "ends   mean absolute error 150 ms, within 120 ms  50.0%, worst  300 ms, median error +150 ms" in text


def test_what_is_fitted_mends_the_times(manifest, tone_models, tmp_path, monkeypatch, capsys):
    model = tmp_path / "model"
    shutil.copytree(tone_models["ctc"], model)

    def medians(*options: str) -> list[float]:
        monkeypatch.setattr(sys, "argv", ["bench_times.py", str(model), str(manifest), *options])
        assert bench_times.main() == 0
        lines = capsys.readouterr().out.splitlines()
        return [float(line.split()[-2]) for line in lines if "median" in line][:2]

    before = medians()[0]  # ms
    assert before < -150
    assert abs(medians("--fit")[0]) <= 10
    assert 0.1 < read_config(model).times["start"] < 0.25  # the first words' were cut off at 0
    assert abs(medians()[0]) <= 10


def test_a_manifest_without_times_is_an_error(tone_corpus, tone_models, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bench_times.py", str(tone_models["ctc"]), str(tone_corpus / "tones.csv")])
    assert bench_times.main() == 1
    assert "has no times of its words" in capsys.readouterr().err
