"""What a model put out is compared with what the manifest says, in the form in which the model writes."""

import numpy as np
import pytest

from earsight.common.data.cuts import frames_cut
from earsight.common.errors import EarsightError
from earsight.common.labels import Labels
from earsight.common.reports.evaluation import evaluate

LABELS = Labels("characters", ("<blank>", *" 'aeinotuw"))


def outputs(text: str) -> np.ndarray:
    """Log-probabilities that say `text`, no letter of which comes twice in a row."""
    ids = LABELS.encode(text)
    log_probs = np.full((len(ids) + 1, len(LABELS)), -20.0, np.float32)
    log_probs[range(len(ids)), ids] = log_probs[-1, 0] = 0.0
    return log_probs


def measured(tmp_path, text, said):
    np.save(tmp_path / "a.npy", np.zeros((20, 3), np.float32))
    cut = frames_cut("a", tmp_path / "a.npy", shape=(20, 3), text=text)
    return evaluate([cut], LABELS, [(cut, outputs(said))])[0]


@pytest.mark.parametrize("text", ["one two", "One, two.", "ONE\u00a0TWO!", "\ufeffone \u2014 two"])
def test_what_a_model_cannot_write_is_no_error(tmp_path, text):
    report = measured(tmp_path, text, "one two")
    assert (report.words.edits, report.words.reference_length) == (0, 2)


def test_what_it_can_write_is(tmp_path):
    assert measured(tmp_path, "one'two", "one two").words.edits == 2
    assert measured(tmp_path, "one-two", "one two").words.edits == 0


def test_a_clip_without_a_text_is_no_clip_of_which_nothing_is_said(tmp_path):
    with pytest.raises(EarsightError, match="a: has no text to compare the model's with; give it one, an empty one"):
        measured(tmp_path, None, "one")
    report = measured(tmp_path, "", "one two")
    assert (report.words.edits, report.words.reference_length) == (2, 0)


def test_the_others_are_measured_all_the_same(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((20, 3), np.float32))
    cuts = [frames_cut(name, tmp_path / "a.npy", shape=(20, 3), text=text)
            for name, text in (("with", "one two"), ("without", None))]
    report, errors = evaluate(cuts, LABELS, [(cut, outputs("one two")) for cut in cuts])
    assert report.words.reference_length == 2 and report.words.edits == 0
    assert [str(error).split(":")[0] for error in errors] == ["without"]
