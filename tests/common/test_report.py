import itertools
import json
import subprocess
import sys

import numpy as np
import pytest

from common import report as report_module
from common.errors import EarsightError
from common.metrics import ErrorCounts, word_errors
from common.report import (
    ClassificationResult,
    TranscriptResult,
    classification_report,
    transcription_report,
)

SPOKEN = [
    TranscriptResult("an-1", "ann", "pittsburgh enter six", "pittsburgh center six", 1.5),
    TranscriptResult("an-2", "ann", "yes", "yes", 0.5),
    TranscriptResult("bo-1", "bo", "enter seven nine b", "center seven nine", 2.0),
    TranscriptResult("bo-2", "bo", "go", "go to go", 1.0),
    TranscriptResult("x-1", None, "", "oh", 0.25),
]
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


def test_transcription_totals_by_hand():
    report = transcription_report(SPOKEN)
    assert report.words == ErrorCounts(substitutions=2, deletions=1, insertions=3, reference_length=9)
    # c inserted, twice; "nine b": 2 deleted; "to go " and "oh": 8 inserted
    assert report.characters == ErrorCounts(0, 2, 10, 20 + 3 + 18 + 2)
    assert report.sentence_errors == 4
    assert report.sentence_error_rate == 0.8
    assert report.duration == 5.25
    assert [(pair.reference, pair.hypothesis, pair.count) for pair in report.substituted] == [
        ("enter", "center", 2)
    ]
    assert [(pair.reference, pair.count) for pair in report.deleted] == [("b", 1)]
    assert {pair.hypothesis: pair.count for pair in report.inserted} == {"go": 1, "to": 1, "oh": 1}


def test_sums_over_speakers_and_utterances_are_the_totals():
    report = transcription_report(SPOKEN)
    for parts in (report.speakers, report.utterances):
        assert sum((part.words for part in parts), ErrorCounts()) == report.words
        assert sum((part.characters for part in parts), ErrorCounts()) == report.characters
        assert sum(part.duration for part in parts) == report.duration
    assert sum(speaker.utterances for speaker in report.speakers) == len(SPOKEN)
    assert [speaker.speaker for speaker in report.speakers] == [None, "bo", "ann"]  # highest rate first
    for kind, name in (
        ("substituted", "substitutions"),
        ("deleted", "deletions"),
        ("inserted", "insertions"),
    ):
        assert sum(pair.count for pair in getattr(report, kind)) == getattr(report.words, name)


def test_the_worst_have_most_edits_then_the_highest_rate():
    report = transcription_report(SPOKEN)
    assert [utterance.id for utterance in report.worst] == ["bo-2", "bo-1", "x-1", "an-1"]
    assert [utterance.id for utterance in transcription_report(SPOKEN, worst=2).worst] == ["bo-2", "bo-1"]
    assert transcription_report(SPOKEN, worst=0).worst == ()


def test_transcription_json_round_trip():
    report = transcription_report(SPOKEN)
    read = json.loads(report.json(), parse_constant=pytest.fail)  # neither NaN nor Infinity
    assert (read["report"], read["version"]) == ("transcription", report_module.JSON_VERSION)
    assert read["utterance_count"] == len(SPOKEN)
    assert read["words"] == {
        "rate": 6 / 9,
        "edits": 6,
        "substitutions": 2,
        "deletions": 1,
        "insertions": 3,
        "reference_length": 9,
    }
    for given, utterance in zip(SPOKEN, read["utterances"], strict=True):
        for name in ("id", "speaker", "reference", "hypothesis", "duration"):
            assert utterance[name] == getattr(given, name)
        again = word_errors(utterance["reference"], utterance["hypothesis"])
        assert utterance["words"]["edits"] == again.edits
    assert read["utterances"][-1]["words"]["rate"] is None  # words where none were spoken
    assert read["speakers"][-1]["words"]["edits"] == 1
    assert read["worst"][1] == {
        "id": "bo-1",
        "alignment": [
            ["sub", "enter", "center"],
            ["ok", "seven", "seven"],
            ["ok", "nine", "nine"],
            ["del", "b", None],
        ],
    }
    assert read["deleted"] == [{"reference": "b", "count": 1}]


def test_transcription_text_shows_the_totals_of_the_json():
    report = transcription_report(SPOKEN)
    text, read = report.text(), json.loads(report.json())
    for name, title in (("words", "WER"), ("characters", "CER")):
        counts = read[name]
        row = next(line.split() for line in text.splitlines() if line.split()[:1] == [title])
        shown = [f"{100 * counts['rate']:.2f}", "%"]
        keys = ("edits", "substitutions", "deletions", "insertions", "reference_length")
        assert row[1:] == shown + [str(counts[key]) for key in keys]
    sentences = next(line.split() for line in text.splitlines() if line.split()[:1] == ["sentences"])
    assert sentences[1:] == ["80.00", "%", str(read["sentence_errors"]), str(read["utterance_count"])]
    assert "5 utterances, 5.2 s" in text
    assert "2  enter -> center" in text
    assert "(unknown)" in text
    assert "x-1: 1 error in 0 words (inf)" in text


def test_the_worst_utterances_are_shown_aligned():
    text = transcription_report(SPOKEN).text()
    shown = "bo-1: 2 errors in 4 words (50.00 %)\n  REF  enter  seven nine b\n"
    assert shown + "  HYP  center seven nine *\n       S                 D\n" in text
    assert "  REF  ** ** go\n  HYP  go to go\n       I  I\n" in text


def test_long_alignments_go_on_below():
    words = [f"word{i:03}" for i in range(40)]
    heard = [*words[:30], "x", *words[31:]]
    text = transcription_report([TranscriptResult("a", None, " ".join(words), " ".join(heard), 1.0)]).text()
    lines = text[text.index("REF") - 2 :].splitlines()
    assert max(map(len, lines)) <= report_module.TEXT_WIDTH
    references = [line.split()[1:] for line in lines if line.startswith("  REF")]
    assert len(references) == 4
    assert list(itertools.chain(*references)) == words
    marks = [line for line in lines if not line.startswith(("  REF", "  HYP"))]
    assert [mark.strip() for mark in marks] == ["S"]  # no empty row of marks
    assert lines[lines.index(marks[0]) - 1][marks[0].index("S")] == "x"


def test_wide_characters_align():
    text = transcription_report([TranscriptResult("a", None, "你好 b c", "d b e", 1.0)]).text()
    assert "  REF  你好 b c\n  HYP  d    b e\n       S      S\n" in text


def test_a_report_without_errors_or_speakers_is_short():
    report = transcription_report([TranscriptResult("a", None, "go", "go", 1.0)])
    assert report.worst == ()
    assert "peaker" not in report.text()
    assert "Worst" not in report.text()
    assert "Commonest" not in report.text()
    assert "1 utterance, 1.0 s" in report.text()


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
    assert max(map(len, large.splitlines())) <= report_module.TEXT_WIDTH


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
    with pytest.raises(EarsightError, match="there is no utterance"):
        transcription_report([])
    with pytest.raises(EarsightError, match="there is no clip"):
        classification_report([], ["yes", "no"])


def test_what_comes_twice_is_refused():
    with pytest.raises(EarsightError, match="utterance an-1 comes twice"):
        transcription_report([*SPOKEN, SPOKEN[0]])
    with pytest.raises(EarsightError, match="clip a comes twice"):
        classification_report([clip("a", None, "yes", [1.0, 0.0])] * 2, ["yes", "no"])


def test_reports_import_nothing_heavy():
    program = "import sys, common.report; print({'torch', 'lhotse', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
