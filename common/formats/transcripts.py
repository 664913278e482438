"""Transcripts as editors, linguists, players and scoring tools read them; a function a format, which returns the text.

Times are in seconds to 1 ms, rising, without overlap; a word of no length gets 1 ms. Where there are no words:

    txt, jsonl, srt, ctm, stm   empty
    json                        `text` is "", `words` is []
    vtt, tsv                    the header
    TextGrid                    one empty interval
"""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..errors import EarsightError
from ..inference.recognition import Transcript, Word, as_json, as_text
from ..paths import channel_path
from .subtitles import cues, spans, srt, vtt

TSV_COLUMNS = ("path", "start", "end", "word", "confidence")
OWN_FILE = ("srt", "vtt", "TextGrid")  # of which a file holds no two clips


def as_jsonl(transcript: Transcript, name: str) -> str:
    """A JSON object a line, each a cue as in subtitles.

    `path`, `start`, `end` (of its words), `text`, and `words`: a list of objects with `text`, `start`, `end`,
    `confidence`; and `channel` where it is of one.
    """
    source = {"path": transcript.path} | ({} if transcript.channel is None else {"channel": transcript.channel})
    return "\n".join(
        json.dumps({**source, "start": cue.words[0].start / 1000, "end": cue.words[-1].end / 1000,
                    "text": " ".join(cue.lines),
                    "words": [{"text": word.text, "start": word.start / 1000, "end": word.end / 1000,
                               "confidence": round(word.confidence, 4)} for word in cue.words]}, ensure_ascii=False)
        for cue in cues(transcript.words, transcript.duration))


def as_ctm(transcript: Transcript, name: str) -> str:
    """NIST's time-marked conversation (SCTK, infmts): `file channel start duration word confidence` a word."""
    source = f"{_field(name)} {transcript.channel or 1}"
    return "\n".join(f"{source} {_seconds(word.start)} {_seconds(word.end - word.start)} {_field(word.text)} "
                     f"{word.confidence:.4f}" for word in spans(transcript.words))


def as_stm(transcript: Transcript, name: str) -> str:
    """NIST's segment time marks (SCTK, infmts): `file channel speaker start end words` a cue; no speaker is known."""
    source = f"{_field(name)} {transcript.channel or 1}"
    return "\n".join(
        f"{source} unknown {_seconds(cue.words[0].start)} {_seconds(cue.words[-1].end)} "
        + " ".join(_field(word.text) for word in cue.words) for cue in cues(transcript.words, transcript.duration))


def as_textgrid(transcript: Transcript, name: str) -> str:
    """Praat's, with a tier of words."""
    return textgrid({"words": transcript.words}, transcript.duration)


def textgrid(tiers: Mapping[str, Sequence[Word]], duration: float) -> str:
    """Praat's long text format: interval tiers of one clip; empty intervals fill the gaps between their words."""
    intervals = {name: spans(words) for name, words in tiers.items()}
    end = max([round(1000 * duration), 1, *(words[-1].end for words in intervals.values() if words)])
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {_seconds(end)}",
             "tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, words) in enumerate(intervals.items(), 1):
        filled = _filled([(word.start, word.end, word.text) for word in words], end)
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f"        name = {_quoted(name)}",
                  "        xmin = 0", f"        xmax = {_seconds(end)}", f"        intervals: size = {len(filled)}"]
        for place, (first, last, text) in enumerate(filled, 1):
            lines += [f"        intervals [{place}]:", f"            xmin = {_seconds(first)}",
                      f"            xmax = {_seconds(last)}", f"            text = {_quoted(text)}"]
    return "\n".join(lines)


def as_tsv(transcript: Transcript, name: str) -> str:
    """A row a word below the header TSV_COLUMNS; fields with tabs, line breaks or quotes are quoted as in CSV."""
    path = channel_path(Path(transcript.path), transcript.channel) if transcript.channel else transcript.path
    rows = [(path, _seconds(word.start), _seconds(word.end), word.text, f"{word.confidence:.4f}")
            for word in spans(transcript.words)]
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows([TSV_COLUMNS, *rows])
    return text.getvalue().removesuffix("\n")


FORMATS: dict[str, Callable[[Transcript, str], str]] = {
    "txt": lambda transcript, name: as_text(transcript),
    "json": lambda transcript, name: as_json(transcript),
    "jsonl": as_jsonl,
    "srt": lambda transcript, name: srt(transcript.words, transcript.duration),
    "vtt": lambda transcript, name: vtt(transcript.words, transcript.duration),
    "ctm": as_ctm,
    "stm": as_stm,
    "TextGrid": as_textgrid,
    "tsv": as_tsv,
}


def written_transcript(transcript: Transcript, form: str, names: Mapping[Path, str], alone: bool = True) -> str:
    """A transcript in one of FORMATS.

    Args:
        names: path -> what the clip is called in formats that name it, no two alike.
        alone: in a file of its own; else below others, without a header.
    """
    text = FORMATS[form](transcript, names[channel_path(Path(transcript.path), transcript.channel)])
    return text if alone or form != "tsv" else text.partition("\n")[2]


def transcript_header(form: str) -> str:
    """What goes before all transcripts of a run; empty for formats without a header."""
    return "\t".join(TSV_COLUMNS) if form == "tsv" else ""


def demand_files(form: str, clips: int) -> None:
    """Refuse several clips on one standard output in a format of which a file holds one."""
    if clips > 1 and form in OWN_FILE:
        raise EarsightError(f"--format {form} of {clips} clips needs a file for each; add --output DIR")


def _filled(intervals: list[tuple[int, int, str]], end: int) -> list[tuple[int, int, str]]:
    result, place = [], 0
    for interval in [*intervals, (end, end, "")]:
        if interval[0] > place:
            result.append((place, interval[0], ""))
        if interval[1] > interval[0]:
            result.append(interval)
        place = interval[1]
    return result


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}"


def _field(text: str) -> str:
    """Text as one field of a line of fields; `;;` would begin a comment."""
    return "_".join(text.split()).replace(";;", ";_")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
