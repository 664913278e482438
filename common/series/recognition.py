"""From tables to classes and timelines, with a model folder. torch is never imported on this path."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import EarsightError
from ..inference.recognition import Classification, Timeline, classification
from ..inference.runtime import Runtime
from ..inference.timeline import BATCH, timeline
from .matching import matched, table_options
from .reading import read_series
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

    def read(self, path: str | Path, failures: list[EarsightError] | None = None) -> "list[OneSeries]":
        """The series of a table, as the model takes them: its channels by name, at its steps.

        Labels in it are passed over.

        Raises:
            EarsightError: the table cannot be read, or lacks channels of the model; or one of its series cannot be
                used, which is noted in `failures` if they are given.
        """
        layout, shift = self.runtime.config.frontend, self.runtime.config.frame_shift
        path = Path(path)
        owner = f"model {self.runtime.name}"
        table = read_series(path, table_options(path, layout, owner, labelled=False))
        unusable = [EarsightError(reason) for _, reason in table.failures]
        found = []
        for series in table.series:
            values = matched(series.values, table.channels if table.named else None, layout, str(path), owner)
            try:
                frames = values if series.times is None else on_grid(series.times, values, shift)
            except EarsightError as error:
                unusable.append(EarsightError(f"{path}: series {series.name}: {error}"))
                continue
            name = path if len(table.series) == 1 else path.with_name(f"{path.name}#{series.name.replace('/', '-')}")
            found.append(OneSeries(self, name, frames))
        if failures is not None:
            failures += unusable
        elif unusable:
            raise unusable[0]
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
