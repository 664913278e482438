"""Events of probabilities that are known."""

import pytest

from earsight.common.inference.events import Begun, Hysteresis
from earsight.common.inference.recognition import Segment


def pushed(values, on=0.6, off=0.4, labels=("a",)):
    """What comes of windows a second apart, each of one probability a class."""
    events = Hysteresis(labels, on, off)
    return [event for time, row in enumerate(values) for event in events.push(float(time), row)], events


def test_an_event_begins_at_one_threshold_and_ends_at_another():
    found, events = pushed([[0.5], [0.6], [0.9], [0.45], [0.39], [0.5], [0.59]])
    assert found[0] == Begun(1.0, "a", 0.6)
    assert found[1] == Segment(1.0, 4.0, "a", pytest.approx((0.6 + 0.9 + 0.45) / 3))
    assert len(found) == 2 and events.close(7.0) == []


def test_what_lies_between_the_thresholds_changes_nothing():
    """Where one threshold would give three events, there is one."""
    values = [[value] for value in (0.7, 0.55, 0.65, 0.5, 0.7, 0.1)]
    found, _ = pushed(values)
    assert [event for event in found if isinstance(event, Segment)] == [Segment(0.0, 5.0, "a", pytest.approx(0.62))]
    above, _ = pushed(values, 0.6, 0.6)
    assert len([event for event in above if isinstance(event, Segment)]) == 3


def test_one_ends_before_another_begins_and_what_goes_on_is_closed():
    found, events = pushed([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.2, 0.8, 0.0]], labels=("a", "b"))
    assert [type(event) for event in found] == [Begun, Segment, Begun]
    assert found[1].label == "a" and found[2].label == "b"
    assert events.close(3.0) == [Segment(1.0, 3.0, "b", pytest.approx(0.8))] and events.close(4.0) == []


def test_what_is_none_of_the_classes_is_no_event():
    """The last of the probabilities of a calibrated classifier."""
    assert pushed([[0.1, 0.05, 0.85]], labels=("a", "b"))[0] == []
    assert pushed([[0.45, 0.0, 0.55]], on=0.4, labels=("a", "b"))[0] == []  # likelier none than any
    assert pushed([[0.45, 0.15, 0.4]], labels=("a", "b"))[0] == [Begun(0.0, "a", pytest.approx(0.75))]
