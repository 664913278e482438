import csv
import io
import json
import re

import numpy as np
import pytest

from earsight.common.formats.subtitles import srt
from earsight.common.inference.recognition import (
    Classification,
    Reading,
    Segment,
    Timeline,
    Transcript,
    Utterance,
    Word,
    as_csv,
    as_json,
    as_srt,
    as_text,
    csv_header,
    csv_rows,
    joined,
    placed,
)

PROBABILITIES = {"PushUps": 0.91234, "Punch": 0.05, "Jump, rope": 0.03766}
NASTY = 'clips/größe 1, "语音"\nnew.mp4'


def classification(path="clips/a.mp4", duration=3.5):
    return Classification(path, "PushUps", PROBABILITIES, duration, "actions-10")


def timeline(*segments, path="clips/a.mp4", duration=4000.5):
    times = np.array([1.0, 2.00049])
    probabilities = np.array([[0.12345678, 0.87654322], [0.5, 0.5]], np.float32)
    return Timeline(path, segments, ("PushUps", "Punch"), times, probabilities, duration, "actions-10")


TWO = (Segment(3.2, 7.949, "PushUps", 0.9123), Segment(7.949, 4000.5, "Punch", 0.555555))


def parse_srt(text: str) -> list[tuple[float, float, str]]:
    """Cues of SubRip text, read strictly: a number from 1, the times, one line of text, an empty line between."""
    cue = re.compile(r"(\d+)\n(\d\d):([0-5]\d):([0-5]\d),(\d{3}) --> (\d\d):([0-5]\d):([0-5]\d),(\d{3})\n([^\n]+)")
    cues = []
    for number, block in enumerate(text.split("\n\n") if text else [], 1):
        found = cue.fullmatch(block)
        assert found and int(found[1]) == number
        times = [int(found[i]) for i in range(2, 10)]
        start, end = (
            3600 * hours + 60 * minutes + seconds + thousandths / 1000
            for hours, minutes, seconds, thousandths in (times[:4], times[4:])
        )
        cues.append((start, end, found[10]))
    return cues


def libav_srt(path) -> list[tuple[float, float, str]]:
    """Cues as libav's own SubRip reader gives them."""
    av = pytest.importorskip("av")
    cues = []
    with av.open(str(path)) as container:
        for packet in container.demux(container.streams.subtitles[0]):
            if packet.size:
                start, length = packet.pts * packet.time_base, packet.duration * packet.time_base
                cues.append((float(start), float(start + length), bytes(packet).decode()))
    return cues


# For a person


def test_text_of_a_classification_has_as_many_labels_as_wanted():
    assert as_text(classification()) == "PushUps 91.2%"
    assert as_text(classification(), top=2) == "PushUps 91.2%, Punch 5.0%"
    assert as_text(classification(), top=9) == "PushUps 91.2%, Punch 5.0%, Jump, rope 3.8%"


WORDS = (Word("go", 0.1, 0.40049, 0.98765), Word("on", 0.5, 0.75, 0.3))


def test_text_of_a_transcript():
    assert as_text(Transcript("a.wav", "go on", 1.0, "m", 0.9)) == "go on"


def test_doubtful_words_are_left_out_or_marked():
    spoken = Transcript("a.wav", "go on", 1.0, "m", 0.3, WORDS)
    left = spoken.doubting(0.5, mark=False)
    assert (left.text, left.words) == ("go", WORDS[:1])
    marked = spoken.doubting(0.5, mark=True)
    assert (marked.text, marked.words) == ("go on(?)", (WORDS[0], Word("on(?)", 0.5, 0.75, 0.3)))
    assert "go on(?)" in srt(marked.words, marked.duration)
    assert spoken.doubting(0.3, mark=False) == spoken and spoken.doubting(1.0, mark=False).text == ""


def test_text_of_a_timeline_has_a_line_a_segment():
    assert as_text(timeline(*TWO)) == "0:00:03.2 - 0:00:07.9  PushUps 91.2%\n0:00:07.9 - 1:06:40.5  Punch 55.6%"
    assert as_text(timeline()) == "(no label is likely enough)"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0:00:00.0"),
        (59.94, "0:00:59.9"),
        (59.96, "0:01:00.0"),
        (3599.99, "1:00:00.0"),
        (36000.0, "10:00:00.0"),
        (360000.5, "100:00:00.5"),
    ],
)
def test_clocks_carry(seconds, shown):
    line = as_text(timeline(Segment(seconds, seconds, "Punch", 1.0)))
    assert line == f"{shown} - {shown}  Punch 100.0%"


# JSON


def test_json_of_a_classification_is_one_line_of_the_fields():
    line = as_json(classification(NASTY, 3.50049))
    assert "\n" not in line
    assert json.loads(line) == {
        "path": NASTY,
        "label": "PushUps",
        "probabilities": {"PushUps": 0.9123, "Punch": 0.05, "Jump, rope": 0.0377},
        "duration": 3.5,
        "model": "actions-10",
    }


def test_json_of_a_transcript():
    readings = (Reading("go on", 7.12349), Reading("going", 2.0))
    assert json.loads(as_json(Transcript("a.wav", "go on", 1.5, "m", 0.30004, WORDS, readings))) == {
        "path": "a.wav", "text": "go on", "duration": 1.5, "model": "m", "confidence": 0.3,
        "words": [{"text": "go", "start": 0.1, "end": 0.4, "confidence": 0.9877},
                  {"text": "on", "start": 0.5, "end": 0.75, "confidence": 0.3}],
        "n_best": [{"text": "go on", "score": 7.123}, {"text": "going", "score": 2.0}],
    }  # fmt: skip


def test_json_of_a_timeline_is_one_line_of_the_fields():
    line = as_json(timeline(*TWO, path=NASTY))
    assert "\n" not in line
    assert json.loads(line) == {
        "path": NASTY,
        "segments": [
            {"start": 3.2, "end": 7.949, "label": "PushUps", "probability": 0.9123},
            {"start": 7.949, "end": 4000.5, "label": "Punch", "probability": 0.5556},
        ],
        "labels": ["PushUps", "Punch"],
        "times": [1.0, 2.0],
        "probabilities": [[0.1235, 0.8765], [0.5, 0.5]],
        "duration": 4000.5,
        "model": "actions-10",
    }
    assert "[0.1235, 0.8765]" in line  # not 0.12349999696016312


def test_json_of_a_timeline_without_segments():
    assert json.loads(as_json(timeline()))["segments"] == []


# CSV


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_csv_of_a_classification_has_a_row_a_label():
    assert csv_header(Classification) == "path,label,probability,rank"
    assert csv_rows(classification()) == "clips/a.mp4,PushUps,0.9123,1"
    rows = read_csv(as_csv(classification(), top=3))
    assert [row["label"] for row in rows] == list(PROBABILITIES)
    assert [row["rank"] for row in rows] == ["1", "2", "3"]
    assert [float(row["probability"]) for row in rows] == pytest.approx(list(PROBABILITIES.values()), abs=5e-5)


def test_csv_of_a_timeline_has_a_row_a_segment():
    assert csv_header(Timeline) == "path,start,end,label,probability"
    rows = read_csv(as_csv(timeline(*TWO)))
    assert rows == [
        {"path": "clips/a.mp4", "start": "3.200", "end": "7.949", "label": "PushUps", "probability": "0.9123"},
        {"path": "clips/a.mp4", "start": "7.949", "end": "4000.500", "label": "Punch", "probability": "0.5556"},
    ]


def test_csv_without_segments_is_the_header():
    assert csv_rows(timeline()) == ""
    assert as_csv(timeline()) == csv_header(Timeline)


def test_csv_of_a_whole_run_is_one_table():
    results = [classification("a.mp4"), classification(NASTY), classification('"quoted".mp4')]
    table = "\n".join([csv_header(Classification), *(csv_rows(result, 3) for result in results)]) + "\n"
    rows = read_csv(table)
    assert [row["path"] for row in rows] == ["a.mp4"] * 3 + [NASTY] * 3 + ['"quoted".mp4'] * 3
    assert {row["label"] for row in rows} == set(PROBABILITIES)


# Subtitles


def test_srt_of_a_classification_is_one_cue_over_the_clip():
    text = as_srt(classification(duration=3.5), top=2)
    assert text == "1\n00:00:00,000 --> 00:00:03,500\nPushUps 91.2%, Punch 5.0%"
    assert parse_srt(text) == [(0.0, 3.5, "PushUps 91.2%, Punch 5.0%")]


def test_srt_of_a_timeline_is_read_back(tmp_path):
    segments = (*TWO, Segment(4000.5, 36_000.9996, "line\n\nbreak", 0.5))
    wanted = [
        (3.2, 7.949, "PushUps 91.2%"),
        (7.949, 4000.5, "Punch 55.6%"),
        (4000.5, 36_001.0, "line break 50.0%"),
    ]
    text = as_srt(timeline(*segments))
    assert parse_srt(text) == wanted
    path = tmp_path / "clip.srt"
    path.write_text(text + "\n", encoding="utf-8")
    found = libav_srt(path)
    assert [cue[2] for cue in found] == [cue[2] for cue in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert one[:2] == pytest.approx(other[:2], abs=1e-6)


def test_srt_without_segments_is_empty():
    assert as_srt(timeline()) == ""


# Utterances of long recordings


def heard(text: str, start: float = 0.0, confidence: float = 0.9) -> Transcript:
    words = tuple(Word(word, start + i, start + i + 0.5, confidence) for i, word in enumerate(text.split()))
    return Transcript("a.wav", text, 10.0, "m", confidence, words)


def test_an_utterance_has_the_words_whose_middle_is_its_own():
    utterance = placed(heard("one two three four"), start=100.0, end=104.0, first=100.5, last=103.0)
    assert utterance.transcript.text == "two three" and (utterance.start, utterance.end) == (100.5, 103.0)
    assert [word.start for word in utterance.transcript.words] == [101.0, 102.0]
    assert placed(heard("one two"), 100.0, 101.0, 100.0, 101.0).transcript.text == "one two"  # no neighbour read them


def test_a_recording_is_a_line_an_utterance():
    parts = [Utterance(0.0, 3.0, heard("one two")), Utterance(3.0, 5.0, heard("")),
             Utterance(5.0, 9.0, heard("no", 5.0))]
    whole = joined(parts, "a.wav", 10.0, "m")
    assert whole.text == as_text(whole) == "one two\nno" and [word.text for word in whole.words] == ["one", "two", "no"]
    assert whole.confidence == pytest.approx(0.81) and whole.duration == 10.0
    assert joined([], "a.wav", 10.0, "m").text == ""
    only = heard("one")
    assert joined([Utterance(0.0, 10.0, only)], "a.wav", 10.0, "m") is only


def test_doubt_keeps_the_lines():
    words = (*heard("one two").words, *heard("no", 5.0, 0.2).words, *heard("four five", 6.0).words)
    whole = Transcript("a.wav", "one two\nno\nfour five", 10.0, "m", 0.5, words)
    assert whole.doubting(0.5, mark=True).text == "one two\nno(?)\nfour five"
    assert whole.doubting(0.5, mark=False).text == "one two\nfour five"
