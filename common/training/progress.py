"""How far a run is: a bar in a terminal; in a log file a line every so often."""

import math
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar, RichProgressBar, TQDMProgressBar

from .callbacks import callbacks_of

EVERY = 30.0  # seconds between lines


class BatchBar(TQDMProgressBar):
    """Lightning's bar, with the number of batches: the loaders do not state it, as epochs differ by a few."""

    @property
    def total_train_batches(self) -> int | float:
        return _batches(self.trainer, "train", super().total_train_batches)

    @property
    def total_val_batches_current_dataloader(self) -> int | float:
        return _batches(self.trainer, "validation", super().total_val_batches_current_dataloader)

    @property
    def total_test_batches_current_dataloader(self) -> int | float:
        return _batches(self.trainer, "test", super().total_test_batches_current_dataloader)

    @property
    def total_predict_batches_current_dataloader(self) -> int | float:
        return _batches(self.trainer, "predict", super().total_predict_batches_current_dataloader)


class BatchLines(ProgressBar):
    """Lines on the standard error output: how far, how fast, how long still, and what each validation gave.

    Args:
        every: seconds between lines.
        clock: seconds, from any origin.
    """

    def __init__(self, every: float = EVERY, clock: Callable[[], float] = time.monotonic):
        super().__init__()
        self.every, self.clock = every, clock
        self.enabled = True
        self._begun = self._said = 0.0
        self._done = 0  # training batches in this process

    def disable(self) -> None:
        self.enabled = False

    def enable(self) -> None:
        self.enabled = True

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._begun = self._said = self.clock()
        self._done = 0

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any,
                           batch_idx: int) -> None:
        self._done += 1
        if not self._due():
            return
        batches = _batches(trainer, "train", self.total_train_batches)
        a_batch = (self.clock() - self._begun) / self._done  # with its share of validations
        left = [f"{_time(a_batch * (batches - batch_idx - 1))} left in the epoch"] if batches < math.inf else []
        if left and trainer.max_epochs and trainer.max_epochs > 0:
            epochs = trainer.max_epochs - trainer.current_epoch - 1
            left.append(f"{_time(a_batch * (batches - batch_idx - 1 + epochs * batches))} in all")
        figures = [f"{name} {value:.4g}" for name, value in trainer.progress_bar_metrics.items()
                   if isinstance(value, float | int)]
        self._say(", ".join([f"{_epoch(trainer)}batch {batch_idx + 1}{_of(batches)}", *figures, *left]))

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any,
                                batch_idx: int, dataloader_idx: int = 0) -> None:
        self._evaluated(trainer, "validation", batch_idx)

    def on_test_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any,
                          batch_idx: int, dataloader_idx: int = 0) -> None:
        self._evaluated(trainer, "test", batch_idx)

    def on_predict_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any,
                             batch_idx: int, dataloader_idx: int = 0) -> None:
        self._evaluated(trainer, "predict", batch_idx)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        figures = [f"{name} {float(value):.4g}" for name, value in trainer.callback_metrics.items()
                   if name.startswith("val_")]
        self._say(f"{_epoch(trainer)}validation: {', '.join(figures)}")

    def _evaluated(self, trainer: pl.Trainer, split: str, batch_idx: int) -> None:
        if self._due() and not trainer.sanity_checking:
            self._say(f"{split}: batch {batch_idx + 1}{_of(_batches(trainer, split, math.inf))}")

    def _due(self) -> bool:
        return self.enabled and self.clock() - self._said >= self.every

    def _say(self, line: str) -> None:
        if self.enabled:
            self._said = self.clock()
            print(line, file=sys.stderr, flush=True)


def show_progress(trainer: pl.Trainer) -> None:
    """Put the bar, or lines where the standard output is no terminal, in the place of Lightning's, if it has one."""
    callbacks = callbacks_of(trainer)
    callbacks[:] = [(BatchBar if sys.stdout.isatty() else BatchLines)()
                    if type(callback) in (TQDMProgressBar, RichProgressBar) else callback for callback in callbacks]


def _batches(trainer: pl.Trainer, split: str, limit: int | float) -> int | float:
    """How many batches there are of a split; what the trainer says where the data do not know."""
    count = getattr(getattr(trainer, "datamodule", None), "batches", None)
    if trainer.sanity_checking or count is None:
        return limit
    return min(count(split), limit)


def _epoch(trainer: pl.Trainer) -> str:
    most = trainer.max_epochs if trainer.max_epochs and trainer.max_epochs > 0 else math.inf
    return f"epoch {trainer.current_epoch + 1}{_of(most)}, "


def _of(count: int | float) -> str:
    return f" of {count}" if count < math.inf else ""


def _time(seconds: float) -> str:
    return str(timedelta(seconds=round(max(0.0, seconds))))
