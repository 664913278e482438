"""Times of series: read, put in order, and laid on a grid of equal steps."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import numpy as np

from ...errors import EarsightError
from .series import MISSING

REACH = 3.0  # steps between two values over which a line between them stands for what was not measured
HALF = 0.5 + 1e-6  # of a step, so that rounding does not part times that lie just between two
SPARSE = 50  # steps for each that was measured, from which on a grid would be gaps and little else
COARSE = 0.1  # share of times that come twice from which on the clock is too coarse to tell times by


def seconds(cells: Sequence[str] | np.ndarray, unit: float, where: str) -> np.ndarray:
    """Times as seconds (time,) float64: numbers of `unit` seconds, or dates in ISO 8601 (those without zone as UTC).

    Raises:
        EarsightError: one is neither; `where` begins the message.
    """
    if isinstance(cells, np.ndarray):
        return cells.astype(np.float64) * unit
    try:
        return np.array(cells, dtype=np.float64) * unit
    except ValueError:
        return np.array([_moment(cell.strip(), unit, where) for cell in cells])


def _moment(cell: str, unit: float, where: str) -> float:
    if cell.lower() in MISSING:
        return np.nan
    with suppress(ValueError):
        return float(cell) * unit
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        raise EarsightError(f"{where}: time {cell!r} is neither a number nor a date such as 2024-05-31 10:00:00.5 "
                            "(ISO 8601); name another column of times, or leave this one out") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def in_order(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, int, int]:
    """Times rising, each once, with their values (time, channel): sorted, and the mean of rows of one time.

    Returns:
        Times, values, whether rows were out of order (how many), and how many rows were a time's second or later.

    Raises:
        EarsightError: a time is not a finite number, or too many times come twice.
    """
    if not np.isfinite(times).all():
        raise EarsightError(f"{np.count_nonzero(~np.isfinite(times))} of {len(times)} times are missing or not finite; "
                            "fill them in, or leave these rows out")
    early = int(np.count_nonzero(np.diff(times) < 0))
    if early:
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
    firsts = np.concatenate([[True], np.diff(times) > 0])
    double = int(np.count_nonzero(~firsts))
    if not double:
        return times, values, early, 0
    if double > max(1, COARSE * len(times)):
        raise EarsightError(f"{double} of {len(times)} rows have the time of another, the first of them "
                            f"{times[~firsts][0]:g} s; name the column that tells series apart (series=...), or leave "
                            "out times that are too coarse (time=none, and rate=HZ)")
    place = np.cumsum(firsts) - 1
    there = np.isfinite(values)
    sums = np.zeros((place[-1] + 1, values.shape[1]))
    counts = np.zeros_like(sums)
    np.add.at(sums, place, np.where(there, values, 0))
    np.add.at(counts, place, there)
    with np.errstate(invalid="ignore"):
        return times[firsts], (sums / np.where(counts, counts, np.nan)).astype(np.float32), early, double


def usual_step(series: Iterable[np.ndarray | None]) -> float | None:
    """Seconds between two times: the median of the medians of all series; None where none has two times."""
    steps = [float(np.median(np.diff(times))) for times in series if times is not None and len(times) > 1]
    return float(np.median(steps)) if steps else None


def on_grid(times: np.ndarray, values: np.ndarray, step: float) -> np.ndarray:
    """A series at equal steps: `values` (time, channel) at rising `times`, every `step` seconds from the first.

    Values that lie on the grid, to half a step, stay as they are. Else each channel is interpolated between the values
    that it has, where these are no more than REACH steps (or the series' own usual steps, if they are longer) apart,
    and has gaps (NaN) elsewhere; where several values fall into a step their mean stands for it.

    Raises:
        EarsightError: the grid would be gaps and little else, as one time that is wrong makes it.
    """
    places = (times - times[0]) / step
    if np.abs(places - np.arange(len(times))).max() < 0.5:
        return values
    own = float(np.median(np.diff(places)))
    if places[-1] > SPARSE * (len(times) + 1000):
        raise EarsightError(f"times from {times[0]:g} to {times[-1]:g} s, at steps of {step:g} s, would be "
                            f"{places[-1]:.0f} of which {len(times)} were measured; mend a time that is wrong, part "
                            "the series where nothing was measured (series=...), or take longer steps (resample=...)")
    count = int(np.floor(places[-1] + HALF)) + 1
    grid = np.arange(count, dtype=np.float64)
    made = np.full((count, values.shape[1]), np.nan, np.float32)
    for channel, column in enumerate(values.T):
        there = np.isfinite(column)
        if there.any():
            made[:, channel] = _channel_on_grid(places[there], column[there], grid, max(own, 1.0))
    return made


def _channel_on_grid(places: np.ndarray, column: np.ndarray, grid: np.ndarray, own: float) -> np.ndarray:
    """One channel, at `places` in steps, on the whole steps of `grid`."""
    after = np.searchsorted(places, grid)
    left, right = places[np.maximum(after - 1, 0)], places[np.minimum(after, len(places) - 1)]
    near = np.minimum(np.abs(grid - left), np.abs(right - grid)) <= 0.5
    inside = (left <= grid) & (grid <= right) & (right - left <= REACH * own)
    line = np.where(inside | near, np.interp(grid, places, column), np.nan)
    # A step of several values is their mean: a line through two of them would let what is faster pass for slower.
    cells = np.floor(places + HALF).astype(int)
    counts = np.bincount(cells, minlength=len(grid))[:len(grid)]
    means = np.bincount(cells, column, len(grid))[:len(grid)] / np.maximum(counts, 1)
    return np.where(counts > 1, means, line)
