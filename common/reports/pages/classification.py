"""The figures of a set of classified clips as a web page."""

from .. import layout
from ..classification import ClassificationReport, wrong_clips
from .html import Html, cell, section, table, tag
from .parts import SHOWN, Shown, clip, reliability_section, tiles

LARGEST_MATRIX = 40  # classes; of more, the commonest confusions say it better
CONFUSIONS = 200  # rows at most


def body(report: ClassificationReport, shown: Shown) -> list[Html]:
    """The page's sections."""
    right = [clip.predicted == clip.label for clip in report.clips]
    confidences = {"": [clip.probability for clip in report.clips]}
    parts = [part for part in (_classes(report), _groups(report)) if part]
    return [_totals(report), _confusion(report), tag("div", *(tag("div", part) for part in parts), class_="columns"),
            reliability_section("clips", right, confidences), _mistakes(report, shown)]


def _totals(report: ClassificationReport) -> Html:
    clips = len(report.clips)
    figures = [(layout.percent(report.accuracy), f"accuracy: {report.correct} of {clips}"),
               (layout.percent(report.macro_f1), "macro F1")]
    if report.top5_accuracy is not None:
        figures.append((layout.percent(report.top5_accuracy), "right among the first five"))
    if report.order:
        figures.append((layout.percent(report.order.shuffled_mean), "accuracy, frames shuffled"))
    if unknown := report.unknown:
        figures.append((layout.percent(unknown.named / unknown.clips), "get a name, be it right or wrong"))
        if unknown.others:
            figures.append((layout.percent(unknown.others_named / unknown.other_clips),
                            f"of {unknown.other_clips} other clips get a name"))
    classes = layout.number(len(report.labels), "class", "classes")
    return tag("section", tiles(*figures, (str(clips), f"clips of {classes}")))


def _confusion(report: ClassificationReport) -> Html:
    pairs = sorted(((count, label, taken) for label, row in zip(report.labels, report.confusion)
                    for taken, count in zip(report.labels, row) if count and label != taken), reverse=True)
    listed = table(["label", "taken for", "clips"], [[cell(label), cell(taken), cell(count, count)]
                                                     for count, label, taken in pairs[:CONFUSIONS]], [2])
    if len(report.labels) > LARGEST_MATRIX:
        return section("Commonest confusions", listed)
    rows = []
    for label, row in zip(report.labels, report.confusion):
        clips = max(sum(row), 1)
        rows.append(tag("tr", tag("th", label), *(
            tag("td", str(count) if count else "", style=f"--share: {count / clips:.4f}",
                class_="dark" if count / clips > 0.5 else None,
                title=f"{label} taken for {taken}: {count} of {sum(row)}")
            for taken, count in zip(report.labels, row))))
    matrix = tag("table", tag("thead", tag("tr", tag("th", ""), *(tag("th", label) for label in report.labels))),
                 tag("tbody", *rows), class_="matrix")
    return section("Confusions", tag("div", matrix, class_="wide"),
                   *([tag("details", tag("summary", f"As a list: {len(pairs)}"), listed)] if pairs else []),
                   note="A row a label, a column what its clips were taken for; shade: share of the row.")


def _classes(report: ClassificationReport) -> Html:
    rows = [[cell(each.label), *(cell(layout.percent(value), value, value) for value in
                                 (each.recall, each.precision, each.f1)), cell(each.support, each.support)]
            for each in report.classes]
    return section("By class", table(["label", "recall", "precision", "F1", "clips"], rows, range(1, 5)))


def _groups(report: ClassificationReport) -> Html:
    if all(group.group is None for group in report.groups):
        return Html()
    rows = [[cell(layout.known(group.group)), cell(layout.percent(group.accuracy), group.accuracy, group.accuracy),
             cell(group.correct, group.correct), cell(group.clips, group.clips)] for group in report.groups]
    return section("By speaker or group", table(["group", "accuracy", "correct", "clips"], rows, range(1, 4)))


def _mistakes(report: ClassificationReport, shown: Shown) -> Html:
    wrong = wrong_clips(report.clips)[:SHOWN]
    if not wrong:
        return section("No errors", note="Every clip was classified right.")
    return section(f"The {len(wrong)} clips most confidently wrong", *(
        clip(each.id, f"group {each.group}" if each.group else "",
             [tag("p", tag("span", each.label, class_="key del"), " taken for ",
                  tag("span", each.predicted, class_="key sub"),
                  f" with {each.probability:.1%}; {each.label} got {each.label_probability:.1%}")], shown(each.id))
        for each in wrong))
