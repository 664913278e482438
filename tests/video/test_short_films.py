"""Films of a few frames are drawn as they are classified."""

import pytest
from films import sliding, write_film

from earsight.app.main import main
from earsight.common.errors import EarsightError
from earsight.video.explaining import explain
from earsight.video.reading import sample
from earsight.video.recognition.recogniser import ActionRecogniser, shrunk, strip


@pytest.mark.parametrize("count, rate", [(1, 24), (1, 1), (2, 24), (3, 2)])
def test_films_of_few_frames(tmp_path, count, rate, capsys):
    pytest.importorskip("matplotlib")
    film = write_film(tmp_path / "film.mkv", sliding(count, (96, 128)), rate)
    for options in ([], ["--timeline"]):
        assert main(["classify", str(film), *options, "--plot", str(tmp_path / "plots")]) == 0
        out, err = capsys.readouterr()
        # A pattern that slides is no exercise, of which a timeline says nothing.
        assert ("no label is likely enough" if options else "unknown (most like") in out and not err
    assert (tmp_path / "plots/film.png").read_bytes().startswith(b"\x89PNG")
    pictures, *_ = explain(film, "actions-10").axes
    assert 1 <= len(pictures.images)


def test_the_strip_of_a_longer_film_shows_the_middles_of_its_parts(tmp_path):
    film = write_film(tmp_path / "film.mkv", sliding(32, (96, 128)), 16)
    assert [moment.time for moment in strip(film, 4, 0.0, 2.0)] == [
        moment.time for moment in sample(film, 2.0, fit=shrunk, start=0.25)] == [0.25, 0.75, 1.25, 1.75]  # fmt: skip


def test_a_picture_that_cannot_be_drawn_costs_no_answer(tmp_path, monkeypatch, capsys):
    def broken(result):
        raise EarsightError("no picture")

    film = write_film(tmp_path / "film.mkv", sliding(8, (96, 128)))
    monkeypatch.setattr(ActionRecogniser, "thumbnails", staticmethod(broken))
    assert main(["classify", str(film), "--plot", str(tmp_path / "plots")]) == 1
    out, err = capsys.readouterr()
    assert "%" in out and err == f"error: {film}: not drawn: no picture\n"
