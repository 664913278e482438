"""What the pages of transcripts and of classes share: tiles of figures, clips to see and hear, reliability."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ...errors import EarsightError
from ..reliability import reliability
from .exhibits import Exhibit
from .html import Html, reliability_diagram, section, tag

SHOWN = 30  # clips with picture and sound; the page would grow without end
Shown = Callable[[str], Exhibit | EarsightError]  # a clip's id -> what there is to see, or why there is nothing


def tiles(*figures: tuple[str, str]) -> Html:
    """The main figures, (value, what it is) each."""
    return tag("div", *(tag("div", tag("b", value), tag("span", name), class_="tile") for value, name in figures),
               class_="tiles")


class Mark(NamedTuple):
    """What stands below a clip's picture from `start` to `end` (seconds); `kind`: ok, sub or ins."""

    text: str
    start: float
    end: float
    kind: str


def clip(title: str, facts: str, body: Sequence[Html], seen: Exhibit | EarsightError, marks: Sequence[Mark] = ()
         ) -> Html:
    """One clip: what is known of it, its picture with marks and an axis of time, and a player."""
    return tag("article", tag("h3", title), tag("div", facts, class_="facts"), *body, *_seen(seen, marks),
               class_="clip")


def reliability_section(what: str, right: Sequence[bool], confidences: Mapping[str, Sequence[float]]) -> Html:
    """Whether confidences mean what they say: of so many `what`, the confidence in each, and whether it was right.

    Args:
        confidences: by the name that they have here, "" where there is but one kind.
    """
    columns = []
    for name, values in confidences.items():
        found = reliability(values, right)
        error = (f"{found.expected_calibration_error:.3f}", f"expected calibration error{', ' * bool(name)}{name}")
        mean, share = sum(values) / len(values), sum(right) / len(right)
        told = f"{found.count} {what}: mean confidence {mean:.1%}, right {share:.1%}."
        columns.append(tag("div", tiles(error), reliability_diagram(found), tag("p", told, class_="note")))
    return section(
        "Reliability of the confidences", tag("div", *columns, class_="columns"),
        note="Bars: how much is right of what is said with such a confidence; on the dashed line confidence means what "
        "it says. Below: how much is said with it.")


def _seen(seen: Exhibit | EarsightError, marks: Sequence[Mark]) -> list[Html]:
    if isinstance(seen, EarsightError):
        return [tag("p", f"There is nothing to show: {seen}", class_="note")]
    picture = tag("img", src=seen.picture, alt=seen.about, title=seen.about, data_seconds=f"{seen.seconds:.3f}")
    if not seen.seconds:
        return [tag("figure", tag("div", picture, class_="seen"), tag("figcaption", seen.about), style="margin: 0")]
    parts = [tag("div", picture, class_="seen time"), *_marks(marks, seen.seconds), _ticks(seen.seconds)]
    return parts + ([tag("audio", controls="", preload="metadata", src=seen.sound)] if seen.sound else [])


def _marks(marks: Sequence[Mark], seconds: float) -> list[Html]:
    spans = [tag("span", mark.text, class_=None if mark.kind == "ok" else mark.kind,
                 title=f"{mark.text}: {mark.start:.2f} to {mark.end:.2f} s",
                 style=f"left: {100 * mark.start / seconds:.2f}%; "
                       f"width: {100 * (min(mark.end, seconds) - mark.start) / seconds:.2f}%")
             for mark in marks if mark.start < seconds]
    return [tag("div", *spans, class_="marks")] if spans else []


def _ticks(seconds: float) -> Html:
    step = next(step for step in (0.1, 0.2, 0.5, 1, 2, 5, 10) if seconds / step <= 10)
    times = [i * step for i in range(int(seconds / step * 0.99) + 1)]
    return tag("div", *(tag("span", f"{time:g} s" if time == 0 else f"{time:.1f}" if step < 1 else f"{time:g}",
                            style=f"left: {100 * time / seconds:.2f}%") for time in times), class_="ticks")
