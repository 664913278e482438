import json
import subprocess
import sys

import numpy as np
import pytest

from earsight.common.errors import EarsightError
from earsight.common.reports import classification as report_module
from earsight.common.reports import layout
from earsight.common.reports.classification import ClassificationResult, classification_report
from earsight.common.reports.frame_order import OrderFigures

DIGITS = [str(digit) for digit in range(10)]


def clip(name, group, label, probabilities):
    return ClassificationResult(name, group, label, np.array(probabilities))


def three_class_report():
    results = [
        clip("a", "s1", "yes", [0.8, 0.1, 0.1]),
        clip("b", "s1", "yes", [0.2, 0.7, 0.1]),
        clip("c", "s2", "no", [0.1, 0.6, 0.3]),
        clip("d", "s2", "maybe", [0.95, 0.0, 0.05]),
    ]
    return classification_report(results, ["yes", "no", "maybe"])


def random_classification(labels, clips, seed=0):
    rng = np.random.default_rng(seed)
    results = []
    for i in range(clips):
        target = int(rng.integers(len(labels)))
        weights = rng.random(len(labels))
        weights[target] += 0.6
        results.append(clip(f"clip-{i}", f"g{i % 3}", labels[target], weights / weights.sum()))
    return classification_report(results, labels, worst=5)


def png_size(path):
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert content.endswith(b"IEND\xaeB`\x82")  # whole
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")


def test_classification_by_hand():
    report = three_class_report()
    assert (report.correct, report.accuracy, report.top5_accuracy) == (2, 0.5, None)
    assert report.confusion == ((1, 1, 0), (0, 1, 0), (1, 0, 0))
    yes, no, maybe = report.classes
    assert (yes.precision, yes.recall, yes.f1, yes.support) == (0.5, 0.5, 0.5, 2)
    assert (no.precision, no.recall, no.support) == (0.5, 1.0, 1)
    assert no.f1 == pytest.approx(2 / 3)
    assert (maybe.precision, maybe.recall, maybe.f1, maybe.support) == (0.0, 0.0, 0.0, 1)
    assert report.macro_f1 == pytest.approx((1 / 2 + 2 / 3 + 0) / 3)
    assert [(group.group, group.correct, group.clips) for group in report.groups] == [
        ("s1", 1, 2),
        ("s2", 1, 2),
    ]
    assert [clip.id for clip in report.mistakes] == ["d", "b"]
    worst = report.mistakes[0]
    assert (worst.label, worst.predicted, worst.probability, worst.label_probability) == (
        "maybe",
        "yes",
        0.95,
        0.05,
    )


def test_groups_and_classes_sum_to_the_totals():
    report = random_classification(DIGITS, 100)
    assert sum(group.clips for group in report.groups) == len(report.clips) == 100
    assert sum(group.correct for group in report.groups) == report.correct
    assert sum(figures.support for figures in report.classes) == 100
    assert sum(map(sum, report.confusion)) == 100
    assert sum(report.confusion[i][i] for i in range(10)) == report.correct
    assert report.accuracy == report.correct / 100 < report.top5_accuracy <= 1


def test_classification_json_round_trip_and_text_agree():
    report = random_classification(DIGITS, 100)
    read = json.loads(report.json(), parse_constant=pytest.fail)
    assert (read["report"], read["clip_count"], read["labels"]) == ("classification", 100, DIGITS)
    assert read["confusion"] == [list(row) for row in report.confusion]
    assert sum(clip["label"] == clip["predicted"] for clip in read["clips"]) == read["correct"]
    assert sum(group["correct"] for group in read["groups"]) == read["correct"]
    assert read["mistakes"] == [clip.id for clip in report.mistakes]
    text = report.text()
    assert f"{100 * read['accuracy']:.2f} %  {read['correct']} of 100" in text
    assert f"{100 * read['top5_accuracy']:.2f} %" in text
    assert f"{100 * read['macro_f1']:.2f} %" in text
    for figures in read["classes"]:
        row = next(line.split() for line in text.splitlines() if line.split()[:1] == [figures["label"]])
        assert row[1] == f"{100 * figures['precision']:.2f}"
        assert row[-1] == str(figures["support"])
    for name in read["mistakes"]:
        assert name in text


def ordered_report(order):
    return classification_report([clip("a", None, "yes", [0.8, 0.2])], ["yes", "no"], order=order)


def test_the_order_test_is_in_text_and_json():
    report = ordered_report(OrderFigures(0.875, (0.75, 0.8, 0.82), 0.85))
    lines = report.text().splitlines()
    head = lines.index("Accuracy by the order of a clip's frames")
    assert lines[head + 1 : head + 5] == [
        "  in order  87.50 %",
        "  shuffled  79.00 %  mean of 3, 75.00 % to 82.00 %",
        "  reversed  85.00 %",
        "  Shuffling costs 8.50 points, reversing 2.50; a model that makes nothing of their order would lose none.",
    ]
    read = json.loads(report.json())
    shuffled = read["order"].pop("shuffled")
    assert shuffled == pytest.approx(0.79)
    assert read["order"] == {"ordered": 0.875, "shuffles": [0.75, 0.8, 0.82], "reversed": 0.85}
    assert read["version"] == 1  # a key that is added changes none of the others


def test_an_order_test_of_one_shuffle_has_no_spread():
    text = ordered_report(OrderFigures(0.5, (0.6,), 0.5 + 1e-9)).text()
    assert "  shuffled  60.00 %\n" in text
    assert "Shuffling costs -10.00 points, reversing 0.00; " in text


def test_without_an_order_test_nothing_is_said_of_it():
    report = three_class_report()
    assert "shuffled" not in report.text() and "  order" not in report.text()
    assert json.loads(report.json())["order"] is None


def test_text_shows_a_small_matrix_and_lists_the_confusions_of_a_large_one():
    matrix = (
        "         yes  no  maybe\n  yes      1   1      .\n  no       .   1      .\n  maybe    1   .      .\n"
    )
    assert matrix in three_class_report().text()
    long_names = random_classification(["BaseballPitch", "Basketball"], 30).text()
    assert "\n  a  BaseballPitch  " in long_names
    large = random_classification([f"class {i}" for i in range(25)], 200).text()
    assert "Confusion matrix" not in large
    assert "taken for" in large
    assert max(map(len, large.splitlines())) <= layout.TEXT_WIDTH


@pytest.mark.parametrize("labels", [["yes", "$no_"], DIGITS, [f"a rather long label {i}" for i in range(30)]])
def test_plot_writes_a_picture(tmp_path, labels):
    pytest.importorskip("matplotlib", reason="pip install 'earsight[train]': draws the picture")
    report = random_classification(labels, 60)
    path = tmp_path / "new folder" / "confusion.png"
    report.plot(path)
    width, height = png_size(path)
    assert 300 < width < 3000
    assert 300 < height < 3000
    assert [file.name for file in path.parent.iterdir()] == ["confusion.png"]


def test_the_picture_holds_the_matrix():
    pytest.importorskip("matplotlib", reason="pip install 'earsight[train]': draws the picture")
    axes = report_module._confusion_figure(three_class_report()).axes[0]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.5, 0.5, 0], [0, 1, 0], [1, 0, 0]])
    cells = {text.get_position(): text.get_text() for text in axes.texts}  # (column, row)
    assert cells == {(0, 0): "1", (1, 0): "1", (1, 1): "1", (0, 2): "1"}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["yes", "no", "maybe"]


def test_a_picture_that_fails_leaves_the_old_one(tmp_path, monkeypatch):
    figure = pytest.importorskip(
        "matplotlib.figure", reason="pip install 'earsight[train]': draws the picture"
    )
    path = tmp_path / "confusion.png"
    path.write_bytes(b"the old picture")

    def half(self, path, **options):
        path.write_bytes(b"\x89PNG half")
        raise OSError("no space left on device")

    monkeypatch.setattr(figure.Figure, "savefig", half)
    with pytest.raises(OSError, match="no space"):
        three_class_report().plot(path)
    assert path.read_bytes() == b"the old picture"
    assert list(tmp_path.iterdir()) == [path]


def test_a_label_unknown_to_the_model_is_named():
    with pytest.raises(EarsightError, match=r"^clip s1/7: its label 'eleven' .* knows yes, no; ") as error:
        classification_report([clip("s1/7", None, "eleven", [0.5, 0.5])], ["yes", "no"])
    assert "\n" not in str(error.value)
    with pytest.raises(EarsightError, match=r"29 and 171 more; "):
        classification_report([clip("a", None, "eleven", [0.0] * 201)], [str(i + 100) for i in range(201)])


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [([0.5, 0.3, 0.2], r"clip a: .* shape \(3,\) for 2 labels"), ([np.nan, 0.5], "clip a: .* not finite")],
)
def test_probabilities_that_do_not_fit_are_refused(probabilities, message):
    with pytest.raises(EarsightError, match=message):
        classification_report([clip("a", None, "yes", probabilities)], ["yes", "no"])


def test_an_empty_set_is_refused():
    with pytest.raises(EarsightError, match="there is no clip"):
        classification_report([], ["yes", "no"])


def test_a_clip_that_comes_twice_is_refused():
    with pytest.raises(EarsightError, match="clip a comes twice"):
        classification_report([clip("a", None, "yes", [1.0, 0.0])] * 2, ["yes", "no"])


def test_the_report_imports_nothing_heavy():
    program = (
        "import sys, earsight.common.reports.classification\n"
        "print({'torch', 'lhotse', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
