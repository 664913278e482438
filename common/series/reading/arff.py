"""Weka's ARFF as the time series classification archive writes it: a row a series, channels in a relation of rows."""

import csv
import io
import re
from pathlib import Path

import numpy as np

from ...errors import EarsightError
from ...texts import read_text, tidy
from .columns import Columns
from .layouts import table_of
from .series import Series, SeriesTable, TableOptions, finite, label_notes, numbered, without_padding
from .ts import numbers_in

ATTRIBUTE = re.compile(r"@attribute\s+('[^']*'|\"[^\"]*\"|\S+)\s+(.*)", re.IGNORECASE)


def read_arff(path: Path, options: TableOptions) -> SeriesTable:
    """The series of an ARFF file.

    Of several channels: each row is `'v,v,...\\nv,v,...',label`, a line of the quoted part for each channel. Of one:
    numbers, then the label, which is the attribute of names. Other ARFF files are tables as `.csv` is.

    Raises:
        EarsightError: names the line.
    """
    attributes, relational, lines = _parsed(path)
    if not lines:
        raise EarsightError(f"{path}: no rows under @data; copy the file again")
    if relational:
        return _relational(path, lines, options)
    rows = [(number, _cells(path, number, line)) for number, line in lines]
    for number, cells in rows:
        if len(cells) != len(attributes):
            raise EarsightError(f"{path}, line {number}: {len(cells)} values for {len(attributes)} attributes")
    names = tuple(name for name, _ in attributes)
    cells = {name: [row[place] for _, row in rows] for place, name in enumerate(names)}
    columns = Columns(path, names, cells, [f"line {number}" for number, _ in rows], True)
    named = [name for name, kind in attributes if kind.startswith("{")]
    if not options.label and len(named) == 1:
        options = TableOptions(**{**vars(options), "label": named[0]})
    return table_of(columns, options)


def _parsed(path: Path) -> tuple[list[tuple[str, str]], bool, list[tuple[int, str]]]:
    """The attributes outside of relations with their kinds, whether there is a relation, and the lines of data."""
    attributes: list[tuple[str, str]] = []
    inside = relational = begun = False
    lines: list[tuple[int, str]] = []
    for number, line in enumerate(read_text(path, "the series").splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("%"):
            continue
        if begun:
            lines.append((number, line))
        elif line.lower().startswith("@data"):
            begun = True
        elif line.lower().startswith("@end"):
            inside = False
        elif found := ATTRIBUTE.fullmatch(line):
            name, kind = tidy(found[1].strip("'\"")), found[2].strip().lower()
            if kind == "relational":
                inside = relational = True
            elif not inside:
                attributes.append((name, kind))
        elif not line.lower().startswith("@relation"):
            raise EarsightError(f"{path}, line {number}: {line[:40]!r} is no @relation, @attribute or @data; not ARFF")
    if not begun:
        raise EarsightError(f"{path}: no @data; not ARFF, or cut short")
    return attributes, relational, lines


def _relational(path: Path, lines: list[tuple[int, str]], options: TableOptions) -> SeriesTable:
    series, raw, width = [], [], None
    for number, line in lines:
        cells = _cells(path, number, line)
        channels = cells[0].replace("\\n", "\n").split("\n")
        if width is None:
            width = len(channels)
        if len(channels) != width:
            raise EarsightError(f"{path}, line {number}: {len(channels)} channels, and the rows before have {width}")
        columns = [numbers_in(channel.split(","), f"{path}, line {number}") for channel in channels]
        if len(set(map(len, columns))) > 1:
            raise EarsightError(f"{path}, line {number}: channels of unequal lengths")
        label = cells[-1] if len(cells) > 1 else None
        raw += [label] if label is not None else []
        series.append(Series(str(len(series) + 1), without_padding(finite(np.stack(columns, axis=1))), None,
                             tidy(label) if label is not None and options.labelled else None))
    count = width or 0
    notes = [f"{path}: {len(series)} series of {count} channels"]
    return SeriesTable(path, numbered(count), False, series, [], [*notes, *label_notes(raw, path)], options)


def _cells(path: Path, number: int, line: str) -> list[str]:
    quote = '"' if line.startswith('"') else "'"
    try:
        return [cell.strip() for cell in next(csv.reader(io.StringIO(line, newline=""), quotechar=quote, strict=True))]
    except csv.Error as error:
        raise EarsightError(f"{path}, line {number}: not a row ({error})") from error
