"""A transcript or a timeline that comes back, as after corrections, by the writers of the command line."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ...common.errors import EarsightError
from ...common.escaping import printable
from ...common.formats.transcripts import FORMATS, written_transcript
from ...common.inference.recognition import Segment, Timeline, Transcript, Word, written

TRANSCRIPT_FORMATS = tuple(FORMATS)
TIMELINE_FORMATS = ("txt", "json", "csv", "srt")
KINDS = {form: "text/plain; charset=utf-8" for form in TRANSCRIPT_FORMATS} | {
    "json": "application/json", "srt": "application/x-subrip; charset=utf-8", "vtt": "text/vtt; charset=utf-8",
    "csv": "text/csv; charset=utf-8"}
MOST = 200_000  # words, windows or segments: hours of them


def written_again(body: bytes, form: str) -> str:
    """What the command line would write of a result.

    Args:
        body: JSON of a transcript or a timeline as `recognition.as_json` writes it.
        form: one of TRANSCRIPT_FORMATS or, of a timeline, of TIMELINE_FORMATS.

    Raises:
        EarsightError: the body is neither, or contradicts itself.
    """
    try:
        plain = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise EarsightError("the file is no JSON; send a transcript or a timeline as Earsight writes them") from error
    if not isinstance(plain, dict) or ("words" in plain) == ("segments" in plain):
        raise EarsightError("the file is neither a transcript, which has `words`, nor a timeline, with `segments`")
    forms = TRANSCRIPT_FORMATS if "words" in plain else TIMELINE_FORMATS
    if form not in forms:
        raise EarsightError(f"there is no {form} of this; there are {', '.join(forms)}")
    if "segments" in plain:
        return written(_timeline(plain), form) + "\n"
    transcript = _transcript(plain)
    path = Path(transcript.path)
    return written_transcript(transcript, form, {path: path.stem}) + "\n"


def _transcript(plain: dict[str, Any]) -> Transcript:
    words = tuple(Word(_text(each, "text"), *_span(each), _probability(each, "confidence"))
                  for each in _objects(plain, "words"))
    if any(b.start < a.start for a, b in zip(words, words[1:])):
        raise EarsightError("`words` have to be in order of time")
    text = _text(plain, "text")
    if text.split() != [part for word in words for part in word.text.split()]:
        raise EarsightError("`text` and `words` have to tell the same words")
    return Transcript(_path(plain), text, _duration(plain), _text(plain, "model"), _probability(plain, "confidence"),
                      words)


def _timeline(plain: dict[str, Any]) -> Timeline:
    segments = tuple(Segment(*_span(each), _text(each, "label"), _probability(each, "probability"))
                     for each in _objects(plain, "segments"))
    labels = plain.get("labels")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise EarsightError("`labels` have to be a list of names")
    times, probabilities = _numbers(plain, "times", np.float64), _numbers(plain, "probabilities", np.float32)
    if times.ndim != 1 or probabilities.shape != (len(times), len(labels)):
        raise EarsightError("`times` have to be a list of seconds, and `probabilities` a list of lists, one for each "
                            "time with a number for each label")
    return Timeline(_path(plain), segments, tuple(labels), times, probabilities, _duration(plain),
                    _text(plain, "model"))


def _numbers(plain: dict[str, Any], name: str, kind: type) -> np.ndarray:
    try:
        values = np.array(plain.get(name), kind)
    except (ValueError, TypeError, OverflowError):
        values = np.array(np.nan)
    if not np.isfinite(values).all():
        raise EarsightError(f"`{name}` have to be numbers")
    return values


def _objects(plain: dict[str, Any], name: str) -> list[dict[str, Any]]:
    values = plain[name]
    if not isinstance(values, list) or len(values) > MOST or not all(isinstance(value, dict) for value in values):
        raise EarsightError(f"`{name}` have to be a list of at most {MOST} objects")
    return values


def _text(plain: dict[str, Any], name: str) -> str:
    value = plain.get(name)
    if not isinstance(value, str):
        raise EarsightError(f"`{name}` has to be a text")
    return printable(value)  # JSON may hold halves of letters, which no file can


def _path(plain: dict[str, Any]) -> str:
    return _text(plain, "path") or "file"


def _number(plain: dict[str, Any], name: str, most: float) -> float:
    value = plain.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise EarsightError(f"`{name}` has to be a number from 0 to {most:g}")
    return float(value)


def _probability(plain: dict[str, Any], name: str) -> float:
    return _number(plain, name, 1.0)


def _duration(plain: dict[str, Any]) -> float:
    return _number(plain, "duration", 1e7)


def _span(plain: dict[str, Any]) -> tuple[float, float]:
    start, end = _number(plain, "start", 1e7), _number(plain, "end", 1e7)
    if end < start:
        raise EarsightError("`end` has to be at or behind `start`")
    return start, end
