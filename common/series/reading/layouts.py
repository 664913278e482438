"""From the columns of a table to series: a row a time (long), or a row a series (wide)."""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ...errors import EarsightError
from ...texts import tidy
from .columns import Columns
from .series import UNITS, Series, SeriesTable, TableOptions, finite, label_notes, numbered, without_padding
from .times import in_order, seconds

NONE = "none"  # an option that leaves a column out
# What columns are called that are no channels, lower case, without what is neither letter nor digit.
USUAL = {
    "series": ("series", "seriesid", "id", "case", "caseid", "sequence", "sequenceid", "recording", "recordingid",
               "session", "sessionid", "trial", "instance", "file", "filename"),
    "time": ("time", "timestamp", "timestamps", "t", "datetime", "date", "seconds", "times", "timems", "timestampms",
             "ms", "timeus", "timestampus", "timens", "timestampns"),
    "label": ("label", "class", "target", "activity", "category", "classlabel"),
    "group": ("group", "subject", "subjectid", "user", "userid", "person", "participant"),
    "split": ("split",),
}
NUMBERED = re.compile(r"(.*?)[\s_.\-\[]*(\d+)\]?")
WIDE = 8  # numbered columns from which on they are taken for times of one channel


def table_of(columns: Columns, options: TableOptions) -> SeriesTable:
    """The series of a table, long or wide.

    Raises:
        EarsightError: a column that is asked for is not there, or a channel holds text.
    """
    columns = _without_unwanted(columns, options)
    found = _found(columns, options)
    if _is_wide(columns, found):
        return _wide(columns, replace(found, layout="wide"))
    return _long(columns, replace(found, layout="long"))


def _without_unwanted(columns: Columns, options: TableOptions) -> Columns:
    """The table without columns that are neither wanted nor channels: of what is `none`, labels at recognition."""
    if not columns.headed:
        return columns
    roles = [role for role in USUAL if getattr(options, role, "") == NONE]
    roles += [] if options.labelled else ["label", "group", "split"]
    named = set() if options.labelled else {options.label, options.group}
    kept = [name for name in columns.names if name in options.channels
            or not (name in named or any(_plain(name) in USUAL[role] for role in roles))]
    return replace(columns, names=tuple(kept))


def _found(columns: Columns, options: TableOptions) -> TableOptions:
    """The options with the columns that they do not name; those that they name are demanded."""
    roles = ("series", "time", *(("label", "group") if options.labelled else ()))
    wanted = {"label": "", "group": "", **{role: getattr(options, role) for role in roles}}
    for role in roles:
        if (column := wanted[role]) and column != NONE:
            _demand(columns, column, f"{role}=")
    taken = {*wanted.values(), *options.channels}
    for role in roles:
        if not wanted[role] and columns.headed:
            usual = (name for name in columns.names if _plain(name) in USUAL[role] and name not in taken)
            wanted[role] = next(usual, "")
            taken.add(wanted[role])
    unit = options.unit or next((unit for unit in ("ms", "us", "ns") if _plain(wanted["time"]).endswith(unit)
                                 and _plain(wanted["time"]) in USUAL["time"]), "")
    return replace(options, **{role: "" if name == NONE else name for role, name in wanted.items()}, unit=unit)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _demand(columns: Columns, name: str, option: str) -> None:
    if name not in columns.names:
        near = difflib.get_close_matches(name.lower(), {each.lower(): each for each in columns.names}, n=1, cutoff=0.5)
        by_case = {each.lower(): each for each in columns.names}
        hint = f"did you mean {by_case[near[0]]}?" if near else f"it has {_listed(columns.names)}"
        raise EarsightError(f"{columns.path}: no column {name} ({option}{name}); {hint}")


def _listed(names: Sequence[str], shown: int = 12) -> str:
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")


def _rest(columns: Columns, options: TableOptions) -> list[str]:
    """The columns that are not said to be something else."""
    other = {options.series, options.time, options.label, options.group, _split_column(columns)}
    return [name for name in columns.names if name not in other]


def _split_column(columns: Columns) -> str | None:
    return next((name for name in columns.names if columns.headed and _plain(name) in USUAL["split"]), None)


def _is_wide(columns: Columns, options: TableOptions) -> bool:
    if options.layout != "auto":
        return options.layout == "wide"
    if not columns.headed:  # as the UCR archive has it
        return bool(re.search(r"_(TRAIN|TEST)$", columns.path.stem, re.IGNORECASE)) and len(columns.names) > WIDE
    if options.time or options.channels:
        return False
    channels = _numbered_channels(_rest(columns, options))
    return channels is not None and min(map(len, channels.values())) >= WIDE


def _numbered_channels(names: Sequence[str]) -> dict[str, list[str]] | None:
    """Columns `ax_0 ax_1 ... ay_0 ...` by channel, each in order; None where they are not numbered like that."""
    channels: dict[str, dict[int, str]] = {}
    for name in names:
        if not (found := NUMBERED.fullmatch(name)):
            return None
        channels.setdefault(found[1], {})[int(found[2])] = name
    spans = {(min(columns), max(columns)) for columns in channels.values()}
    if len(spans) != 1 or any(len(columns) != max(columns) - min(columns) + 1 for columns in channels.values()):
        return None
    return {channel: [columns[number] for number in sorted(columns)] for channel, columns in channels.items()}


def _wide(columns: Columns, options: TableOptions) -> SeriesTable:
    if not columns.headed and not options.label and options.labelled:
        options = replace(options, label=columns.names[0])
    rest = list(options.channels) or _rest(columns, options)
    if not columns.headed and not options.labelled:  # labels come first where there is no header
        rest = rest[1:]
    channels = _numbered_channels(rest) if columns.headed else None
    channels = channels or {"": rest}
    if not rest:
        raise EarsightError(f"{columns.path}: no columns of values; a wide table has a column a time")
    values = np.stack([np.stack([columns.numbers(name) for name in names], axis=1) for names in channels.values()],
                      axis=2)
    named = all(channels)
    names = tuple(channels) if named else numbered(len(channels))
    ids = columns.texts(options.series) if options.series else numbered(len(columns.rows))
    labels = _labels(columns, options)
    groups = columns.texts(options.group) if options.group else None
    splits = _splits(columns, options)
    series = [Series(tidy(ids[row]), without_padding(finite(values[row])), None, labels[row] if labels else None,
                     (tidy(groups[row]) or None) if groups else None, splits[row] if splits else None)
              for row in range(len(columns.rows))]
    notes = [f"{columns.path}: read as wide, a series a row: {len(series)} of {values.shape[1]} times and "
             f"{len(names)} channel{'s' * (len(names) != 1)}" + _told(options, ("series", "label", "group"))]
    notes += label_notes(columns.texts(options.label), columns.path) if options.label else []
    return SeriesTable(columns.path, names, named, series, [], notes, options)


def _long(columns: Columns, options: TableOptions) -> SeriesTable:
    for name in options.channels:
        _demand(columns, name, "channels=")
    names = list(options.channels) or _rest(columns, options)
    if not names:
        raise EarsightError(f"{columns.path}: no columns of values beside{_told(options, ('series', 'time', 'label'))}")
    values = finite(np.stack([columns.numbers(name) for name in names], axis=1))
    times = None
    if options.time:
        cells = columns.cells[options.time]
        times = seconds(cells, UNITS[options.unit or "s"], f"{columns.path}, column {options.time}")
    labels, splits = _labels(columns, options), _splits(columns, options)
    groups = columns.texts(options.group) if options.group else None
    series: list[Series] = []
    failures: list[tuple[str, str]] = []
    early, double, unlabelled, parted = [], 0, 0, 0
    for name, rows in _rows_by_series(columns, options):
        moments, order = (times[rows], np.argsort(times[rows], kind="stable")) if times is not None else (None, None)
        rows = rows if order is None else rows[order]
        runs = _runs([labels[row] for row in rows]) if labels else [(None, 0, len(rows))]
        unlabelled += sum(end - begin for label, begin, end in runs if labels and not label)
        runs = [run for run in runs if not labels or run[0]]
        parted += len(runs) > 1
        if moments is not None and np.any(np.diff(moments) < 0):
            early.append(name)
        for number, (label, begin, end) in enumerate(runs, 1):
            own = rows[begin:end]
            called = name if len(runs) == 1 else f"{name}-{number}"
            # Parts of one series are of one recording.
            group = tidy(groups[own[0]]) or None if groups else name if len(runs) > 1 else None
            split = splits[own[0]] if splits else None
            at, of = (times[own] if times is not None else None), values[own]
            try:
                if at is not None:
                    at, of, _, doubled = in_order(at, of)
                    double += doubled
            except EarsightError as error:
                failures.append((called, f"{columns.path}: series {called}: {error}"))
                continue
            series.append(Series(called, of, at, label, group, split))
    notes = [f"{columns.path}: read as long, a row a time: {len(series)} series of {len(names)} "
             f"channel{'s' * (len(names) != 1)} ({_listed(names, 6)})"
             + _told(options, ("series", "time", "label", "group"))]
    if early:
        notes.append(f"{columns.path}: times out of order in series {_listed(early, 3)}; they are sorted")
    if double:
        notes.append(f"{columns.path}: {double} rows have the time of another; the mean of such rows is taken")
    if unlabelled:
        notes.append(f"{columns.path}: {unlabelled} rows without a label are left out")
    if parted:
        notes.append(f"{columns.path}: {parted} series change their label, and are parted there")
    notes += label_notes(columns.texts(options.label), columns.path) if options.label and labels else []
    return SeriesTable(columns.path, tuple(names), columns.headed, series, failures, notes, options)


def _told(options: TableOptions, roles: Sequence[str]) -> str:
    told = [f"{role} {getattr(options, role)}" for role in roles if getattr(options, role)]
    return f"; {', '.join(told)}" if told else ""


def _labels(columns: Columns, options: TableOptions) -> list[str] | None:
    """Each row's label, tidy; empty where it has none. None where no row has one."""
    if not options.labelled or not options.label:
        return None
    labels = [tidy(label) for label in columns.texts(options.label)]
    return labels if any(labels) else None


def _splits(columns: Columns, options: TableOptions) -> list[str] | None:
    name = _split_column(columns)
    return [tidy(cell) for cell in columns.texts(name)] if name and options.labelled else None


def _rows_by_series(columns: Columns, options: TableOptions) -> Iterator[tuple[str, np.ndarray]]:
    """The rows of each series, in the order of its first row."""
    if not options.series:
        yield columns.path.stem, np.arange(len(columns.rows))
        return
    names = [tidy(name) for name in columns.texts(options.series)]
    places: dict[str, int] = {}
    number = np.array([places.setdefault(name, len(places)) for name in names])
    order = np.argsort(number, kind="stable")
    bounds = np.searchsorted(number[order], np.arange(len(places) + 1))
    for place, name in enumerate(places):
        yield name or "unnamed", order[bounds[place] : bounds[place + 1]]


def _runs(labels: Sequence[str]) -> list[tuple[str | None, int, int]]:
    """Stretches of one label: the label, the first row and the one after the last."""
    edges = [0, *(place for place in range(1, len(labels)) if labels[place] != labels[place - 1]), len(labels)]
    return [(labels[begin], begin, end) for begin, end in zip(edges, edges[1:])]
