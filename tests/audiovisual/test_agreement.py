"""How late sound is, of probabilities that are known by construction."""

import numpy as np
import pytest

from earsight.audiovisual.agreement import DIFFERENT, estimate_lag, shifted

SILENT = [0, 1]  # the blank, and what is between words


def said(labels: list[int], at: list[int], time: int = 60) -> np.ndarray:
    """Probabilities (time, 8) that give each label one frame, and blanks the others."""
    found = np.full((time, 8), 0.01)
    found[:, 0] = 0.93
    for label, frame in zip(labels, at):
        found[frame] = 0.01
        found[frame, label] = 0.93
    return found


LABELS, PLACES = [2, 3, 4, 1, 5, 6, 2], [8, 14, 21, 25, 33, 41, 50]


@pytest.mark.parametrize("late, mended", [(0, 0), (1, 1), (3, 3), (-4, -4), (5, 5), (-7, 0), (9, 0)])
def test_the_lag_is_found_and_mended_up_to_a_fifth_of_a_second(late, mended):
    lag = estimate_lag(said(LABELS, [place + late for place in PLACES]),
                       said(LABELS, PLACES), SILENT, 0.04, 25)
    assert lag.seconds == pytest.approx(0.04 * late)
    assert lag.mended == mended
    assert ("too far" in lag.tell) == (abs(late) > 5) and bool(lag.tell) == bool(late)


def test_a_frame_apart_as_labels_fall_is_no_lag():
    places = [place + k % 2 for k, place in enumerate(PLACES)]
    lag = estimate_lag(said(LABELS, places), said(LABELS, PLACES), SILENT, 0.04, 25)
    assert lag.seconds == 0 and lag.agreement > 0.8 and not lag.tell


def test_other_words_are_told_though_their_pauses_are_alike():
    lag = estimate_lag(said([2, 1, 3, 1, 2], [5, 15, 25, 35, 45]), said([6, 1, 7, 1, 6], [5, 15, 25, 35, 45]), SILENT,
                       0.04, 25)
    assert lag.agreement < DIFFERENT and "different films" in lag.tell and lag.mended == 0


def test_rows_are_shifted_with_silence():
    rows = np.arange(1, 13, dtype=np.float32).reshape(4, 3)  # a pixel and two samples each
    later, earlier = shifted(rows, 1, 1), shifted(rows, 1, -2)
    assert later[:, 0].tolist() == earlier[:, 0].tolist() == rows[:, 0].tolist()
    assert later[:, 1].tolist() == [0, 2, 5, 8] and earlier[:, 1].tolist() == [8, 11, 0, 0]
    assert shifted(rows, 1, 9)[:, 1].tolist() == [0, 0, 0, 0]
