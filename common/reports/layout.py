"""What the reports share: columns and figures for a terminal, values for JSON, and the check of the ids."""

import json
import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from ..errors import EarsightError
from ..metrics import ErrorCounts

JSON_VERSION = 1  # goes up when a key changes its name or its meaning
TEXT_WIDTH = 100  # columns: longer alignments go on below, a wider matrix gives way to a list
TEXT_CONFUSIONS = 10  # the commonest, in the text; the JSON has them all


def check_ids(ids: Sequence[str], what: str) -> None:
    """Raise EarsightError where there is nothing (`what` names it) to evaluate, or one thing twice."""
    if not ids:
        raise EarsightError(f"nothing to evaluate: there is no {what}; check the manifest or the part chosen")
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise EarsightError(
            f"{what} {twice[0]} comes twice in the results and would count twice; name each once"
        )


def plain(value: Any) -> dict[str, Any]:
    """A flat dataclass as JSON values, its counts with their rates."""
    pairs = [(field.name, getattr(value, field.name)) for field in fields(value)]
    return {name: error_counts(item) if isinstance(item, ErrorCounts) else item for name, item in pairs}


def error_counts(counts: ErrorCounts) -> dict[str, Any]:
    """Counts as JSON values, with their rate."""
    return {
        "rate": counts.rate if math.isfinite(counts.rate) else None,  # JSON has no infinity
        "edits": counts.edits,
        "substitutions": counts.substitutions,
        "deletions": counts.deletions,
        "insertions": counts.insertions,
        "reference_length": counts.reference_length,
    }


def json_text(report: dict[str, Any]) -> str:
    """One key a line, and one entry of a list a line, so that lines can be searched and compared."""

    def dump(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    def block(value: Any) -> str:
        if isinstance(value, list) and value:
            return "[\n    " + ",\n    ".join(map(dump, value)) + "\n  ]"
        return dump(value)

    return "{\n" + ",\n".join(f"  {dump(key)}: {block(value)}" for key, value in report.items()) + "\n}\n"


def table(head: Sequence[str] | None, rows: Sequence[Sequence[str]], align: str = "") -> str:
    """Columns two spaces apart, indented by two; by default the first is flush left, the others right."""
    lines = [*([head] if head else []), *rows]
    widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
    align = align or "<" + ">" * (len(widths) - 1)
    return "\n".join("  " + "  ".join(map(pad, line, widths, align)).rstrip() for line in lines)


def beside(columns: Sequence[Sequence[str]]) -> str:
    """Blocks of lines side by side."""
    height = max(map(len, columns))
    widths = [max(map(width, column)) for column in columns]
    filled = [[*column, *[""] * (height - len(column))] for column in columns]
    return "\n".join("    ".join(map(pad, line, widths)).rstrip() for line in zip(*filled, strict=True))


def pad(text: str, columns: int, align: str = "<") -> str:
    """`text` in so many terminal columns, flush left (<) or right (>)."""
    space = " " * (columns - width(text))
    return text + space if align == "<" else space + text


def width(text: str) -> int:
    """Terminal columns: East Asian wide characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def percent(rate: float) -> str:
    """A fraction as a percentage."""
    return f"{100 * rate:.2f} %" if math.isfinite(rate) else "inf"


def number(count: int, noun: str, plural: str = "") -> str:
    """A count and what is counted."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """Seconds in the unit that reads well."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60, 1)
    return f"{minutes:.1f} min" if minutes < 60 else f"{seconds / 3600:.1f} h"


def known(name: str | None) -> str:
    """A speaker's or a group's name, or that there is none."""
    return "(unknown)" if name is None else name
