"""What is written is read back by others' readers: pysrt, webvtt-py, praatio, lhotse, csv, json."""

import csv
import html
import io
import json
import re
from pathlib import Path

import pysrt
import pytest
import webvtt
from praatio import textgrid as praat
from random_words import random_words

from earsight.app.command_line.values import TRANSCRIPT_FORMATS
from earsight.common.errors import EarsightError
from earsight.common.formats.subtitles import cues, spans
from earsight.common.formats.transcripts import (
    FORMATS,
    TSV_COLUMNS,
    demand_files,
    textgrid,
    transcript_header,
    written_transcript,
)
from earsight.common.inference.recognition import Transcript, Word

SEEDS = pytest.mark.parametrize("seed", range(25))
WORDS = (Word("seven", 0.5, 0.9, 0.98765), Word("of", 0.9, 1.0, 0.5), Word("nine", 1.6, 2.0, 0.25))


def transcript(words=WORDS, duration=2.5, path="clips/a b.wav") -> Transcript:
    return Transcript(path, " ".join(word.text for word in words), duration, "m", 0.5, tuple(words))


def written(form: str, words=WORDS, duration: float = 2.5, name: str = "a b") -> str:
    return FORMATS[form](transcript(words, duration), name)


def plain(words) -> list[str]:
    return [" ".join(word.text.split()) for word in words if word.text.split()]


def test_the_command_line_offers_what_can_be_written():
    assert TRANSCRIPT_FORMATS == tuple(FORMATS)


# Subtitles


@SEEDS
def test_srt_is_read_back(seed):
    words, duration = random_words(seed)
    found = pysrt.from_string(written("srt", words, duration), error_handling=pysrt.SubRipFile.ERROR_RAISE)
    expected = cues(words, duration)
    assert [(item.start.ordinal, item.end.ordinal) for item in found] == [(cue.start, cue.end) for cue in expected]
    assert [item.text for item in found] == ["\n".join(cue.lines).replace("-->", "→") for cue in expected]
    assert [item.index for item in found] == list(range(1, len(expected) + 1))


@SEEDS
def test_vtt_is_read_back(seed):
    words, duration = random_words(seed)
    found = list(webvtt.from_string(written("vtt", words, duration) + "\n"))
    expected = cues(words, duration)
    assert [html.unescape(caption.raw_text) for caption in found] == ["\n".join(cue.lines) for cue in expected]
    assert [(milliseconds(c.start), milliseconds(c.end)) for c in found] == [(c.start, c.end) for c in expected]


def milliseconds(clock: str) -> int:
    hours, minutes, seconds = clock.split(":")
    return 3_600_000 * int(hours) + 60_000 * int(minutes) + round(1000 * float(seconds))


def test_subtitles_by_hand():
    assert written("srt") == "1\n00:00:00,500 --> 00:00:02,000\nseven of nine"
    assert written("vtt") == "WEBVTT\n\n00:00:00.500 --> 00:00:02.000\nseven of nine"
    late = [Word("<late> --> & on", 360_000.0, 360_001.0, 1.0)]
    assert written("srt", late, 1.0).splitlines()[1:] == ["100:00:00,000 --> 100:00:01,000", "<late> → & on"]
    assert written("vtt", late, 1.0).splitlines()[2:] == ["100:00:00.000 --> 100:00:01.000",
                                                          "&lt;late&gt; --&gt; &amp; on"]


# Praat


@SEEDS
def test_textgrid_is_read_back(seed, tmp_path):
    words, duration = random_words(seed)
    tiers = {"words": words, 'a "tier"': words[:3]}
    path = tmp_path / "clip.TextGrid"
    path.write_text(textgrid(tiers, duration) + "\n", encoding="utf-8")
    grid = praat.openTextgrid(str(path), includeEmptyIntervals=True, reportingMode="error")
    assert grid.tierNames == ("words", 'a "tier"')
    for name, given in tiers.items():
        entries = grid.getTier(name).entries
        expected = spans(given)
        labelled = [e for e in entries if e.label]
        assert [e.label for e in labelled] == [span.text for span in expected]
        assert [(e.start, e.end) for e in labelled] == [(s.start / 1000, s.end / 1000) for s in expected]
        # Without a gap from start to end, as Praat demands.
        assert entries[0].start == 0 and entries[-1].end == pytest.approx(grid.maxTimestamp)
        assert all(a.end == b.start and a.end > a.start for a, b in zip(entries, entries[1:]))
    assert grid.maxTimestamp == pytest.approx(max([0.001, round(duration, 3), *(s.end / 1000 for s in spans(words))]))


# Scoring


@SEEDS
def test_ctm_is_lines_of_six_fields(seed):
    words, duration = random_words(seed)
    lines = written("ctm", words, duration, ";;a b").splitlines()
    expected = spans(words)
    assert len(lines) == len(expected)
    place = 0
    for line, span in zip(lines, expected):
        found = re.fullmatch(r"(?!;;)(\S+) 1 (\d+\.\d{3}) (\d+\.\d{3}) (\S+) ([01]\.\d{4})", line)
        assert found, line
        start, length = (round(1000 * float(found[i])) for i in (2, 3))
        assert start >= place and length > 0
        place = start + length
        assert (start, place) == (span.start, span.end)
        assert found[1] == ";_a_b" and found[4].replace("_", "") == re.sub(r"[\s_]", "", span.text).replace(";;", ";")


def test_ctm_is_read_back_by_lhotse(tmp_path):
    lhotse = pytest.importorskip("lhotse")
    path = tmp_path / "a.ctm"
    path.write_text(written("ctm", name="a"))
    segment = lhotse.SupervisionSegment("s", "a", 0.0, 2.5, channel=1, text="seven of nine")
    aligned = lhotse.SupervisionSet.from_segments([segment]).with_alignment_from_ctm(path)["s"].alignment["word"]
    assert [(item.symbol, item.start, round(item.end, 3), item.score) for item in aligned] == [
        ("seven", 0.5, 0.9, 0.9877), ("of", 0.9, 1.0, 0.5), ("nine", 1.6, 2.0, 0.25)]


@SEEDS
def test_stm_is_lines_of_segments(seed):
    words, duration = random_words(seed)
    place, texts = 0.0, []
    for line in written("stm", words, duration, "a b").splitlines():
        found = re.fullmatch(r"a_b 1 unknown (\d+\.\d{3}) (\d+\.\d{3})((?: \S+)+)", line)
        assert found, line
        assert place <= float(found[1]) < float(found[2])
        place = float(found[2])
        texts += found[3].split()
    assert texts == ["_".join(text.split()).replace(";;", ";_") for text in plain(words)]


# Tables and JSON


@SEEDS
def test_tsv_is_read_back(seed):
    words, duration = random_words(seed)
    rows = list(csv.DictReader(io.StringIO(written("tsv", words, duration), newline=""), delimiter="\t", strict=True))
    assert [row["word"] for row in rows] == plain(words)
    times = [(float(row["start"]), float(row["end"])) for row in rows]
    assert times == [(span.start / 1000, span.end / 1000) for span in spans(words)]
    assert all(row["path"] == "clips/a b.wav" for row in rows)


def test_tsv_of_several_clips_has_one_header():
    names = {Path("a.wav"): "a"}
    below = written_transcript(transcript(path="a.wav"), "tsv", names, alone=False)
    assert transcript_header("tsv").split("\t") == list(TSV_COLUMNS)
    assert below.splitlines()[0] == "a.wav\t0.500\t0.900\tseven\t0.9877"
    assert written_transcript(transcript(path="a.wav"), "tsv", names) == f"{transcript_header('tsv')}\n{below}"


@SEEDS
def test_jsonl_is_a_cue_a_line(seed):
    words, duration = random_words(seed)
    lines = [json.loads(line) for line in written("jsonl", words, duration).split("\n") if line]
    assert [word["text"] for line in lines for word in line["words"]] == plain(words)
    for line in lines:
        assert set(line) == {"path", "start", "end", "text", "words"}
        assert (line["start"], line["end"]) == (line["words"][0]["start"], line["words"][-1]["end"])
        assert line["text"] == " ".join(word["text"] for word in line["words"])


def test_json_is_the_transcript():
    found = json.loads(written("json"))
    assert found["words"][0] == {"text": "seven", "start": 0.5, "end": 0.9, "confidence": 0.9877}
    assert found["text"] == written("txt") == "seven of nine"


# What is empty, and what cannot be


@pytest.mark.parametrize("duration", [0.0, 3.0])
def test_empty_transcripts(duration):
    empty = {form: written(form, (), duration) for form in FORMATS}
    assert [form for form, text in empty.items() if not text] == ["txt", "jsonl", "srt", "ctm", "stm"]
    assert empty["vtt"] == "WEBVTT"
    assert empty["tsv"] == transcript_header("tsv")
    assert json.loads(empty["json"])["words"] == []
    assert 'text = ""' in empty["TextGrid"] and "intervals: size = 1" in empty["TextGrid"]


@pytest.mark.parametrize("form", ["srt", "vtt", "TextGrid"])
def test_clips_do_not_share_an_output_that_holds_one(form):
    demand_files(form, 1)
    demand_files("ctm", 2)
    with pytest.raises(EarsightError, match=f"--format {form} of 2 clips .* add --output DIR"):
        demand_files(form, 2)
