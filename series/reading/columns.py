"""Tables with a row a time (long) or a row a series (wide): `.csv`, `.tsv`, `.parquet`."""

import csv
import difflib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...common.errors import EarsightError, first_line, require
from ...common.texts import read_text, tidy
from .series import MISSING, UNITS, Series, SeriesTable, TableOptions, finite, label_notes, numbered
from .times import in_order, seconds

TEXT_SUFFIXES = frozenset({".csv", ".tsv"})
PARQUET_SUFFIXES = frozenset({".parquet", ".pq"})
SEPARATORS = (",", ";", "\t", "|")
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


@dataclass(frozen=True, eq=False)
class Columns:
    """A table as it stands in its file.

    Attributes:
        names: of the columns, in order.
        cells: by name: texts, or numbers (row,) float64.
        rows: where each row stands, for messages: "line 3".
        headed: whether the file names its columns.
    """

    path: Path
    names: tuple[str, ...]
    cells: Mapping[str, list[str] | np.ndarray]
    rows: Sequence[str]
    headed: bool

    def numbers(self, name: str) -> np.ndarray:
        """A column (row,) float64, NaN where it is empty.

        Raises:
            EarsightError: a cell is text; names it.
        """
        cells = self.cells[name]
        if isinstance(cells, np.ndarray):
            return cells
        try:
            return np.array(cells, dtype=np.float64)
        except ValueError:
            return np.array([self._number(name, place, cell) for place, cell in enumerate(cells)])

    def _number(self, name: str, place: int, cell: str) -> float:
        if cell.strip().lower() in MISSING:
            return np.nan
        try:
            return float(cell)
        except ValueError:
            hint = f"write {cell.replace(',', '.')}" if re.fullmatch(r"-?\d+,\d+", cell.strip()) else (
                "name the columns of values (channels=a,b), or say what this one is (series=, time=, label=, group=)")
            raise EarsightError(f"{self.path}, {self.rows[place]}, column {name}: {cell.strip()!r} is no number; {hint}"
                                ) from None

    def texts(self, name: str) -> list[str]:
        """A column as it is written; whole numbers without a point."""
        cells = self.cells[name]
        if isinstance(cells, list):
            return cells
        return ["" if np.isnan(value) else f"{value:.0f}" if value == round(value) else repr(float(value))
                for value in cells.tolist()]


def read_columns(path: Path) -> Columns:
    """A `.csv`, `.tsv` or `.parquet` file. Raises EarsightError where it is none, or empty."""
    return _parquet(path) if path.suffix.lower() in PARQUET_SUFFIXES else _delimited(path)


def header_of(path: Path) -> list[str]:
    """The first row of a `.csv` or `.tsv`; empty for a file that is none."""
    try:
        with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
            head = file.readline(1 << 20)
    except OSError:
        return []
    return [tidy(cell) for cell in _cells(head, _separator(head, path))]


def _delimited(path: Path) -> Columns:
    content = read_text(path, "the table")
    head = content[: content.find("\n") + 1] or content
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=_separator(head, path), strict=True)
    rows, lines, header = [], [], None
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = cells
            elif len(cells) != len(header):
                raise EarsightError(f"{path}, line {reader.line_num}: {len(cells)} values for {len(header)} columns; "
                                    "put a value that holds the separator in double quotes")
            rows.append(cells)
            lines.append(f"line {reader.line_num}")
    except csv.Error as error:
        raise EarsightError(f"{path}, line {reader.line_num}: not a table ({error})") from error
    if header is None:
        raise EarsightError(f"{path}: the table is empty; its first line names its columns")
    headed = _is_header(header)
    names = [tidy(cell) for cell in header] if headed else list(numbered(len(header)))
    rows, lines = (rows[1:], lines[1:]) if headed else (rows, lines)
    if not rows:
        raise EarsightError(f"{path}: the table has a header and no rows")
    columns = list(zip(*rows))
    if headed and len(names) > 1 and (not names[0] or names[0].startswith("Unnamed: ")):  # the index that pandas writes
        names, columns = names[1:], columns[1:]
    for name in names:
        if not name:
            raise EarsightError(f"{path}, line 1: a column has no name; give it one")
        if names.count(name) > 1:
            raise EarsightError(f"{path}, line 1: column {name} is there twice; leave one")
    return Columns(path, tuple(names), {name: list(cells) for name, cells in zip(names, columns)}, lines, headed)


def _parquet(path: Path) -> Columns:
    parquet, arrow = require("pyarrow.parquet", "tables"), require("pyarrow", "tables")
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError, arrow.ArrowException) as error:
        raise EarsightError(f"{path}: not a Parquet file that can be read ({first_line(error)})") from error
    cells: dict[str, list[str] | np.ndarray] = {}
    for name in table.column_names:
        column, kind = table.column(name), table.schema.field(name).type
        if arrow.types.is_dictionary(kind):
            column, kind = column.cast(kind.value_type), kind.value_type
        if any(is_kind(kind) for is_kind in (arrow.types.is_integer, arrow.types.is_floating, arrow.types.is_boolean,
                                             arrow.types.is_decimal)):
            cells[tidy(name)] = np.asarray(column.cast(arrow.float64()).to_numpy(), dtype=np.float64)
        elif not name.startswith("__index_level_"):
            cells[tidy(name)] = ["" if value is None else str(value) for value in column.to_pylist()]
    if not cells or not table.num_rows:
        raise EarsightError(f"{path}: the table is empty")
    return Columns(path, tuple(cells), cells, range_of_rows(table.num_rows), True)


def range_of_rows(count: int) -> list[str]:
    """Names of rows for messages."""
    return [f"row {number}" for number in range(1, count + 1)]


def _separator(head: str, path: Path) -> str:
    """What parts the columns of a first line: that by which it has most; the suffix's own among equals."""
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    return max((usual, *SEPARATORS), key=lambda separator: len(_cells(head, separator)))


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(line, newline=""), delimiter=separator), [])
    except csv.Error:
        return []


def _is_header(cells: Sequence[str]) -> bool:
    """Whether a first row names columns: numbers alone do not, nor do a label and numbers that count nothing."""
    numbers = [cell.strip() for cell in cells if _is_number(cell)]
    others = len(cells) - len(numbers)
    return others > 1 or (others == 1 and all(number.isdigit() for number in numbers))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell.strip().lower() in MISSING
    return True


# From columns to series


def table_of(columns: Columns, options: TableOptions) -> SeriesTable:
    """The series of a table, long or wide.

    Raises:
        EarsightError: a column that is asked for is not there, or a channel holds text.
    """
    found = _found(columns, options)
    if _is_wide(columns, found):
        return _wide(columns, replace(found, layout="wide"))
    return _long(columns, replace(found, layout="long"))


def _found(columns: Columns, options: TableOptions) -> TableOptions:
    """The options with the columns that they do not name; those that they name are demanded."""
    wanted = {name: getattr(options, name) for name in ("series", "time", "label", "group")}
    for name, column in wanted.items():
        if column and column != NONE:
            _demand(columns, column, f"{name}=")
    taken = {*wanted.values(), *options.channels}
    for role in ("series", "time", "label", "group"):
        if not wanted[role] and columns.headed and (options.labelled or role in ("series", "time")):
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
    other = {options.series, options.time, options.label, options.group}
    splits = [name for name in columns.names if columns.headed and _plain(name) in USUAL["split"]]
    if not options.labelled:
        other |= {name for role in ("label", "group", "split") for name in columns.names
                  if columns.headed and _plain(name) in USUAL[role]}
    return [name for name in columns.names if name not in (*other, *splits)]


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


def without_padding(values: np.ndarray) -> np.ndarray:
    """Values (time, channel) up to the last time with a number; series of unequal lengths are filled up with gaps."""
    there = np.flatnonzero(np.isfinite(values).any(axis=1))
    return values[: there[-1] + 1] if len(there) else values[:1]


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
    """Each row's label, tidy; empty where it has none."""
    if not options.labelled or not options.label:
        return None
    return [tidy(label) for label in columns.texts(options.label)]


def _splits(columns: Columns, options: TableOptions) -> list[str] | None:
    name = next((name for name in columns.names if columns.headed and _plain(name) in USUAL["split"]), None)
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
