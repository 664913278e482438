"""Tables of series read: which files are some, and what is in them. numpy alone is needed, and pyarrow for Parquet."""

from pathlib import Path

from ...containers import inspect, is_transport
from ...errors import EarsightError
from .arff import read_arff
from .arrays import read_npy, read_npz
from .columns import PARQUET_SUFFIXES, TEXT_SUFFIXES, header_of, read_columns
from .layouts import table_of
from .series import Series, SeriesTable, TableOptions, usable
from .ts import read_ts

__all__ = ["SERIES_SUFFIXES", "Series", "SeriesTable", "TableOptions", "is_table", "read_series"]

SERIES_SUFFIXES = frozenset({".ts", ".arff", ".npz", *TEXT_SUFFIXES, *PARQUET_SUFFIXES})
READERS = {".ts": read_ts, ".arff": read_arff, ".npz": read_npz, ".npy": read_npy}


def is_table(path: str | Path) -> bool:
    """Whether a file is a table of series.

    A `.csv` or `.tsv` with a column `path` lists clips instead, and a `.ts` may be a film.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SERIES_SUFFIXES or not path.is_file():
        return False
    if suffix in TEXT_SUFFIXES:
        return "path" not in header_of(path)
    if suffix == ".ts":
        with open(path, "rb") as file:
            return not is_transport(file.read(4096))
    return True


def read_series(path: str | Path, options: TableOptions = TableOptions()) -> SeriesTable:
    """The series of a table, or of a `.npy` array (time, channel), which is one.

    Raises:
        EarsightError: it cannot be read, or none of its series can be used; a series that cannot is named in
            `failures`, beside others.
    """
    path = Path(path)
    inspect(path, "table")
    suffix = path.suffix.lower()
    if suffix in READERS:
        table = usable(READERS[suffix](path, options))
    elif suffix in SERIES_SUFFIXES:
        table = usable(table_of(read_columns(path), options))
    else:
        raise EarsightError(f"{path}: not a table of series; they end in {', '.join(sorted(SERIES_SUFFIXES))}")
    if not table.series:
        raise EarsightError(table.failures[0][1] if table.failures else f"{path}: holds no series")
    return table
