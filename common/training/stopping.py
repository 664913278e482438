"""A run that is told to end, or loses a process: all its processes end, after the same batch where they can."""

import signal
import time
from contextlib import ExitStack
from typing import Any

import pytorch_lightning as pl

from ..signals import Stopped, allow, grace, on_signal, told, told_for, watching
from .siblings import watch_siblings

PATIENCE = 8.0  # seconds to the end of a batch and its place saved
BATCHES = 3  # as long as so many of the longest batches take, if that is more
SAVING = 60.0  # seconds for that itself
VALIDATION = 4.0  # seconds after which a validation that is under way is given up, and what came since the last save


class StopTogether(pl.Callback):
    """Has a run end where its place can be saved, in all processes at once.

    Lightning's own handler of SIGTERM tells the other processes from within whatever is computed, and waits for them,
    who wait for that computation: a run of two processes never ended. Here a handler only takes note, and after each
    batch the processes compare their notes. Where `common.signals` does not watch, Lightning's way stays.
    """

    def __init__(self):
        self._deferred = ExitStack()
        self._longest = self._begun = 0.0

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        watch_siblings(trainer.strategy.launcher)

    def on_sanity_check_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        _take_sigterm()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        _take_sigterm()
        if watching():
            self._deferred.enter_context(grace(PATIENCE, deferred=True))
        self._begun = time.monotonic()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any,
                           batch_idx: int) -> None:
        now = time.monotonic()
        self._longest, self._begun = max(self._longest, now - self._begun), now
        allow(BATCHES * self._longest)
        if watching() and _any(trainer, told() != 0):
            allow(told_for() + SAVING)
            # The loop leaves after this batch, when what it logged is written.
            trainer._signal_connector.received_sigterm = True

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._deferred.close()
        if told():
            raise Stopped(told())

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._deferred.close()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn != "fit":
            _take_sigterm()

    on_test_start = on_predict_start = on_validation_start

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any,
                                batch_idx: int, dataloader_idx: int = 0) -> None:
        # A short one goes on: what Lightning saves after it is the place.
        if watching() and _any(trainer, told() != 0 and told_for() > VALIDATION):
            raise Stopped(told() or signal.SIGTERM)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._begun = time.monotonic()


def _take_sigterm() -> None:
    """Put this program's handler in the place of Lightning's, which has just been set."""
    if watching() and signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
        signal.signal(signal.SIGTERM, on_signal)


def _any(trainer: pl.Trainer, decision: bool) -> bool:
    return trainer.strategy.reduce_boolean_decision(decision, all=False)
