"""What tables are read into: series of channels over time, and how a table is to be read."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

from ...errors import EarsightError
from ...texts import tidy

UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0, "d": 86400.0}
MISSING = frozenset({"", "na", "nan", "n/a", "#n/a", "null", "none", "?", "-", "missing"})  # lower case
LAYOUTS = ("auto", "long", "wide")


@dataclass(frozen=True, eq=False)
class Series:
    """One series.

    Attributes:
        name: the file's own, or the series' number in it, from 1.
        values: (time, channel) float32; NaN where there is a gap.
        times: (time,) float64 seconds, rising; None where the file gives none.
        label: its class; None where it is not told.
        group: what must not be split between training and test.
        split: train, dev or test, where the file says so.
    """

    name: str
    values: np.ndarray
    times: np.ndarray | None = None
    label: str | None = None
    group: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class TableOptions:
    """How a table is read; what is empty is found out.

    Attributes:
        series: column that tells the series apart; one series, if there is none.
        time: column of times: numbers in `unit`, or dates as ISO 8601 has them.
        channels: columns of values, in order; all other columns.
        label: column of classes.
        group: column of what must not be split between training and test.
        layout: "long", a row a time; "wide", a row a series; or "auto".
        unit: of times that are numbers: s, ms, us, ns, min, h or d; empty: as the column's name says (`time_ms`), or s.
        labelled: whether classes, groups and splits are wanted; without, a series is not parted where its label
            changes.
    """

    series: str = ""
    time: str = ""
    channels: tuple[str, ...] = ()
    label: str = ""
    group: str = ""
    layout: str = "auto"
    unit: str = ""
    labelled: bool = True

    def __post_init__(self):
        for name, known in (("layout", LAYOUTS), ("unit", ("", *UNITS))):
            given = getattr(self, name)
            if not isinstance(given, str) or given not in known:
                raise EarsightError(f"option {name} is {given!r}; it is one of {', '.join(filter(None, known))}")

    def columns(self) -> dict[str, str]:
        """The names of columns that say how a table is read, those that are given."""
        return {each.name: value for each in fields(self)
                if each.name in ("series", "time", "label", "group", "unit") and (value := getattr(self, each.name))}


@dataclass(frozen=True, eq=False)
class SeriesTable:
    """What a file holds.

    Attributes:
        path: the file.
        channels: their names; their numbers, from 1, where the file names none.
        named: whether the file names them.
        series: those that can be used.
        failures: those that cannot: name, reason.
        notes: what a reader of the result should know: how the file was understood, what was put right.
        options: as they were found out.
    """

    path: Path
    channels: tuple[str, ...]
    named: bool
    series: list[Series]
    failures: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    options: TableOptions = TableOptions()


def numbered(count: int) -> tuple[str, ...]:
    """Names for channels that have none."""
    return tuple(str(number) for number in range(1, count + 1))


def finite(values: np.ndarray) -> np.ndarray:
    """Values as float32, with NaN for what is not finite, or no float32."""
    with np.errstate(over="ignore"):
        values = np.asarray(values).astype(np.float32)
    return np.where(np.isfinite(values), values, np.float32(np.nan))


def without_padding(values: np.ndarray) -> np.ndarray:
    """Values (time, channel) up to the last time with a number; series of unequal lengths are filled up with gaps."""
    there = np.flatnonzero(np.isfinite(values).any(axis=1))
    return values[: there[-1] + 1] if len(there) else values[:1]


def filled(values: np.ndarray) -> np.ndarray:
    """Values (time, channel), the mean of their channel in the place of gaps; 0 in a channel that is all gaps."""
    there = np.isfinite(values)
    means = np.where(there, values, 0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    return np.where(there, values, means).astype(np.float32)


def usable(table: SeriesTable) -> SeriesTable:
    """The table without series that hold no number, which are failures then; channels that are all gaps are noted."""
    kept, failures = [], list(table.failures)
    seen = np.zeros(len(table.channels), bool)
    for each in table.series:
        there = np.isfinite(each.values).any(axis=0)
        seen |= there
        if there.any():
            kept.append(each)
        else:
            failures.append((each.name, f"{table.path}: series {each.name} holds no number ({len(each.values)} times)"))
    notes = list(table.notes)
    if kept and not seen.all():
        names = ", ".join(name for name, there in zip(table.channels, seen) if not there)
        notes.append(f"{table.path}: no number in channel {names}, which tells nothing; leave it out (channels=...)")
    return SeriesTable(table.path, table.channels, table.named, kept, failures, notes, table.options)


def label_notes(raw: Iterable[str], path: Path) -> list[str]:
    """What is odd about labels as they are written: some that differ by spaces are one, some by case are not."""
    counts = Counter(raw)
    by_form: dict[str, list[str]] = {}
    for label in counts:
        by_form.setdefault(tidy(label), []).append(label)
    notes = [f"{path}: labels {' and '.join(map(repr, sorted(alike)))} differ by blanks, and are taken for one"
             for alike in by_form.values() if len(alike) > 1]
    by_case: dict[str, list[str]] = {}
    for label in by_form:
        by_case.setdefault("".join(label.split()).casefold(), []).append(label)
    return notes + [f"{path}: labels {' and '.join(map(repr, sorted(alike)))} differ by case or spaces, and are taken "
                    "for several classes; write them alike if they are one"
                    for alike in by_case.values() if len(alike) > 1]
