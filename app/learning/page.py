"""The page that `learn` ends with: what was learnt, how well, what would help; below it, the report of `evaluate`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...common.reports.layout import percent
from ...common.reports.pages.html import Html, cell, section, table, tag
from ...common.reports.pages.parts import tiles
from .curve import Curve


@dataclass(frozen=True)
class Summary:
    """What stands above the report.

    Attributes:
        title: of the page.
        figure: accuracy or word error rate, and its name.
        interval: of it, and what it was drawn over.
        told: sentences about the clips, the split, and what was chosen.
        warnings: sentences.
        candidates: name, share right, what it was asked for; the first is the one that was taken.
        curve: None where it was not measured.
        commands: that use the model, and that teach it again.
    """

    title: str
    figure: tuple[float, str]
    interval: tuple[float, float]
    over: str
    told: Sequence[str]
    warnings: Sequence[str]
    candidates: Sequence[tuple[str, float, str]]
    curve: Curve | None
    commands: Sequence[tuple[str, str]]

    def figures(self) -> dict[str, str]:
        """As a model's card has them."""
        (value, name), (low, high) = self.figure, self.interval
        return {name: f"{percent(value)} (95 % interval {percent(low)} to {percent(high)}, over {self.over})"}


def head(summary: Summary) -> list[Html]:
    """The sections above the report."""
    value, name = summary.figure
    low, high = summary.interval
    interval = f"{percent(low)} to {percent(high)}"
    parts = [tag("h1", summary.title),
             tag("section", tiles((percent(value), name), (interval, f"95 % interval: bootstrap over {summary.over}")),
                 *(tag("p", sentence) for sentence in summary.told))]
    if summary.warnings:
        parts.append(section("Mind", tag("ul", *(tag("li", warning) for warning in summary.warnings))))
    rows = [[cell(what), tag("td", tag("code", command))] for what, command in summary.commands]
    parts.append(section("Use it", table(["to", "command"], rows)))
    if len(summary.candidates) > 1:
        rows = [[cell(name), cell(percent(share), share, share), cell(asked)]
                for name, share, asked in summary.candidates]
        parts.append(section("What was tried", table(["model", "right", "of"], rows, [1]),
                             note="The first was taken. Each clip's answer in the report below is of the model that "
                             "was best on the other folds: no figure is of clips that the choice was made on."))
    if summary.curve:
        parts.append(section("Would more clips help?", tag("p", f"{summary.curve.sentence().capitalize()}."),
                             curve_chart(summary.curve),
                             note="The linear classifier taught parts of the clips, and the power law through them."))
    return parts


def curve_chart(curve: Curve) -> Html:
    """Errors over clips that were taught, both in logarithms; what is expected is dashed."""
    width, high, left, bottom = 420, 220, 60, 44
    points = list(zip(curve.clips, curve.errors))
    expected = [points[-1], (2 * curve.clips[-1], curve.doubled)] if curve.doubled is not None else []
    every = [(clips, max(error, 1e-3)) for clips, error in [*points, *expected]]
    (x_low, x_high), (y_low, y_high) = ((math.log(min(values)), math.log(max(values))) for values in zip(*every))
    y_low, y_high = y_low - 0.1, y_high + 0.1

    def place(clips: float, error: float) -> tuple[float, float]:
        across = (math.log(clips) - x_low) / max(x_high - x_low, 1e-9)
        up = (math.log(max(error, 1e-3)) - y_low) / (y_high - y_low)
        return round(left + across * (width - left - 20), 1), round(high - bottom - up * (high - bottom - 20), 1)

    marks = []
    for start, end, dashed in [*((a, b, False) for a, b in zip(points, points[1:])),
                               *((a, b, True) for a, b in zip(expected, expected[1:]))]:
        (x1, y1), (x2, y2) = place(*start), place(*end)
        marks.append(tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_="ideal" if dashed else "grid",
                         style=None if dashed else "stroke: var(--accent)"))
    for clips, error in [*points, *expected[1:]]:
        x, y = place(clips, error)
        marks += [tag("g", tag("title", f"{clips:.0f} clips: {error:.1%} wrong"),
                      tag("circle", cx=x, cy=y, r=4, class_="dot")),
                  tag("text", f"{error:.1%}", x=x, y=y - 9, text_anchor="middle"),
                  tag("text", f"{clips:.0f}", x=x, y=high - bottom + 18, text_anchor="middle")]
    marks += [tag("text", "clips taught", x=(left + width) / 2, y=high - 6, text_anchor="middle"),
              tag("text", "wrong", x=14, y=high / 2, text_anchor="middle", transform=f"rotate(-90 14 {high / 2})")]
    return tag("svg", *marks, viewBox=f"0 0 {width} {high}", class_="chart", role="img", style="width: 30rem",
               aria_label="Learning curve")
