"""Tables as they stand in their files, column by column: `.csv`, `.tsv`, `.parquet`."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import EarsightError, first_line, require
from ...texts import read_text, tidy
from .series import MISSING, numbered

TEXT_SUFFIXES = frozenset({".csv", ".tsv"})
PARQUET_SUFFIXES = frozenset({".parquet", ".pq"})
SEPARATORS = (",", ";", "\t", "|")


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
    """The first row of a `.csv` or `.tsv`, the names of a `.parquet`'s columns; empty for a file that is none."""
    if path.suffix.lower() in PARQUET_SUFFIXES:
        parquet, arrow = require("pyarrow.parquet", "tables"), require("pyarrow", "tables")
        try:
            return [tidy(name) for name in parquet.read_schema(path).names]
        except (OSError, ValueError, arrow.ArrowException):
            return []
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
