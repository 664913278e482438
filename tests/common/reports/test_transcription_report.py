import itertools
import json
import subprocess
import sys

import pytest

from earsight.common.errors import EarsightError
from earsight.common.metrics import ErrorCounts, word_errors
from earsight.common.reports import layout
from earsight.common.reports.transcription import Confidence, TranscriptResult, transcription_report


def result(name, speaker, reference, hypothesis, duration):
    """With a confidence of 0.95 in everything before calibration, and of 0.55 after."""
    raw, calibrated = (Confidence((value,) * len(hypothesis.split()), value) for value in (0.95, 0.55))
    return TranscriptResult(name, speaker, reference, hypothesis, duration, raw, calibrated)


SPOKEN = [
    result("an-1", "ann", "pittsburgh enter six", "pittsburgh center six", 1.5),
    result("an-2", "ann", "yes", "yes", 0.5),
    result("bo-1", "bo", "enter seven nine b", "center seven nine", 2.0),
    result("bo-2", "bo", "go", "go to go", 1.0),
    result("x-1", None, "", "oh", 0.25),
]


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
    assert (read["report"], read["version"]) == ("transcription", layout.JSON_VERSION)
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


def test_calibration_errors_by_hand():
    report = transcription_report(SPOKEN)
    # 6 of 11 words are right, 1 of 5 transcripts
    assert report.calibration.words_before == pytest.approx(0.95 - 6 / 11)
    assert report.calibration.words_after == pytest.approx(0.55 - 6 / 11)
    assert report.calibration.transcripts_before == pytest.approx(0.95 - 1 / 5)
    assert json.loads(report.json())["calibration_error"]["transcripts_after"] == pytest.approx(0.55 - 1 / 5)
    assert "words         0.405              0.005" in report.text()


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
    text = transcription_report([result("a", None, " ".join(words), " ".join(heard), 1.0)]).text()
    lines = text[text.index("REF") - 2 :].splitlines()
    assert max(map(len, lines)) <= layout.TEXT_WIDTH
    references = [line.split()[1:] for line in lines if line.startswith("  REF")]
    assert len(references) == 4
    assert list(itertools.chain(*references)) == words
    marks = [line for line in lines if not line.startswith(("  REF", "  HYP"))]
    assert [mark.strip() for mark in marks] == ["S"]  # no empty row of marks
    assert lines[lines.index(marks[0]) - 1][marks[0].index("S")] == "x"


def test_wide_characters_align():
    text = transcription_report([result("a", None, "你好 b c", "d b e", 1.0)]).text()
    assert "  REF  你好 b c\n  HYP  d    b e\n       S      S\n" in text


def test_a_report_without_errors_or_speakers_is_short():
    report = transcription_report([result("a", None, "go", "go", 1.0)])
    assert report.worst == ()
    assert "peaker" not in report.text()
    assert "Worst" not in report.text()
    assert "Commonest" not in report.text()
    assert "1 utterance, 1.0 s" in report.text()


def test_an_empty_set_is_refused():
    with pytest.raises(EarsightError, match="there is no utterance"):
        transcription_report([])


def test_an_utterance_that_comes_twice_is_refused():
    with pytest.raises(EarsightError, match="utterance an-1 comes twice"):
        transcription_report([*SPOKEN, SPOKEN[0]])


def test_the_report_imports_nothing_heavy():
    program = (
        "import sys, earsight.common.reports.transcription; print({'torch', 'lhotse', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
