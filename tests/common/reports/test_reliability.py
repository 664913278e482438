import numpy as np
import pytest

from earsight.common.reports.reliability import reliability


def test_bins_and_error_by_hand():
    # 0.1: one of two right; 0.9: three of four right; 1.0 belongs to the last bin, not to one of its own
    found = reliability([0.1, 0.1, 0.9, 0.9, 0.95, 1.0], [True, False, True, True, False, True], bins=5)
    assert [(b.low, b.high, b.count) for b in found.bins] == [(0.0, 0.2, 2), (0.8, 1.0, 4)]
    assert [b.accuracy for b in found.bins] == [0.5, 0.75]
    assert [b.confidence for b in found.bins] == pytest.approx([0.1, 0.9375])
    assert found.expected_calibration_error == pytest.approx((2 * 0.4 + 4 * 0.1875) / 6)
    assert found.count == 6


def test_what_is_right_as_often_as_it_says_has_no_error():
    confidences = np.repeat([0.25, 0.75], 400)
    correct = np.concatenate([np.arange(400) % 4 == 0, np.arange(400) % 4 != 0])
    assert reliability(confidences, correct).expected_calibration_error == pytest.approx(0, abs=1e-12)
    assert reliability(confidences, ~correct).expected_calibration_error == pytest.approx(0.5)


@pytest.mark.parametrize("confidences, correct", [([], []), ([0.5], [True, False]), ([1.1], [True]),
                                                  ([float("nan")], [True])])
def test_what_is_no_confidence_is_refused(confidences, correct):
    with pytest.raises(ValueError):
        reliability(confidences, correct)
