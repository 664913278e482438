"""`earsight explain` on a film, with the model of the package."""

import numpy as np
import pytest
from films import sliding, write_film

import earsight
from earsight.app.main import main
from earsight.video.explaining import explain


def test_panels_of_a_film(tmp_path):
    film = write_film(tmp_path / "film.mkv", sliding(48, (96, 128)))
    figure = explain(film, "actions-10")
    pictures, *rest = figure.axes
    assert len(rest) == 4 + 1 + 6  # streams, classes, gates and memory of three units
    assert len(pictures.images) > 3
    shown = [image.get_array() for image in pictures.images]
    assert np.abs(shown[0].astype(int) - shown[-1]).max() > 50  # they are not all one picture
    assert [axes.get_xlim() for axes in figure.axes] == [(0, pytest.approx(3.0))] * len(figure.axes)
    assert "LSTM layer 4 (pose), forward" in figure.texts[1].get_text()
    result = earsight.classify(film)
    assert f"{result.label} {result.probabilities[result.label]:.0%}" in figure.texts[1].get_text()


def test_a_broken_film_is_one_line(tmp_path, capsys):
    (tmp_path / "film.mp4").write_bytes(b"nothing of a film")
    assert main(["explain", str(tmp_path / "film.mp4"), "--output", str(tmp_path / "a.png")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and "film.mp4" in lines[0]
