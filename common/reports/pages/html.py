"""A web page in one file: elements whose text is always escaped, tables that sort, figures drawn as SVG."""

import base64
import html
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..reliability import Reliability

STYLE, SCRIPT = (Path(__file__).with_name(name) for name in ("page.css", "page.js"))
VOID = {"img", "meta"}  # elements that hold nothing


class Html(str):
    """Markup. Any other string is text, and is escaped where it enters an element."""


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """An element. `class_` is written class, and `data_value` data-value; None leaves an attribute out."""
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
                      for key, value in attributes.items() if value is not None)
    return Html(f"<{name}{written}>" if name in VOID else f"<{name}{written}>{join(children)}</{name}>")


def join(children: Iterable[object]) -> Html:
    """Markup and text, one after the other."""
    return Html("".join(child if isinstance(child, Html) else html.escape(str(child)) for child in children))


def data_uri(content: bytes, kind: str) -> str:
    """A file's content as an address of its own; `kind` is its MIME type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def page(title: str, *body: Html) -> str:
    """A page that needs no other file and no network."""
    head = tag("head", tag("meta", charset="utf-8"),
               tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
               tag("meta", name="color-scheme", content="light dark"), tag("title", title),
               tag("style", Html(STYLE.read_text(encoding="utf-8"))))
    script = tag("script", Html(SCRIPT.read_text(encoding="utf-8")))
    return f"<!doctype html>\n{tag('html', head, tag('body', tag('main', *body), script), lang='en')}\n"


def section(title: str, *body: object, note: str = "") -> Html:
    return tag("section", tag("h2", title), *([tag("p", note, class_="note")] if note else []), *body)


# Tables


def cell(text: object, value: float | None = None, bar: float | None = None) -> Html:
    """A table's cell; with a `value` it is a number, by which its column sorts.

    Args:
        bar: from 0 to 1, drawn behind the number.
    """
    if value is None:
        return tag("td", text)
    share = None if bar is None else f"--share: {min(max(bar, 0.0), 1.0):.4f}"
    return tag("td", tag("span", text, class_="bar", style=share) if share else text, class_="number", data_value=value)


def table(head: Sequence[str], rows: Iterable[Sequence[Html]], numbers: Sequence[int] = ()) -> Html:
    """A table that sorts by a click on a head; `numbers` are the columns that are flush right."""
    heads = [tag("th", tag("button", name, type="button") if name else "", class_="number" if i in numbers else None)
             for i, name in enumerate(head)]
    return tag("div", tag("table", tag("thead", tag("tr", *heads)),
                          tag("tbody", *(tag("tr", *row) for row in rows)), class_="sorts"), class_="wide")


# Drawings


def reliability_diagram(figures: Reliability) -> Html:
    """Accuracy over confidence with the diagonal that they should be on, and below it how much lies where."""
    side, left, top, strip = 300, 60, 12, 56
    bottom = top + side

    def x(value: float) -> float:
        return round(left + value * side, 1)

    def y(value: float) -> float:
        return round(bottom - value * side, 1)

    marks = []
    for value in (0, 0.25, 0.5, 0.75, 1):
        marks += [tag("line", x1=left, x2=left + side, y1=y(value), y2=y(value), class_="grid"),
                  tag("text", f"{value:.0%}", x=left - 6, y=y(value) + 4, text_anchor="end"),
                  tag("text", f"{value:.0%}", x=x(value), y=bottom + strip + 32, text_anchor="middle")]
    most = max(each.count for each in figures.bins)
    for each in figures.bins:
        wide = (each.high - each.low) * side - 2
        told = (f"confidence {each.low:.0%} to {each.high:.0%}: {each.count}, mean confidence {each.confidence:.1%}, "
                f"right {each.accuracy:.1%}")
        tall = max(1.0, each.count / most * strip)
        marks.append(tag("g", tag("title", told),
                         tag("rect", x=x(each.low) + 1, y=y(each.accuracy), width=wide,
                             height=round(bottom - y(each.accuracy), 1), class_="share"),
                         tag("circle", cx=x(each.confidence), cy=y(each.accuracy), r=4, class_="dot"),
                         tag("rect", x=x(each.low) + 1, y=round(bottom + 14 + strip - tall, 1), width=wide,
                             height=round(tall, 1), class_="count")))
    marks += [tag("line", x1=left, y1=bottom, x2=left + side, y2=top, class_="ideal"),
              tag("text", "confidence", x=left + side / 2, y=bottom + strip + 50, text_anchor="middle"),
              tag("text", "right", x=12, y=top + side / 2, text_anchor="middle",
                  transform=f"rotate(-90 12 {top + side / 2})")]
    return tag("svg", *marks, viewBox=f"0 0 {left + side + 20} {bottom + strip + 56}", class_="chart", role="img",
               aria_label=f"Reliability diagram, expected calibration error {figures.expected_calibration_error:.3f}")
