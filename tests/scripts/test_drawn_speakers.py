"""Drawn people who speak: mouths move as what they say has it, and the packaged detector finds their faces."""

import csv
import shutil

import drawn_speakers
import numpy as np
import pytest
from drawn_speakers import GRAMMAR, PICTURES, VISEMES, Person, lips_over_time, pictures

import earsight
from earsight.video.mouth.crops import MouthSettings, mouth_pictures
from earsight.video.reading import probe

needs_flite = pytest.mark.skipif(not shutil.which("flite"), reason="needs flite")


def test_lips_close_for_the_sounds_that_close_them_and_rest_in_silence():
    phones = [("pau", 0.2), ("aa", 0.5), ("m", 0.6), ("uw", 0.9), ("pau", 1.1)]
    shapes = lips_over_time(phones, 0.5, 50)
    opening, width, press = shapes[:, 0], shapes[:, 1], shapes[:, 4]
    at = (np.array([0.35, 0.55, 0.75]) + 0.5) * PICTURES
    vowel, closed, round_ = at.round().astype(int) - 1
    assert opening[vowel] > 0.7 and press[closed] > 0.7 and width[round_] < -0.7
    assert press[vowel] < 0.05 and opening[round_] < opening[vowel] / 2
    assert np.allclose(shapes[:8], VISEMES["pau"].array(), atol=0.02) and np.allclose(shapes[-5:], shapes[0], atol=0.02)


def test_a_drawn_face_is_found_and_its_mouth_moves():
    rng = np.random.default_rng(3)
    shapes = np.tile(VISEMES["pau"].array(), (2, 1))
    shapes[1] = VISEMES["aa"].array()
    shut, wide = pictures(Person.draw(rng), shapes, rng)
    assert shut.shape == wide.shape == (288, 360, 3) and shut.dtype == np.uint8
    moved = np.abs(shut.astype(int) - wide).mean(axis=2)
    row, column = np.unravel_index(moved.argmax(), moved.shape)
    assert 150 < row < 230 and 120 < column < 240  # the mouth, in the lower half of the face


@needs_flite
def test_films_are_written_with_their_table_and_are_the_seed_s_alone(tmp_path, capsys):
    command = ["train", str(tmp_path), "--clips", "1", "--dev-clips", "1"]
    assert drawn_speakers.main(command) == 0
    with open(tmp_path / "drawn.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["split"] for row in rows] == ["train", "dev"]
    for row in rows:
        assert all(word in words.split() for word, words in zip(row["text"].split(), GRAMMAR, strict=True))
    film = tmp_path / rows[0]["path"]
    about = probe(film)
    assert (about.width, about.height) == (360, 288) and about.duration == pytest.approx(3.0, abs=0.1)
    mouths = mouth_pictures(film, MouthSettings(detector="grid-av"))
    assert len(mouths) == 75 and mouths.any(axis=(1, 2)).mean() > 0.9
    kept = film.read_bytes()
    film.unlink()
    assert drawn_speakers.main(command) == 0
    assert film.read_bytes() == kept


def test_without_flite_it_is_told_how_to_get_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert drawn_speakers.main(["examples", str(tmp_path)]) == 1
    assert "apt install flite" in capsys.readouterr().err


def test_the_examples_are_read():
    for row in csv.DictReader((drawn_speakers.EXAMPLES / "transcripts.csv").read_text().splitlines()):
        assert earsight.transcribe(drawn_speakers.EXAMPLES / row["path"], "grid-av").text == row["text"]
