"""Series as numpy stores them: `.npy`, one series; `.npz`, many."""

from pathlib import Path

import numpy as np

from ...errors import EarsightError, first_line
from ...texts import tidy
from .series import Series, SeriesTable, TableOptions, finite, label_notes, numbered, without_padding
from .times import in_order

FORM = "keys X (series, time, channel) and y (series,), or X_train, y_train, X_test, y_test"


def read_npy(path: Path, options: TableOptions) -> SeriesTable:
    """One series (time, channel), or (time,) of one channel."""
    values = _array(path, _load(path))
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or 0 in values.shape:
        raise EarsightError(f"{path}: shape {values.shape}; a series is numbers (time, channel)")
    return SeriesTable(path, numbered(values.shape[1]), False, [Series(path.stem, finite(values))], [], [], options)


def read_npz(path: Path, options: TableOptions) -> SeriesTable:
    """Series under `X` (series, time, channel), or (series, time) of one channel, with labels under `y` (series,).

    Gaps are NaN, and at a series' end they make it shorter than others. Optional: `channels`, their names; `times`
    (series, time) or (time,) in seconds; `groups` (series,). `X_train`, `y_train`, `X_test`, `y_test` give the splits.

    Raises:
        EarsightError: a key is missing, or its shape does not fit.
    """
    held = _load(path)
    arrays = {name: _member(path, held, name) for name in held.files}
    suffixes = [suffix for suffix in ("", "_train", "_dev", "_test") if f"X{suffix}" in arrays]
    if not suffixes:
        raise EarsightError(f"{path}: holds {', '.join(sorted(arrays)) or 'nothing'}; a table of series has {FORM}")
    series, failures, raw, width = [], [], [], None
    for suffix in suffixes:
        of_split, failed, labels = _series(path, arrays, suffix, options, len(series) + len(failures))
        series, failures, raw = series + of_split, failures + failed, raw + labels
        for each in of_split:
            width = width or each.values.shape[1]
            if each.values.shape[1] != width:
                raise EarsightError(f"{path}: X{suffix} has {each.values.shape[1]} channels, and others have {width}")
    names = tuple(tidy(str(name)) for name in arrays["channels"]) if "channels" in arrays else numbered(width or 0)
    if len(names) != (width or 0):
        raise EarsightError(f"{path}: {len(names)} names under channels, and X has {width} channels")
    notes = [f"{path}: {len(series)} series of {len(names)} channel{'s' * (len(names) != 1)}", *label_notes(raw, path)]
    return SeriesTable(path, names, "channels" in arrays, series, failures, notes, options)


def _series(path: Path, arrays: dict[str, np.ndarray], suffix: str, options: TableOptions, before: int
            ) -> tuple[list[Series], list[tuple[str, str]], list[str]]:
    every = _array(path, arrays[f"X{suffix}"])
    every = every[:, :, None] if every.ndim == 2 else every
    if every.ndim != 3 or 0 in every.shape:
        raise EarsightError(f"{path}: X{suffix} has the shape {every.shape}, not (series, time, channel)")
    columns = {}
    for name in ("y", "groups"):
        column = arrays.get(f"{name}{suffix}")
        if column is not None and column.shape != every.shape[:1]:
            raise EarsightError(f"{path}: {name}{suffix} has the shape {column.shape}, and X{suffix} holds "
                                f"{len(every)} series")
        columns[name] = [label_text(value) for value in column] if column is not None and options.labelled else None
    times = arrays.get(f"times{suffix}")
    if times is not None and times.shape not in (every.shape[:2], every.shape[1:2]):
        raise EarsightError(f"{path}: times{suffix} has the shape {times.shape}, not (series, time) or (time,)")
    split = suffix.removeprefix("_") or None
    series, failures = [], []
    for place, values in enumerate(every):
        name, values = str(before + place + 1), without_padding(finite(values))
        moments = None
        if times is not None:
            moments = np.asarray(times if times.ndim == 1 else times[place], np.float64)[: len(values)]
            try:
                moments, values, _, _ = in_order(moments, values)
            except EarsightError as error:
                failures.append((name, f"{path}: series {name}: {error}"))
                continue
        label, group = (columns[key][place] if columns[key] else None for key in ("y", "groups"))
        series.append(Series(name, values, moments, tidy(label) if label is not None else None, group, split))
    return series, failures, columns["y"] or []


def label_text(value: object) -> str:
    """A label of any type as text: whole numbers without a point."""
    number = value.item() if isinstance(value, np.generic) else value
    return str(int(number)) if isinstance(number, float) and number.is_integer() else str(number)


def _load(path: Path):
    try:
        return np.load(path, allow_pickle=False)
    except Exception as error:  # numpy reads the header as Python, which raises what it likes
        raise EarsightError(f"{path}: not an array that can be read ({first_line(error)}); write it with numpy.save or "
                            "numpy.savez") from error


def _member(path: Path, held, name: str) -> np.ndarray:
    try:
        return held[name]
    except Exception as error:  # pickled objects, a damaged archive
        raise EarsightError(f"{path}: {name} cannot be read ({first_line(error)}); store numbers and texts, and gaps "
                            f"as NaN: {FORM}") from error


def _array(path: Path, values: object) -> np.ndarray:
    if not isinstance(values, np.ndarray) or not (np.issubdtype(values.dtype, np.number) or values.dtype == bool) or (
            np.iscomplexobj(values)):
        raise EarsightError(f"{path}: holds no numbers; a table of series has {FORM}")
    return values
