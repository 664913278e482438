"""Clips that are none of the classes: by hand, and through every writer."""

import csv
import io
import json

import numpy as np
import pytest
from scipy.special import expit, log_softmax

from earsight.common.inference.recognition import Classification, as_text, classification, csv_rows, written
from earsight.common.inference.timeline import segment_steps, timeline
from earsight.common.inference.unknown import Familiarity, Rejection

LABELS = ("walk", "run", "sit")
REJECTION = Rejection(temperature=2.0, threshold=1.5, scale=0.5, keep=0.95, score="energy")
UNSURE = {"run": 0.6, "walk": 0.3, "sit": 0.1}


def result(score: float | None = None) -> Classification:
    familiarity = None if score is None else Familiarity(score, 1.5)
    return Classification("a.mp4", "run", UNSURE, 4.0, "tiny", familiarity)


def test_none_of_them_is_one_more_class():
    logits, scores = np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 9.0], [3.0, 1.0, 1.0]]), np.array([1.5, 2.0, -90.0])
    joint = REJECTION.with_unknown(logits, scores)
    known = expit((scores - 1.5) / 0.5)  # SciPy's 1 / (1 + exp(-x))
    np.testing.assert_allclose(np.exp(joint).sum(axis=1), 1.0)
    np.testing.assert_allclose(joint[:, :3], log_softmax(logits, axis=1) + np.log(known)[:, None])
    np.testing.assert_allclose(np.exp(joint[:, 3]), 1 - known)
    assert np.exp(joint[0, 3]) == pytest.approx(0.5)  # at the threshold


def test_a_clip_at_the_threshold_is_known_and_one_below_is_not():
    assert REJECTION.familiarity(1.5).known and not REJECTION.familiarity(1.4999).known
    named = classification(np.log([0.2, 0.7, 0.1]), LABELS, "a.wav", 1.0, "m", REJECTION.familiarity(1.6))
    assert (named.label, named.decision, named.known) == ("run", "run", True)
    foreign = classification(np.log([0.2, 0.7, 0.1]), LABELS, "a.wav", 1.0, "m", REJECTION.familiarity(0.0))
    assert (foreign.label, foreign.decision, foreign.known) == ("run", "unknown", False)
    assert foreign.probabilities == named.probabilities


def test_every_writer_says_unknown_instead_of_a_name():
    foreign = result(-2.0)
    assert as_text(foreign) == "unknown (most like run 60.0%)"
    assert as_text(foreign, 2) == "unknown (most like run 60.0%, walk 30.0%)"
    assert written(foreign, "srt").splitlines()[-1] == "unknown (most like run 60.0%)"
    assert csv_rows(foreign) == "a.mp4,unknown,,1"
    rows = list(csv.DictReader(io.StringIO(written(foreign, "csv", top=3))))
    assert [(row["label"], row["probability"], row["rank"]) for row in rows] == [
        ("unknown", "", "1"), ("run", "0.6000", "2"), ("walk", "0.3000", "3")]
    plain = json.loads(written(foreign, "json"))
    assert (plain["decision"], plain["score"], plain["threshold"]) == ("unknown", -2.0, 1.5)
    assert (plain["label"], plain["probabilities"]["run"]) == ("run", 0.6)


def test_what_is_known_is_written_as_ever():
    known, silent = result(2.0), result()
    for form in ("txt", "csv", "srt"):
        assert written(known, form, 2) == written(silent, form, 2)
    assert json.loads(written(silent, "json")).keys() == {"path", "label", "probabilities", "duration", "model"}
    assert json.loads(written(known, "json"))["decision"] == "run" and silent.decision == "run"


def test_a_timeline_leaves_a_gap_where_nothing_is_known():
    """A quarter of a minute of running, as long of nothing that is known, then sitting; a frame a second."""
    frames = np.repeat([0, 1, 2], 15)[:, None].astype(np.float32)
    said = np.log(np.array([[0.05, 0.85, 0.05, 0.05], [0.02, 0.1, 0.08, 0.8], [0.03, 0.03, 0.9, 0.04]]))

    def logits(windows: np.ndarray) -> np.ndarray:
        return said[np.rint(windows[:, :, 0].mean(axis=1)).astype(int)]

    found = timeline(logits, [frames], LABELS, 1.0, window=3.0, hop=1.0)
    assert [segment.label for segment in found.segments] == ["run", "sit"]
    assert found.segments[0].end == pytest.approx(15, abs=1) and found.segments[1].start == pytest.approx(30, abs=1)
    assert found.probabilities.shape[1] == 3
    np.testing.assert_allclose(1 - found.probabilities.sum(axis=1)[found.times.round() == 22], 0.8, atol=1e-6)
    plain = timeline(lambda windows: logits(windows)[:, :3], [frames], LABELS, 1.0, window=3.0, hop=1.0)
    assert [segment.label for segment in plain.segments] == ["run", "sit"] and plain.segments[0].end >= 29
    foreign = timeline(logits, [frames[15:30]], LABELS, 1.0, window=3.0, hop=1.0)
    assert foreign.segments == () and as_text(foreign) == "(no label is likely enough)"


def test_a_threshold_and_a_probability_of_none_work_together():
    steps = np.array([[0.5, 0.1, 0.1]] * 6)
    def labels(**options):
        return {label for *_, label in segment_steps(steps, np.ones(6), **options)}

    assert labels(unknown=np.full(6, 0.3)) == {0} and labels(threshold=0.4) == {0}
    assert labels(unknown=np.full(6, 0.3), threshold=0.6) == {None} == labels(unknown=np.full(6, 0.7))
    # As a clip gets a name: by what all labels have together, be none of them likely.
    steps = np.array([[0.19, 0.18, 0.18]] * 6)
    assert labels(unknown=np.full(6, 0.45)) == {0}
    steps = np.array([[0.45, 0.0, 0.0]] * 6)
    assert labels(unknown=np.full(6, 0.55)) == {None}
