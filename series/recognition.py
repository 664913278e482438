"""From tables to classes and timelines, with a model folder. torch is never imported on this path."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..common.errors import EarsightError
from ..common.inference.recognition import Classification, Timeline, classification
from ..common.inference.runtime import Runtime
from ..common.inference.timeline import BATCH, timeline
from .matching import matched
from .reading import TableOptions, read_series
from .reading.columns import PARQUET_SUFFIXES, TEXT_SUFFIXES, header_of
from .reading.times import on_grid

# Of a window, which is as long as a usual series of training.
HOP, MINIMUM = 1 / 8, 1 / 4


class SeriesRecogniser:
    """A model folder of series applied to tables. Safe to share between threads.

    Args:
        model: a model folder or an installed model's name.
        threads: CPU threads that work on one series.
    """

    def __init__(self, model: str | Path, threads: int = 1):
        self.runtime = Runtime(model, threads)
        config = self.runtime.config
        if config.medium != "series" or config.task != "classification":
            command = "transcribe" if config.task == "ctc" else "classify"
            raise EarsightError(f"model {self.runtime.name} is for {config.medium} and `earsight {command}`; "
                                "choose another (see `earsight models`)")

    def read(self, path: str | Path) -> "list[OneSeries]":
        """The series of a table, as the model takes them: its channels by name, at its steps.

        Labels in it are passed over.

        Raises:
            EarsightError: the table cannot be read, or lacks channels of the model.
        """
        layout, shift = self.runtime.config.frontend, self.runtime.config.frame_shift
        path = Path(path)
        owner = f"model {self.runtime.name}"
        table = read_series(path, _options(path, layout, owner))
        if table.failures:
            raise EarsightError(table.failures[0][1])
        found = []
        for series in table.series:
            values = matched(series.values, table.channels if table.named else None, layout, str(path), owner)
            try:
                frames = values if series.times is None else on_grid(series.times, values, shift)
            except EarsightError as error:
                raise EarsightError(f"{path}: series {series.name}: {error}") from error
            name = path if len(table.series) == 1 else path.with_name(f"{path.name}#{series.name.replace('/', '-')}")
            found.append(OneSeries(self, name, frames))
        return found

    def frames(self, path: str | Path) -> np.ndarray:
        """The only series of a table (time, channel). Raises EarsightError where it has several."""
        found = self.read(path)
        if len(found) > 1:
            raise EarsightError(f"{path}: holds {len(found)} series, and one is asked for; `earsight classify` and "
                                "`SeriesRecogniser.read` take them all")
        return found[0].frames

    def classify(self, path: str | Path) -> Classification:
        """What a table of one series is as a whole."""
        return OneSeries(self, Path(path), self.frames(path)).classify()

    def timeline(self, path: str | Path, **options: float) -> Timeline:
        """What a table of one series is when, from its first time on; options: see `OneSeries.timeline`."""
        return OneSeries(self, Path(path), self.frames(path)).timeline(**options)


@dataclass(frozen=True, eq=False)
class OneSeries:
    """A series as a model takes it.

    Attributes:
        path: its table's, with `#` and its name where the table has several.
        frames: (time, channel) with NaN in gaps.
    """

    recogniser: SeriesRecogniser
    path: Path
    frames: np.ndarray

    def classify(self, _: Path | None = None, /) -> Classification:
        """What it is as a whole. `video.recognition.classifying` names it once more."""
        runtime = self.recogniser.runtime
        return classification(runtime.outputs(self.frames), runtime.labels.symbols, str(self.path),
                              len(self.frames) * runtime.config.frame_shift, runtime.name)

    def timeline(self, _: Path | None = None, /, **options: float) -> Timeline:
        """What it is when.

        Options: `common.inference.timeline.timeline`'s; a window is as long as a usual series of training unless
        `window` says otherwise.
        """
        runtime = self.recogniser.runtime
        shift = runtime.config.frame_shift
        window = options.pop("window", runtime.config.frontend["window"])
        usual = {"window": window, "hop": min(window, max(shift, HOP * window)), "minimum": MINIMUM * window}
        return timeline(runtime.batch_outputs, [self.frames], runtime.labels.symbols, shift, batch=BATCH,
                        path=str(self.path), model=runtime.name, **{**usual, **options})

    @staticmethod
    def thumbnails(result: Timeline) -> list:
        """Series have none."""
        return []


def _options(path: Path, layout: dict, owner: str) -> TableOptions:
    """How a table is read: as those of training were, where it has their columns.

    A table that has none of the model's channels may be wide, and is looked into.
    """
    told, names = dict(layout["table"]), tuple(layout["channels"]) if layout["named"] else ()
    if path.suffix.lower() in TEXT_SUFFIXES:
        header = header_of(path)
        told = {key: value for key, value in told.items() if key == "unit" or value in header}
        names = names if set(names) <= set(header) else ()
        if not names and layout["named"] and set(layout["channels"]) & set(header):
            matched(np.empty((0, len(header))), header, layout, str(path), owner)  # says which are not there
    elif path.suffix.lower() not in PARQUET_SUFFIXES:
        told = {}
    return TableOptions(**told, channels=names, labelled=False)
