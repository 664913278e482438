"""The figures of a set of classified clips, for a reader (`.text()`), a program (`.json()`) and the eye (`.plot()`).

A report holds plain values; its text and its JSON are two printings of the same ones.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import metrics
from ..errors import EarsightError, require
from ..files import whole_file
from ..inference.unknown import Familiarity
from . import layout
from .frame_order import OrderFigures

LISTED_OTHERS = 20  # labels of clips that are none of the classes
LARGEST_MATRIX = 20  # classes: up to here the matrix is printed, and its picture shows the counts


@dataclass(frozen=True, eq=False)
class ClassificationResult:
    """The true label of a clip and the model's probabilities, (classes,) in the order of its labels.

    And whether it takes the clip for one of them, where it tells. The label of a clip of none of them may be anything.
    """

    id: str
    speaker_or_group: str | None
    label: str
    probabilities: np.ndarray
    familiarity: Familiarity | None = None


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
class OtherLabel:
    """Clips of none of the classes, by what they are; an empty label where nobody says."""

    label: str
    clips: int
    named: int


@dataclass(frozen=True)
class OtherFigures:
    """What a model that says "unknown" does so of; accuracy and the rest are told as if it had named every clip."""

    clips: int  # of the classes
    named: int  # of these: those that get a name, be it right or wrong
    right: int  # and the right one
    wrong: int  # of the clips that would get a wrong name, those that do
    others: tuple[OtherLabel, ...]  # most clips with a name first; empty without clips of anything else

    @property
    def other_clips(self) -> int:
        return sum(each.clips for each in self.others)

    @property
    def others_named(self) -> int:
        return sum(each.named for each in self.others)

    def text(self) -> str:
        """A section of a report."""
        rows = [["clips of the classes with a name", _share(self.named, self.clips)],
                ["  with the right one", _share(self.right, self.clips)]]
        if self.others:
            rows.append(["other clips with a name", _share(self.others_named, self.other_clips)])
        if len(self.others) > 1:
            rows += [[f"  {each.label or '(no label)'}", _share(each.named, each.clips)]
                     for each in self.others[:LISTED_OTHERS]]
        return "Known or unknown\n" + layout.table(None, [[name, *share] for name, share in rows])

    def plain(self) -> dict[str, Any]:
        """JSON values."""
        return {"clips": self.clips, "named": self.named, "right": self.right, "wrong": self.wrong,
                "other_clips": self.other_clips, "others_named": self.others_named,
                "others": [layout.plain(each) for each in self.others]}


def _share(part: int, whole: int) -> tuple[str, str]:
    return layout.percent(part / max(whole, 1)), f"{part} of {whole}"


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
    order: OrderFigures | None = None  # None where the order was not tested
    unknown: OtherFigures | None = None  # None where the model names every clip

    def text(self) -> str:
        """The report for a terminal."""
        sections = [
            self._totals(),
            self.order.text() if self.order else "",
            self.unknown.text() if self.unknown else "",
            self._classes(),
            self._matrix(),
            self._groups(),
            self._mistakes(),
        ]
        return "\n\n".join(section for section in sections if section) + "\n"

    def json(self) -> str:
        """The report as a JSON object, one entry of a list a line.

        Keys: `report` ("classification"), `version`, `clip_count`, `correct`, `accuracy`, `top5_accuracy`
        (null for up to five classes), `macro_f1`, `order` (null, or the accuracies ordered, shuffled, reversed, and
        shuffles, one each, whose mean shuffled is), `unknown` (null, or clips, named, right and wrong of the
        classes, other_clips, others_named, and others: label, clips, named), `labels`, `classes` (label, precision,
        recall, f1, support),
        `confusion` (a row a true label, a column a predicted one), `groups` (group, clips, correct, accuracy),
        `mistakes` (ids), and `clips` (id, group, label, predicted, probability, label_probability). Figures are
        fractions, not percentages.
        """
        return layout.json_text(
            {
                "report": "classification",
                "version": layout.JSON_VERSION,
                "clip_count": len(self.clips),
                "correct": self.correct,
                "accuracy": self.accuracy,
                "top5_accuracy": self.top5_accuracy,
                "macro_f1": self.macro_f1,
                "order": self.order.plain() if self.order else None,
                "unknown": self.unknown.plain() if self.unknown else None,
                "labels": list(self.labels),
                "classes": [layout.plain(figures) for figures in self.classes],
                "confusion": [list(row) for row in self.confusion],
                "groups": [layout.plain(group) | {"accuracy": group.accuracy} for group in self.groups],
                "mistakes": [clip.id for clip in self.mistakes],
                "clips": [layout.plain(clip) for clip in self.clips],
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
        rows = [["accuracy", layout.percent(self.accuracy), f"{self.correct} of {clips}"]]
        if self.top5_accuracy is not None:
            within = round(self.top5_accuracy * clips)
            rows.append(["top-5 accuracy", layout.percent(self.top5_accuracy), f"{within} of {clips}"])
        rows.append(["macro F1", layout.percent(self.macro_f1), ""])
        counts = f"{layout.number(clips, 'clip')}, {layout.number(len(self.labels), 'class', 'classes')}"
        return f"{counts}\n\n{layout.table(None, rows)}"

    def _classes(self) -> str:
        return "By class\n" + layout.table(
            ["label", "precision", "recall", "F1", "clips"],
            [
                [c.label, layout.percent(c.precision), layout.percent(c.recall), layout.percent(c.f1), str(c.support)]
                for c in self.classes
            ],
        )

    def _matrix(self) -> str:
        if len(self.labels) > LARGEST_MATRIX:
            return self._confusions()
        heads = list(self.labels)
        if max(map(layout.width, heads)) > 5:  # long names go to the rows alone
            heads = [chr(ord("a") + i) for i in range(len(heads))]
            names = [f"{head}  {label}" for head, label in zip(heads, self.labels, strict=True)]
        else:
            names = heads
        rows = [
            [name, *(str(count) if count else "." for count in row)]
            for name, row in zip(names, self.confusion, strict=True)
        ]
        table = layout.table(["", *heads], rows)
        if max(map(layout.width, table.splitlines())) > layout.TEXT_WIDTH:
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
        return "Commonest confusions\n" + layout.table(
            ["", "label", "taken for"],
            [[str(count), label, predicted] for count, label, predicted in pairs[: layout.TEXT_CONFUSIONS]],
            align="><<",
        )

    def _groups(self) -> str:
        if all(group.group is None for group in self.groups):
            return ""
        return "By speaker or group\n" + layout.table(
            ["group", "accuracy", "correct", "clips"],
            [[layout.known(g.group), layout.percent(g.accuracy), str(g.correct), str(g.clips)] for g in self.groups],
        )

    def _mistakes(self) -> str:
        if not self.mistakes:
            return ""
        return "Most confidently wrong\n" + layout.table(
            ["clip", "label", "predicted", "probability", "of the label"],
            [
                [
                    clip.id,
                    clip.label,
                    clip.predicted,
                    layout.percent(clip.probability),
                    layout.percent(clip.label_probability),
                ]
                for clip in self.mistakes
            ],
            align="<<<>>",
        )


def classification_report(
    results: Iterable[ClassificationResult],
    labels: Sequence[str],
    worst: int = 10,
    order: OrderFigures | None = None,
    others: Sequence[ClassificationResult] = (),
) -> ClassificationReport:
    """Figures of `results` under a model that knows `labels`, with the `worst` most confident mistakes.

    `order` is passed on: whoever runs the model can reorder the frames. `others` are clips of none of the labels.

    Raises EarsightError for an empty set, an id that comes twice, a label that the model does not know, and
    probabilities that are not one finite number a label.
    """
    results = list(results)
    labels = tuple(labels)
    layout.check_ids([result.id for result in results], "clip")
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
    wrong = wrong_clips(clips)
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
            ClassFigures(label, float(precision), float(recall), float(f1), int(support))
            for label, precision, recall, f1, support in zip(
                labels, scores.precision, scores.recall, scores.f1, scores.support, strict=True
            )
        ),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        groups=tuple(sorted(groups, key=lambda g: (g.accuracy, g.group is None, g.group or ""))),
        mistakes=tuple(wrong[:worst]),
        clips=clips,
        order=order,
        unknown=_other_figures(results, predictions == targets, others),
    )


def _other_figures(results: Sequence[ClassificationResult], right: np.ndarray, others: Sequence[ClassificationResult]
                   ) -> OtherFigures | None:
    if all(result.familiarity is None for result in results):
        return None

    def named(result: ClassificationResult) -> bool:
        return result.familiarity is None or result.familiarity.known

    known = np.array([named(result) for result in results])
    clips = Counter(result.label for result in others)
    passed = Counter(result.label for result in others if named(result))
    by_label = [OtherLabel(label, count, passed[label]) for label, count in clips.items()]
    return OtherFigures(len(results), int(known.sum()), int((known & right).sum()), int((known & ~right).sum()),
                        tuple(sorted(by_label, key=lambda each: (-each.named, -each.clips, each.label))))


def wrong_clips(clips: Iterable[ClipPrediction]) -> list[ClipPrediction]:
    """Those that were classified wrong, the most certain first."""
    return sorted((c for c in clips if c.predicted != c.label), key=lambda clip: (-clip.probability, clip.id))


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
    upright = max(map(layout.width, report.labels)) > 3
    axes.set_xticks(shown, names, fontsize=small, rotation=90 if upright else 0, parse_math=False)
    axes.set_yticks(shown, names, fontsize=small, parse_math=False)
    axes.set_xlabel("predicted", fontsize=large, color=ink, labelpad=8)
    axes.set_ylabel("label", fontsize=large, color=ink, labelpad=8)
    clips = layout.number(len(report.clips), "clip")
    title = f"Accuracy {layout.percent(report.accuracy)}, {report.correct} of {clips}"
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


def _listed(names: Sequence[str], most: int = 30) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
