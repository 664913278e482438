"""What an evaluation found, for a reader (`.text()`), a program (`.json()`) and the eye (`.plot()`).

A report holds plain values; its text and its JSON are two printings of the same ones.
"""

import json
import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from common import metrics
from common.errors import EarsightError, require
from common.files import whole_file
from common.metrics import Edit, ErrorCounts

JSON_VERSION = 1  # goes up when a key changes its name or its meaning
TEXT_WIDTH = 100  # columns: longer alignments go on below, a wider matrix gives way to a list
TEXT_CONFUSIONS = 10  # the commonest, in the text; the JSON has them all
LARGEST_MATRIX = 20  # classes: up to here the matrix is printed, and its picture shows the counts


# Transcripts


@dataclass(frozen=True)
class TranscriptResult:
    """What was said in a clip and what was recognised; `duration` in seconds."""

    id: str
    speaker: str | None
    reference: str
    hypothesis: str
    duration: float


@dataclass(frozen=True)
class UtteranceErrors:
    """One utterance with its counts; `duration` in seconds."""

    id: str
    speaker: str | None
    duration: float
    reference: str
    hypothesis: str
    words: ErrorCounts
    characters: ErrorCounts

    def alignment(self) -> list[Edit]:
        """The word alignment that `words` counts."""
        return metrics.align(metrics.words(self.reference), metrics.words(self.hypothesis))


@dataclass(frozen=True)
class SpeakerErrors:
    """The sums over one speaker's utterances; `speaker` is None where none is known."""

    speaker: str | None
    utterances: int
    duration: float
    words: ErrorCounts
    characters: ErrorCounts


@dataclass(frozen=True)
class WordCount:
    """How often one word was read as another; None stands for no word."""

    reference: str | None
    hypothesis: str | None
    count: int


@dataclass(frozen=True)
class TranscriptionReport:
    """Errors of a set of transcripts. Every rate is edits over the set by symbols over the set."""

    words: ErrorCounts
    characters: ErrorCounts
    sentence_errors: int  # utterances with at least one wrong word
    duration: float  # seconds
    speakers: tuple[SpeakerErrors, ...]  # highest word error rate first
    substituted: tuple[WordCount, ...]  # commonest first, as the next two
    deleted: tuple[WordCount, ...]
    inserted: tuple[WordCount, ...]
    worst: tuple[UtteranceErrors, ...]  # most word errors first, then the highest rate
    utterances: tuple[UtteranceErrors, ...]  # as given

    @property
    def sentence_error_rate(self) -> float:
        return self.sentence_errors / len(self.utterances)

    def text(self) -> str:
        """The report for a terminal."""
        sections = [self._totals(), self._speakers(), self._confusions(), self._worst()]
        return "\n\n".join(section for section in sections if section) + "\n"

    def json(self) -> str:
        """The report as a JSON object, one entry of a list a line.

        Keys: `report` ("transcription"), `version`, `utterance_count`, `duration` (seconds), `words`,
        `characters` (counts), `sentence_errors`, `sentence_error_rate`, `speakers` (speaker, utterances,
        duration, words, characters), `substituted` (reference, hypothesis, count), `deleted` (reference,
        count), `inserted` (hypothesis, count), `worst` (id, and alignment: a list of [kind, reference word,
        hypothesis word], where kind is ok, sub, del or ins), and `utterances` (id, speaker, duration,
        reference, hypothesis, words, characters). Counts are an object: rate, edits, substitutions,
        deletions, insertions, reference_length. A rate is a fraction, not a percentage; it is null where
        the reference is empty and the hypothesis is not.
        """
        return _json(
            {
                "report": "transcription",
                "version": JSON_VERSION,
                "utterance_count": len(self.utterances),
                "duration": self.duration,
                "words": _counts(self.words),
                "characters": _counts(self.characters),
                "sentence_errors": self.sentence_errors,
                "sentence_error_rate": self.sentence_error_rate,
                "speakers": [_plain(speaker) for speaker in self.speakers],
                "substituted": [_plain(pair) for pair in self.substituted],
                "deleted": [{"reference": pair.reference, "count": pair.count} for pair in self.deleted],
                "inserted": [{"hypothesis": pair.hypothesis, "count": pair.count} for pair in self.inserted],
                "worst": [
                    {
                        "id": utterance.id,
                        "alignment": [[e.kind, e.reference, e.hypothesis] for e in utterance.alignment()],
                    }
                    for utterance in self.worst
                ],
                "utterances": [_plain(utterance) for utterance in self.utterances],
            }
        )

    def _totals(self) -> str:
        def row(name: str, counts: ErrorCounts) -> list[str]:
            parts = (counts.edits, counts.substitutions, counts.deletions, counts.insertions)
            return [name, _percent(counts.rate), *map(str, parts), str(counts.reference_length)]

        utterances = len(self.utterances)
        sentences = ["sentences", _percent(self.sentence_error_rate), str(self.sentence_errors)]
        table = _table(
            ["", "error rate", "errors", "subst.", "deleted", "inserted", "of"],
            [
                row("WER", self.words),
                row("CER", self.characters),
                [*sentences, "", "", "", str(utterances)],
            ],
        )
        return f"{_number(utterances, 'utterance')}, {_duration(self.duration)}\n\n{table}"

    def _speakers(self) -> str:
        if all(speaker.speaker is None for speaker in self.speakers):
            return ""
        return "By speaker\n" + _table(
            ["speaker", "word error rate", "errors", "words", "character error rate", "utterances"],
            [
                [
                    _name(speaker.speaker),
                    _percent(speaker.words.rate),
                    str(speaker.words.edits),
                    str(speaker.words.reference_length),
                    _percent(speaker.characters.rate),
                    str(speaker.utterances),
                ]
                for speaker in self.speakers
            ],
        )

    def _confusions(self) -> str:
        kinds = {
            "substituted": [f"{pair.reference} -> {pair.hypothesis}" for pair in self.substituted],
            "deleted": [str(pair.reference) for pair in self.deleted],
            "inserted": [str(pair.hypothesis) for pair in self.inserted],
        }
        columns = [
            _table(
                ["", kind],
                [[str(getattr(self, kind)[i].count), name] for i, name in enumerate(names[:TEXT_CONFUSIONS])],
                align="><",
            ).splitlines()
            for kind, names in kinds.items()
            if names
        ]
        return "Commonest errors\n" + _beside(columns) if columns else ""

    def _worst(self) -> str:
        if not self.worst:
            return ""
        return "Worst utterances\n" + "\n\n".join(
            f"{utterance.id}: {_number(utterance.words.edits, 'error')} in "
            f"{_number(utterance.words.reference_length, 'word')} ({_percent(utterance.words.rate)})\n"
            f"{_aligned(utterance.alignment())}"
            for utterance in self.worst
        )


def transcription_report(results: Iterable[TranscriptResult], worst: int = 10) -> TranscriptionReport:
    """Count the errors of `results`, and pick the `worst` utterances.

    Raises EarsightError for an empty set, and for an id that comes twice (it would count twice).
    """
    utterances = tuple(
        UtteranceErrors(
            result.id,
            result.speaker,
            float(result.duration),
            result.reference,
            result.hypothesis,
            metrics.word_errors(result.reference, result.hypothesis),
            metrics.character_errors(result.reference, result.hypothesis),
        )
        for result in results
    )
    _check_ids([utterance.id for utterance in utterances], "utterance")
    wrong = [utterance for utterance in utterances if utterance.words.edits]
    edits = Counter(
        (edit.kind, edit.reference, edit.hypothesis) for utterance in wrong for edit in utterance.alignment()
    )
    by_speaker: dict[str | None, list[UtteranceErrors]] = {}
    for utterance in utterances:
        by_speaker.setdefault(utterance.speaker, []).append(utterance)
    speakers = [SpeakerErrors(speaker, len(theirs), *_sums(theirs)) for speaker, theirs in by_speaker.items()]
    duration, words, characters = _sums(utterances)
    return TranscriptionReport(
        words=words,
        characters=characters,
        sentence_errors=len(wrong),
        duration=duration,
        speakers=tuple(sorted(speakers, key=lambda s: (-s.words.rate, s.speaker is None, s.speaker or ""))),
        substituted=_commonest(edits, "sub"),
        deleted=_commonest(edits, "del"),
        inserted=_commonest(edits, "ins"),
        worst=tuple(sorted(wrong, key=lambda u: (-u.words.edits, -u.words.rate, u.id))[:worst]),
        utterances=utterances,
    )


def _sums(utterances: Sequence[UtteranceErrors]) -> tuple[float, ErrorCounts, ErrorCounts]:
    return (
        math.fsum(utterance.duration for utterance in utterances),
        sum((utterance.words for utterance in utterances), ErrorCounts()),
        sum((utterance.characters for utterance in utterances), ErrorCounts()),
    )


def _commonest(edits: Counter, kind: str) -> tuple[WordCount, ...]:
    pairs = [WordCount(edit[1], edit[2], count) for edit, count in edits.items() if edit[0] == kind]
    return tuple(sorted(pairs, key=lambda pair: (-pair.count, pair.reference or "", pair.hypothesis or "")))


def _aligned(edits: Sequence[Edit]) -> str:
    """REF and HYP under each other, `*` where a word is missing, and S, D or I below each wrong word."""
    columns = []
    for edit in edits:
        reference, hypothesis = edit.reference or "", edit.hypothesis or ""
        width = max(_width(reference), _width(hypothesis))
        mark = "" if edit.kind == "ok" else edit.kind[0].upper()
        columns.append(
            [_pad(word, width) for word in (reference or "*" * width, hypothesis or "*" * width, mark)]
        )
    blocks: list[list[list[str]]] = [[]]
    used = 0
    for column in columns:
        used += _width(column[0]) + 1
        if blocks[-1] and used > TEXT_WIDTH - 7:
            blocks.append([])
            used = _width(column[0]) + 1
        blocks[-1].append(column)
    return "\n".join(
        f"  {name}  {' '.join(column[row] for column in block)}".rstrip()
        for block in blocks
        for row, name in enumerate(("REF", "HYP", "   "))
        if row < 2 or any(column[2].strip() for column in block)
    )


# Classification


@dataclass(frozen=True, eq=False)
class ClassificationResult:
    """The true label of a clip and the model's probabilities, (classes,) in the order of its labels."""

    id: str
    speaker_or_group: str | None
    label: str
    probabilities: np.ndarray


@dataclass(frozen=True)
class ClipPrediction:
    """One clip: its label, the most probable one, and the probabilities of both."""

    id: str
    group: str | None
    label: str
    predicted: str
    probability: float  # of the predicted label
    label_probability: float


@dataclass(frozen=True)
class ClassFigures:
    """The figures of one class; `support` is the number of clips with this label."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class GroupAccuracy:
    """One speaker's or group's clips; `group` is None where none is known."""

    group: str | None
    clips: int
    correct: int

    @property
    def accuracy(self) -> float:
        return self.correct / self.clips


@dataclass(frozen=True)
class ClassificationReport:
    """Figures of a set of classified clips."""

    labels: tuple[str, ...]
    correct: int
    accuracy: float
    top5_accuracy: float | None  # None for up to five classes, where it says nothing
    macro_f1: float  # mean over the classes that occur, as a label or as a prediction
    classes: tuple[ClassFigures, ...]  # in the order of `labels`
    confusion: tuple[tuple[int, ...], ...]  # row = true label, column = predicted label
    groups: tuple[GroupAccuracy, ...]  # lowest accuracy first
    mistakes: tuple[ClipPrediction, ...]  # the wrong clips of the highest probability, most certain first
    clips: tuple[ClipPrediction, ...]  # as given

    def text(self) -> str:
        """The report for a terminal."""
        sections = [self._totals(), self._classes(), self._matrix(), self._groups(), self._mistakes()]
        return "\n\n".join(section for section in sections if section) + "\n"

    def json(self) -> str:
        """The report as a JSON object, one entry of a list a line.

        Keys: `report` ("classification"), `version`, `clip_count`, `correct`, `accuracy`, `top5_accuracy`
        (null for up to five classes), `macro_f1`, `labels`, `classes` (label, precision, recall, f1,
        support), `confusion` (a row a true label, a column a predicted one), `groups` (group, clips, correct,
        accuracy), `mistakes` (ids), and `clips` (id, group, label, predicted, probability,
        label_probability). Figures are fractions, not percentages.
        """
        return _json(
            {
                "report": "classification",
                "version": JSON_VERSION,
                "clip_count": len(self.clips),
                "correct": self.correct,
                "accuracy": self.accuracy,
                "top5_accuracy": self.top5_accuracy,
                "macro_f1": self.macro_f1,
                "labels": list(self.labels),
                "classes": [_plain(figures) for figures in self.classes],
                "confusion": [list(row) for row in self.confusion],
                "groups": [_plain(group) | {"accuracy": group.accuracy} for group in self.groups],
                "mistakes": [clip.id for clip in self.mistakes],
                "clips": [_plain(clip) for clip in self.clips],
            }
        )

    def plot(self, path: str | Path) -> None:
        """Write the confusion matrix to `path` as PNG: shade = share of the true label's clips.

        The counts stand in the cells up to 20 classes. Raises MissingExtra without matplotlib.
        """
        figure = _confusion_figure(self)
        with whole_file(path) as temporary:
            figure.savefig(temporary, format="png", dpi=150, bbox_inches="tight", pad_inches=0.2)

    def _totals(self) -> str:
        clips = len(self.clips)
        rows = [["accuracy", _percent(self.accuracy), f"{self.correct} of {clips}"]]
        if self.top5_accuracy is not None:
            within = round(self.top5_accuracy * clips)
            rows.append(["top-5 accuracy", _percent(self.top5_accuracy), f"{within} of {clips}"])
        rows.append(["macro F1", _percent(self.macro_f1), ""])
        counts = f"{_number(clips, 'clip')}, {_number(len(self.labels), 'class', 'classes')}"
        return f"{counts}\n\n{_table(None, rows)}"

    def _classes(self) -> str:
        return "By class\n" + _table(
            ["label", "precision", "recall", "F1", "clips"],
            [
                [c.label, _percent(c.precision), _percent(c.recall), _percent(c.f1), str(c.support)]
                for c in self.classes
            ],
        )

    def _matrix(self) -> str:
        if len(self.labels) > LARGEST_MATRIX:
            return self._confusions()
        heads = list(self.labels)
        if max(map(_width, heads)) > 5:  # long names go to the rows alone
            heads = [chr(ord("a") + i) for i in range(len(heads))]
            names = [f"{head}  {label}" for head, label in zip(heads, self.labels, strict=True)]
        else:
            names = heads
        rows = [
            [name, *(str(count) if count else "." for count in row)]
            for name, row in zip(names, self.confusion, strict=True)
        ]
        table = _table(["", *heads], rows)
        if max(map(_width, table.splitlines())) > TEXT_WIDTH:
            return self._confusions()
        return "Confusion matrix (row: label, column: prediction)\n" + table

    def _confusions(self) -> str:
        pairs = [
            (count, label, predicted)
            for label, row in zip(self.labels, self.confusion, strict=True)
            for predicted, count in zip(self.labels, row, strict=True)
            if count and label != predicted
        ]
        if not pairs:
            return ""
        pairs.sort(key=lambda pair: -pair[0])
        return "Commonest confusions\n" + _table(
            ["", "label", "taken for"],
            [[str(count), label, predicted] for count, label, predicted in pairs[:TEXT_CONFUSIONS]],
            align="><<",
        )

    def _groups(self) -> str:
        if all(group.group is None for group in self.groups):
            return ""
        return "By speaker or group\n" + _table(
            ["group", "accuracy", "correct", "clips"],
            [[_name(g.group), _percent(g.accuracy), str(g.correct), str(g.clips)] for g in self.groups],
        )

    def _mistakes(self) -> str:
        if not self.mistakes:
            return ""
        return "Most confidently wrong\n" + _table(
            ["clip", "label", "predicted", "probability", "of the label"],
            [
                [
                    clip.id,
                    clip.label,
                    clip.predicted,
                    _percent(clip.probability),
                    _percent(clip.label_probability),
                ]
                for clip in self.mistakes
            ],
            align="<<<>>",
        )


def classification_report(
    results: Iterable[ClassificationResult], labels: Sequence[str], worst: int = 10
) -> ClassificationReport:
    """Figures of `results` under a model that knows `labels`, with the `worst` most confident mistakes.

    Raises EarsightError for an empty set, an id that comes twice, a label that the model does not know, and
    probabilities that are not one finite number a label.
    """
    results = list(results)
    labels = tuple(labels)
    _check_ids([result.id for result in results], "clip")
    position = {label: i for i, label in enumerate(labels)}
    for result in results:
        _check_clip(result, position)
    targets = np.array([position[result.label] for result in results])
    probabilities = np.stack([np.asarray(result.probabilities, dtype=np.float64) for result in results])
    predictions = probabilities.argmax(axis=1)
    confusion = metrics.confusion_matrix(targets, predictions, len(labels))
    scores = metrics.class_scores(confusion)
    clips = tuple(
        ClipPrediction(
            result.id,
            result.speaker_or_group,
            result.label,
            labels[predicted],
            float(row[predicted]),
            float(row[t]),
        )
        for result, row, predicted, t in zip(results, probabilities, predictions, targets, strict=True)
    )
    wrong = [clip for clip in clips if clip.predicted != clip.label]
    sizes = Counter(clip.group for clip in clips)
    errors = Counter(clip.group for clip in wrong)
    groups = [GroupAccuracy(group, size, size - errors[group]) for group, size in sizes.items()]
    return ClassificationReport(
        labels=labels,
        correct=len(clips) - len(wrong),
        accuracy=metrics.accuracy(targets, predictions),
        top5_accuracy=metrics.top_k_accuracy(targets, probabilities, 5) if len(labels) > 5 else None,
        macro_f1=scores.macro_f1,
        classes=tuple(
            ClassFigures(label, *map(float, figures), int(support))
            for label, *figures, support in zip(
                labels, scores.precision, scores.recall, scores.f1, scores.support, strict=True
            )
        ),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        groups=tuple(sorted(groups, key=lambda g: (g.accuracy, g.group is None, g.group or ""))),
        mistakes=tuple(sorted(wrong, key=lambda clip: (-clip.probability, clip.id))[:worst]),
        clips=clips,
    )


def _check_clip(result: ClassificationResult, position: dict[str, int]) -> None:
    if result.label not in position:
        raise EarsightError(
            f"clip {result.id}: its label {result.label!r} is unknown to the model, which knows "
            f"{_listed(list(position))}; mend the manifest, or take a model trained with this label"
        )
    probabilities = np.asarray(result.probabilities)
    if probabilities.shape != (len(position),):
        raise EarsightError(
            f"clip {result.id}: the model gave probabilities of shape {probabilities.shape} for "
            f"{len(position)} labels; its labels are not those it was trained with"
        )
    if not np.isfinite(probabilities).all():
        raise EarsightError(
            f"clip {result.id}: its probabilities are not finite; check the clip and the model"
        )


def _confusion_figure(report: ClassificationReport) -> Any:
    """A matplotlib Figure without pyplot: no window and no global state; it draws with Agg."""
    figure_class = require("matplotlib.figure", "train").Figure
    colors = require("matplotlib.colors", "train")
    counts = np.array(report.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    classes = len(report.labels)
    with_counts = classes <= LARGEST_MATRIX
    ink, line = "#1b2a41", "#d5dbe3"

    # Cells as large as reads well, until a picture of 16 inches; then smaller ones, and not every label.
    side = float(np.clip((0.55 if with_counts else 0.28) * classes, 3.4, 16))  # inches
    small = float(np.clip(0.65 * 72 * side / classes, 5, 10))  # points
    large = float(np.clip(8 + 0.6 * side, 11, 16))
    shown = range(0, classes, math.ceil(1.25 * small / 72 * classes / side))
    names = [_shortened(report.labels[i], 24) for i in shown]

    figure = figure_class(figsize=(side, side))
    axes = figure.add_axes((0, 0, 1, 1))  # what stands around them is taken in when the file is written
    # Without counts a few mistakes must still be seen: shading by the square root shows them.
    norm = colors.PowerNorm(1 if with_counts else 0.5, vmin=0, vmax=1)
    image = axes.imshow(shares, cmap="Blues", norm=norm, interpolation="nearest")
    upright = max(map(_width, report.labels)) > 3
    axes.set_xticks(shown, names, fontsize=small, rotation=90 if upright else 0, parse_math=False)
    axes.set_yticks(shown, names, fontsize=small, parse_math=False)
    axes.set_xlabel("predicted", fontsize=large, color=ink, labelpad=8)
    axes.set_ylabel("label", fontsize=large, color=ink, labelpad=8)
    clips = _number(len(report.clips), "clip")
    title = f"Accuracy {_percent(report.accuracy)}, {report.correct} of {clips}"
    axes.set_title(title, fontsize=large + 1, color=ink, pad=12)
    axes.spines[:].set_color(line)
    if classes <= 60:
        axes.set_xticks(np.arange(1, classes) - 0.5, minor=True)
        axes.set_yticks(np.arange(1, classes) - 0.5, minor=True)
        axes.grid(which="minor", color=line, linewidth=0.6)
    axes.tick_params(which="both", length=0, colors=ink)
    if with_counts:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[row, column] > 0.5 else ink
                axes.text(column, row, str(count), ha="center", va="center", fontsize=small, color=colour)

    bar_axes = axes.inset_axes((1 + 0.2 / side, 0, 0.2 / side, 1))  # 0.2 inches wide, as high as the matrix
    bar = figure.colorbar(image, cax=bar_axes, ticks=[0, 0.25, 0.5, 0.75, 1])
    bar_axes.set_yticklabels(["0 %", "25 %", "50 %", "75 %", "100 %"])
    bar_axes.tick_params(which="both", length=0, labelsize=large - 2, colors=ink)
    bar.set_label("share of the label's clips", fontsize=large - 1, color=ink)
    bar.outline.set_visible(False)
    return figure


# What both share


def _check_ids(ids: Sequence[str], what: str) -> None:
    if not ids:
        raise EarsightError(f"nothing to evaluate: there is no {what}; check the manifest or the part chosen")
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise EarsightError(
            f"{what} {twice[0]} comes twice in the results and would count twice; name each once"
        )


def _plain(value: Any) -> dict[str, Any]:
    """A flat dataclass as JSON values, its counts with their rates."""
    pairs = [(field.name, getattr(value, field.name)) for field in fields(value)]
    return {name: _counts(item) if isinstance(item, ErrorCounts) else item for name, item in pairs}


def _counts(counts: ErrorCounts) -> dict[str, Any]:
    return {
        "rate": counts.rate if math.isfinite(counts.rate) else None,  # JSON has no infinity
        "edits": counts.edits,
        "substitutions": counts.substitutions,
        "deletions": counts.deletions,
        "insertions": counts.insertions,
        "reference_length": counts.reference_length,
    }


def _json(report: dict[str, Any]) -> str:
    """One key a line, and one entry of a list a line, so that lines can be searched and compared."""

    def dump(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    def block(value: Any) -> str:
        if isinstance(value, list) and value:
            return "[\n    " + ",\n    ".join(map(dump, value)) + "\n  ]"
        return dump(value)

    return "{\n" + ",\n".join(f"  {dump(key)}: {block(value)}" for key, value in report.items()) + "\n}\n"


def _table(head: Sequence[str] | None, rows: Sequence[Sequence[str]], align: str = "") -> str:
    """Columns two spaces apart, indented by two; by default the first is flush left, the others right."""
    lines = [*([head] if head else []), *rows]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    align = align or "<" + ">" * (len(widths) - 1)
    return "\n".join("  " + "  ".join(map(_pad, line, widths, align)).rstrip() for line in lines)


def _beside(columns: Sequence[Sequence[str]]) -> str:
    """Blocks of lines side by side."""
    height = max(map(len, columns))
    widths = [max(map(_width, column)) for column in columns]
    filled = [[*column, *[""] * (height - len(column))] for column in columns]
    return "\n".join("    ".join(map(_pad, line, widths)).rstrip() for line in zip(*filled, strict=True))


def _pad(text: str, width: int, align: str = "<") -> str:
    space = " " * (width - _width(text))
    return text + space if align == "<" else space + text


def _width(text: str) -> int:
    """Terminal columns: East Asian wide characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def _listed(names: Sequence[str], most: int = 30) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _percent(rate: float) -> str:
    return f"{100 * rate:.2f} %" if math.isfinite(rate) else "inf"


def _number(count: int, noun: str, plural: str = "") -> str:
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60, 1)
    return f"{minutes:.1f} min" if minutes < 60 else f"{seconds / 3600:.1f} h"


def _name(name: str | None) -> str:
    return "(unknown)" if name is None else name
