"""What recognising gives: transcripts, classifications and timelines, and how they are written."""

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice

import numpy as np

from .unknown import UNKNOWN, Familiarity


@dataclass(frozen=True)
class Word:
    """A word of a transcript.

    Attributes:
        text: the word.
        start, end: seconds.
        confidence: probability that it is right.
    """

    text: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True)
class Reading:
    """One of several readings of a clip; the scores of two, in nats, say which is likelier."""

    text: str
    score: float


@dataclass(frozen=True)
class Transcript:
    """What was said in a clip.

    Attributes:
        path: the clip.
        text: the words; empty where nothing was said; in a long recording a line an utterance.
        duration: seconds.
        model: name of the model that read it.
        confidence: probability that all of it is right.
        words: in order of time.
        n_best: the likeliest readings, the text's own first, where several were asked for.
        channel: which of the clip's channels it is of, from 1; None for all of them.
    """

    path: str
    text: str
    duration: float
    model: str
    confidence: float
    words: tuple[Word, ...] = ()
    n_best: tuple[Reading, ...] = ()
    channel: int | None = None

    def doubting(self, least: float, mark: bool) -> "Transcript":
        """The same with words of less confidence left out or, with `mark`, marked as `word(?)`."""
        words = iter(self.words)
        lines = [[replace(word, text=word.text + "(?)" * (word.confidence < least))
                  for word in islice(words, len(line.split())) if mark or word.confidence >= least]
                 for line in self.text.split("\n")]
        return replace(self, text="\n".join(" ".join(word.text for word in line) for line in lines if line),
                       words=tuple(word for line in lines for word in line))


@dataclass(frozen=True)
class Utterance:
    """What was said between two pauses of a recording, or in all of a short one.

    Attributes:
        start, end: seconds from the recording's start.
        transcript: of this stretch; the times of its words count from the recording's start.
    """

    start: float
    end: float
    transcript: Transcript


def joined(utterances: Sequence[Utterance], path: str, duration: float, model: str) -> Transcript:
    """The transcript of a recording from those of its utterances, each of which is a line of its text.

    Several readings are there only where one utterance is all of the recording.
    """
    if len(utterances) == 1 and (utterances[0].start, utterances[0].end) == (0.0, duration):
        return utterances[0].transcript
    spoken = [utterance.transcript for utterance in utterances if utterance.transcript.text]
    return Transcript(path, "\n".join(one.text for one in spoken), duration, model,
                      math.prod(one.confidence for one in spoken), tuple(word for one in spoken for word in one.words))


def placed(transcript: Transcript, start: float, end: float, first: float, last: float) -> Utterance:
    """The utterance that the transcript of a recording's stretch from `start` to `end` (seconds) gives.

    Where it was read beyond `first` or `last`, words whose middle is there are the neighbours'.
    """
    words = tuple(replace(word, start=word.start + start, end=word.end + start) for word in transcript.words)
    middles = [(word.start + word.end) / 2 for word in words]
    own = tuple(word for word, middle in zip(words, middles)
                if (start == first or middle >= first) and (end == last or middle < last))
    text = transcript.text if len(own) == len(words) else " ".join(word.text for word in own)
    return Utterance(first, last, replace(transcript, text=text, duration=last - first, words=own))


@dataclass(frozen=True)
class Classification:
    """What a clip is.

    Attributes:
        path: the clip.
        label: the likeliest class, whether the clip is one of them or not.
        probabilities: class -> probability, the likeliest first; of a clip that is one of them.
        duration: seconds.
        model: name of the model.
        familiarity: how much the clip looks like one of the classes; None where the model does not tell.
    """

    path: str
    label: str
    probabilities: dict[str, float]
    duration: float
    model: str
    familiarity: Familiarity | None = None

    @property
    def known(self) -> bool:
        """Whether the clip is one of the classes; so is every one to a model that does not tell."""
        return self.familiarity is None or self.familiarity.known

    @property
    def decision(self) -> str:
        """The label, or "unknown"."""
        return self.label if self.known else UNKNOWN


@dataclass(frozen=True)
class Segment:
    """A stretch of a clip in which one thing is done.

    Attributes:
        start, end: seconds.
        label: the class.
        probability: the mean of the label's probability from start to end.
    """

    start: float
    end: float
    label: str
    probability: float


@dataclass(frozen=True, eq=False)
class Timeline:
    """What is done in a long clip, and when.

    Attributes:
        path: the clip.
        segments: in order of time, without overlap; neighbours meet, except where no label was likely enough, or what
            is seen is none of them.
        labels: all classes of the model.
        times: (window,) the centre of each window in seconds, rising.
        probabilities: (window, label) float32, what the model makes of each window; what they lack to 1 is the
            probability of none of the labels.
        duration: seconds.
        model: name of the model.
    """

    path: str
    segments: tuple[Segment, ...]
    labels: tuple[str, ...]
    times: np.ndarray
    probabilities: np.ndarray
    duration: float
    model: str


def classification(logits: np.ndarray, labels: Sequence[str], path: str, duration: float, model: str,
                   familiarity: Familiarity | None = None) -> Classification:
    """What logits (label,) say of a clip."""
    probabilities = np.exp(logits - logits.max(), dtype=np.float64)
    probabilities /= probabilities.sum()
    order = np.argsort(-probabilities, kind="stable")
    ranked = {labels[i]: float(probabilities[i]) for i in map(int, order)}
    return Classification(path, next(iter(ranked)), ranked, duration, model, familiarity)


CSV_COLUMNS = {
    Classification: ("path", "label", "probability", "rank"),
    Timeline: ("path", "start", "end", "label", "probability"),
}


def written(result: Classification | Timeline, form: str, top: int = 1, alone: bool = True) -> str:
    """A result in one of the formats txt, json, csv and srt; not `alone`: below others, so without a header."""
    if form == "json":
        return as_json(result)
    if form == "csv":
        return as_csv(result, top) if alone else csv_rows(result, top)
    return (as_srt if form == "srt" else as_text)(result, top)


def header(form: str, timeline: bool) -> str:
    """What goes before all results of a run; empty for formats without a header."""
    return csv_header(Timeline if timeline else Classification) if form == "csv" else ""


def as_text(result: Transcript | Classification | Timeline, top: int = 1) -> str:
    """One result for a person.

    A transcript's text; a classification's `top` labels with their probabilities, behind "unknown" where it is none of
    them; a timeline's segments, one a line.
    """
    if isinstance(result, Transcript):
        return result.text
    if isinstance(result, Classification):
        named = ", ".join(_percentage(label, value) for label, value in _ranked(result, top))
        return named if result.known else f"{UNKNOWN} (most like {named})"
    return "\n".join(map(segment_text, result.segments)) or "(no label is likely enough)"


def segment_text(segment: Segment) -> str:
    """A stretch of a clip as a line for a person."""
    return f"{_clock(segment.start)} - {_clock(segment.end)}  {_percentage(segment.label, segment.probability)}"


def as_json(result: Transcript | Classification | Timeline) -> str:
    """One result as one line of JSON, its keys the dataclass's fields. Times are to 1 ms, probabilities to 1e-4.

    A transcript's: `path`, `text`, `duration`, `model`, `confidence`, `words` (a list of objects: `text`, `start`,
    `end`, `confidence`), `n_best` (a list of objects: `text`, `score`; empty where one reading was asked for), and
    `channel` where it is of one. A classification's: `path`, `label`, `probabilities`, `duration`, `model`, and of a
    model that tells what it does not know `decision` (the label, or "unknown"), `score` and `threshold`.
    """
    if isinstance(result, Timeline):
        plain = {
            "path": result.path,
            "segments": [asdict(s) | {"start": round(s.start, 3), "end": round(s.end, 3),
                                      "probability": round(s.probability, 4)} for s in result.segments],
            "labels": list(result.labels),
            "times": _rounded(result.times, 3),
            "probabilities": _rounded(result.probabilities, 4),
            "duration": result.duration,
            "model": result.model,
        }  # fmt: skip
    else:
        plain = dict(vars(result))
    plain["duration"] = round(plain["duration"], 3)
    if isinstance(result, Transcript):
        plain["confidence"] = round(result.confidence, 4)
        plain["words"] = plain_words(result.words)
        plain["n_best"] = [{"text": reading.text, "score": round(reading.score, 3)} for reading in result.n_best]
        if result.channel is None:
            del plain["channel"]
    if isinstance(result, Classification):
        plain["probabilities"] = {label: round(value, 4) for label, value in result.probabilities.items()}
        del plain["familiarity"]
        if familiarity := result.familiarity:
            plain |= {"decision": result.decision, "score": round(familiarity.score, 3),
                      "threshold": round(familiarity.threshold, 3)}
    return json.dumps(plain, ensure_ascii=False)


def plain_words(words: Iterable[Word]) -> list[dict]:
    """Words as JSON has them."""
    return [{"text": word.text, "start": round(word.start, 3), "end": round(word.end, 3),
             "confidence": round(word.confidence, 4)} for word in words]


def csv_header(kind: type[Classification] | type[Timeline]) -> str:
    """The first line of a table of such results, without a line break at the end."""
    return _csv([CSV_COLUMNS[kind]])


def csv_rows(result: Classification | Timeline, top: int = 1) -> str:
    """One result's lines of the table: its `top` labels, or its segments; empty where it has none.

    What is none of the labels is "unknown" in the first place, without a probability, and the labels follow.
    """
    if isinstance(result, Classification):
        ranked = [] if result.known else [(UNKNOWN, "")]
        ranked += [(label, f"{value:.4f}") for label, value in _ranked(result, top)]
        return _csv((result.path, *each, rank) for rank, each in enumerate(ranked[:top], 1))
    return _csv((result.path, f"{s.start:.3f}", f"{s.end:.3f}", s.label, f"{s.probability:.4f}")
                for s in result.segments)  # fmt: skip


def as_csv(result: Classification | Timeline, top: int = 1) -> str:
    """One result as a table of its own: the header, and its rows."""
    rows = csv_rows(result, top)
    return csv_header(type(result)) + ("\n" + rows if rows else "")


def as_srt(result: Classification | Timeline, top: int = 1) -> str:
    """SubRip subtitles, which a player shows over the clip: a cue a segment, or one cue over the whole clip."""
    if isinstance(result, Classification):
        cues = [(0.0, result.duration, as_text(result, top))]
    else:
        cues = [(s.start, s.end, _percentage(s.label, s.probability)) for s in result.segments]
    return "\n\n".join(
        f"{number}\n{srt_clock(start)} --> {srt_clock(end)}\n{' '.join(text.split())}"  # a line break ends a cue
        for number, (start, end, text) in enumerate(cues, 1)
    )


def _ranked(result: Classification, top: int) -> list[tuple[str, float]]:
    return list(result.probabilities.items())[:top]


def _percentage(label: str, probability: float) -> str:
    return f"{label} {probability:.1%}"


def _rounded(values: np.ndarray, digits: int) -> list:
    # In float64: what is nearest to 0.1235 in float32 would be written with 17 digits.
    return np.round(np.asarray(values, dtype=np.float64), digits).tolist()


def _csv(rows: Iterable[Sequence[str | int]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().removesuffix("\n")


def _clock(seconds: float) -> str:
    """0:00:07.9"""
    minutes, tenths = divmod(round(10 * seconds), 600)
    return f"{minutes // 60}:{minutes % 60:02}:{tenths // 10:02}.{tenths % 10}"


def srt_clock(seconds: float) -> str:
    """00:00:07,900"""
    minutes, thousandths = divmod(round(1000 * seconds), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{thousandths // 1000:02},{thousandths % 1000:03}"
