"""Rows of a film: pictures with the sound of their time, and where nobody speaks."""

import numpy as np
import pytest

from earsight.audiovisual.data import MARGIN, with_silence
from earsight.audiovisual.rows import as_rows, samples_a_picture
from earsight.common.errors import EarsightError


def test_each_picture_has_the_samples_of_its_time():
    pictures, samples = np.arange(6, dtype=np.uint8).reshape(3, 2), np.arange(1, 12, dtype=np.float32)
    rows = as_rows(pictures, samples, 4)
    assert rows.dtype == np.float32 and rows[:, :2].tolist() == pictures.tolist()
    assert rows[:, 2:].tolist() == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 0]]
    assert as_rows(pictures[:1], samples, 4)[:, 2:].tolist() == [[1, 2, 3, 4]]  # sound beyond the pictures


def test_silence_is_told_before_and_behind_what_is_said():
    time = np.arange(40 * 8)
    samples = np.where((time >= 15 * 8) & (time < 22 * 8), 0.5 * np.sin(time), 0.01 * np.sin(time)).astype(np.float32)
    samples[18 * 8:19 * 8] = 0  # a pause between words is none
    rows = with_silence(np.zeros((40, 3), np.float32), samples, 8)
    assert rows.shape == (40, 4)
    assert np.flatnonzero(rows[:, -1] == 0).tolist() == list(range(15 - MARGIN, 22 + MARGIN))
    for mute in (np.zeros(40, np.float32), np.zeros(0, np.float32)):  # as of a film without sound: nobody knows
        assert with_silence(np.zeros((5, 1), np.float32), mute, 8)[:, -1].tolist() == [0] * 5


def test_rates_that_do_not_divide_are_told():
    assert samples_a_picture(16000, 25) == 640
    with pytest.raises(EarsightError, match="30 pictures a second do not divide 16000 Hz"):
        samples_a_picture(16000, 30)
