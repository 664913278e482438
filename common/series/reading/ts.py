"""The `.ts` files of aeon, sktime and the time series classification archive."""

import re
from pathlib import Path

import numpy as np

from ...errors import EarsightError
from ...texts import read_text, tidy
from .series import MISSING, Series, SeriesTable, TableOptions, finite, label_notes, numbered, without_padding
from .times import in_order, seconds

STAMPED = re.compile(r"\(\s*([^,()]+?)\s*,\s*([^,()]*?)\s*\)")


def read_ts(path: Path, options: TableOptions) -> SeriesTable:
    """The series of a `.ts` file: a line each, its channels parted by `:`, the label last.

    Values are parted by commas; with `@timeStamps true` they are pairs (time,value). `?` and `NaN` are gaps.

    Raises:
        EarsightError: names the line.
    """
    header, lines = _header(path)
    has_label = header.get("classlabel", header.get("targetlabel", "false")).split()[:1] == ["true"]
    stamped = header.get("timestamps", "false").lower() == "true"
    series, failures, raw, width, early, double = [], [], [], None, [], 0
    for number, line in lines:
        where = f"{path}, line {number}"
        channels = _parts(line, stamped)
        label = channels.pop() if has_label and len(channels) > 1 else None
        if width is None:
            width = len(channels)
        if len(channels) != width:
            raise EarsightError(f"{where}: {len(channels)} channels, and the lines before have {width}; `:` parts "
                                "them, and the label comes last")
        name, times = str(len(series) + len(failures) + 1), None
        if stamped:
            try:
                times, values, unordered, doubled = _stamped(channels, where)
            except EarsightError as error:
                failures.append((name, str(error)))
                continue
            early += [name] * (unordered > 0)
            double += doubled
        else:
            values = _values(channels, where)
        raw += [label] if label is not None else []
        values = finite(values) if stamped else without_padding(finite(values))
        series.append(Series(name, values, times, tidy(label) if label is not None and options.labelled else None))
    if not series and not failures:
        raise EarsightError(f"{path}: no series under @data; copy the file again")
    count = width or 0
    notes = [f"{path}: {len(series)} series of {count} channel{'s' * (count != 1)}"]
    if early:
        notes.append(f"{path}: times out of order in {len(early)} series, first in {early[0]}; they are sorted")
    if double:
        notes.append(f"{path}: {double} values have the time of another; their mean is taken")
    return SeriesTable(path, numbered(count), False, series, failures, [*notes, *label_notes(raw, path)], options)


def _header(path: Path) -> tuple[dict[str, str], list[tuple[int, str]]]:
    """The words after each `@name`, by its name in lower case; and the lines of data with their numbers."""
    header: dict[str, str] = {}
    lines: list[tuple[int, str]] = []
    begun = False
    for number, line in enumerate(read_text(path, "the series").splitlines(), 1):
        line = line.strip()
        if not line or line[0] in "#%":
            continue
        if begun:
            lines.append((number, line))
        elif line.startswith("@"):
            name, _, value = line[1:].partition(" ")
            begun = name.lower() == "data"
            header[name.lower()] = value.strip()
        else:
            raise EarsightError(f"{path}, line {number}: data before @data; not a .ts file of series")
    if not begun:
        raise EarsightError(f"{path}: no @data; not a .ts file of series, or cut short")
    return header, lines


def _parts(line: str, stamped: bool) -> list[str]:
    """What `:` parts; those in the times of pairs part nothing."""
    if not stamped:
        return [part.strip() for part in line.split(":")]
    return [part.strip() for part in re.split(r":(?![^(]*\))", line)]


def _values(channels: list[str], where: str) -> np.ndarray:
    """(time, channel); channels of unequal lengths are filled up with gaps."""
    columns = [numbers_in(channel.split(","), where) for channel in channels]
    values = np.full((max(map(len, columns)), len(columns)), np.nan)
    for number, column in enumerate(columns):
        values[: len(column), number] = column
    return values


def numbers_in(cells: list[str], where: str) -> np.ndarray:
    """Texts as float64, NaN for gaps. Raises EarsightError, which `where` begins, for one that is no number."""
    try:
        return np.array(cells, dtype=np.float64)
    except ValueError:
        try:
            return np.array([np.nan if cell.strip().lower() in MISSING else float(cell) for cell in cells])
        except ValueError as error:
            raise EarsightError(f"{where}: {str(error).rpartition(': ')[2]} is no number") from None


def _stamped(channels: list[str], where: str) -> tuple[np.ndarray, np.ndarray, int, int]:
    """Times and values of channels of pairs, at all the times that any of them has; how many were early, and double."""
    of_channel = []
    for channel in channels:
        pairs = STAMPED.findall(channel)
        if not pairs:
            raise EarsightError(f"{where}: no pairs (time,value), which @timeStamps true announces")
        stamps = [stamp for stamp, _ in pairs]
        of_channel.append((seconds(stamps, 1.0, where), numbers_in([value for _, value in pairs], where)))
    early = sum(int(np.count_nonzero(np.diff(times) < 0)) for times, _ in of_channel)
    every = np.concatenate([times for times, _ in of_channel])
    if len(channels) == 1:
        return in_order(every, finite(of_channel[0][1][:, None]))
    union = np.unique(every)
    values = np.full((len(union), len(channels)), np.nan)
    double = 0
    for number, (times, column) in enumerate(of_channel):
        own, means, _, doubled = in_order(times, finite(column[:, None]))
        values[np.searchsorted(union, own), number] = means[:, 0]
        double += doubled
    return union, finite(values), early, double
