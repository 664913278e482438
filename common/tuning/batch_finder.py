"""`earsight tune --find batch`: which `data.batch_duration` fits in memory, and which is fastest."""

import time
from bisect import bisect_right
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from heapq import nlargest
from itertools import accumulate
from pathlib import Path
from typing import cast

import pytorch_lightning as pl
import torch
from lhotse.cut import Cut
from pytorch_lightning.utilities.types import STEP_OUTPUT
from torch.utils.data import DataLoader, Dataset

from ..data.datamodule import Batch, ClipDataset, SequenceData, Share
from ..errors import EarsightError
from ..files import write_whole
from ..reports.layout import table
from ..training.callbacks import callbacks_of
from ..training.running import open_recipe

GROWTH = 2 ** 0.5  # of the duration, from one candidate to the next
MOST = 4096  # clips in a batch
STEPS = 3  # a candidate; the first is not timed
ENOUGH = 0.95  # of the best speed: a shorter batch takes more steps an epoch, and learns more
GIGABYTE = 2 ** 30


@dataclass(frozen=True)
class Trial:
    """What a step over `duration` seconds of the longest clips took."""

    duration: float
    clips: int
    memory: float  # peak, bytes: the device's, or the whole process's on a CPU
    seconds: float

    @property
    def speed(self) -> float:
        """Hours of clips an hour."""
        return self.duration / self.seconds


class Ladder(pl.Callback):
    """Trains an epoch of a few equal batches at each duration, each longer than the last, until memory or clips end.

    Args:
        data: its longest clips are taken: they need the most memory.
        limit: bytes that the process may take on a CPU.
    """

    def __init__(self, data: SequenceData, limit: float):
        self.data = data
        self.limit = limit
        self.cuts: list[Cut] = nlargest(MOST, data.cuts("train"), key=lambda cut: cut.duration)
        self.trials: list[Trial] = []
        self.end = "there are no more clips"
        self._target = max(self.cuts[0].duration, 5.0)
        self._taken: list[Cut] = []
        self._times: list[float] = []
        self._base = _resident()

    def batches(self) -> DataLoader:
        """The next candidate's; `reload_dataloaders_every_n_epochs` asks for them."""
        total = list(accumulate(cut.duration for cut in self.cuts))
        fitting = max(bisect_right(total, self._target), min(len(self._taken) + 1, len(self.cuts)))
        self._taken = self.cuts[:fitting]
        batch = ClipDataset(self.data, None, augment=False)[Share(self._taken, 1.0)]
        return DataLoader(cast(Dataset, [batch] * STEPS), batch_size=None)  # which takes any sequence

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._times = []
        if pl_module.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(pl_module.device)

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch,
                             batch_idx: int) -> None:
        _wait(pl_module.device)
        self._times.append(-time.perf_counter())

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: STEP_OUTPUT,
                           batch: Batch, batch_idx: int) -> None:
        _wait(pl_module.device)
        self._times[-1] += time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        cuda = pl_module.device.type == "cuda"
        memory = torch.cuda.max_memory_allocated(pl_module.device) if cuda else _resident()
        self.trials.append(Trial(sum(cut.duration for cut in self._taken), len(self._taken), memory,
                                 min(self._times[1:])))
        self._target = GROWTH * max(self._target, self.trials[-1].duration)
        speeds = [trial.speed for trial in self.trials]
        if len(self._taken) == len(self.cuts):
            trainer.should_stop = True
        elif not cuda and self._base + GROWTH * (memory - self._base) > self.limit:
            trainer.should_stop = True
            self.end = f"longer ones would need more than {self.limit / GIGABYTE:.1f} GB"
        elif not cuda and len(speeds) > 4 and max(speeds[-4:]) < max(speeds[:-4]):
            trainer.should_stop = True
            self.end = "longer ones are slower"


def find_batch(arguments: list[str], memory: float | None) -> float:
    """Train on longer and longer batches; print what they take, and return the fastest `data.batch_duration`.

    Of durations that are about as fast, the shortest is chosen. Writes `batch_duration.yaml` for `train fit --config`
    into `--run`. One device is measured: where more train, the duration is that of all together.

    Args:
        arguments: of `earsight train fit`.
        memory: gigabytes that the process may take on a CPU; by default, half of what is free besides.

    Raises:
        EarsightError: as `run_training`, or the longest clip does not fit.
    """
    recipe = open_recipe(arguments)
    data = recipe.datamodule
    ladder = Ladder(data, memory * GIGABYTE if memory else _resident() + 0.5 * _free())
    trainer = recipe.instantiate_trainer(max_epochs=-1, max_steps=10**6, devices=1, num_nodes=1, strategy="auto",
                                         reload_dataloaders_every_n_epochs=1, accumulate_grad_batches=1)
    callbacks_of(trainer).append(ladder)
    data.train_dataloader = ladder.batches
    try:
        trainer.fit(recipe.model, data)
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not isinstance(error, (torch.OutOfMemoryError, MemoryError)) and "allocate memory" not in str(error):
            raise
        ladder.end = "longer ones do not fit in memory"
    if not ladder.trials:
        raise EarsightError(f"{ladder.cuts[0].id}: a batch of this clip alone ({ladder.cuts[0].duration:.1f} s) does "
                            "not fit in memory; split it, or take a smaller model")
    chosen = choose(ladder.trials)
    rows = [(f"{trial.duration:.1f}", str(trial.clips), f"{trial.memory / GIGABYTE:.2f}",
             f"{trial.clips / trial.seconds:.1f}", f"{trial.speed:.0f}") for trial in ladder.trials]
    print(table(("seconds", "clips", "peak GB", "clips/s", "hours/h"), rows, ">>>>>"))
    path = Path(recipe.settings.run) / "batch_duration.yaml"
    write_whole(path, f"data: {{init_args: {{batch_duration: {chosen:.0f}}}}}\n")
    print(f"the longest that was tried is {ladder.trials[-1].duration:.0f} s: {ladder.end}\nbatch duration "
          f"{chosen:.0f} s a device: the shortest of the fastest; `train fit --config RECIPE --config {path}` takes it")
    return chosen


def choose(trials: Iterable[Trial]) -> float:
    """The shortest duration that is about as fast as the fastest."""
    trials = list(trials)
    fastest = max(trial.speed for trial in trials)
    return min(trial.duration for trial in trials if trial.speed >= ENOUGH * fastest)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _resident() -> float:
    """Most memory that this process has taken so far, bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _free() -> float:
    """Memory that this machine, or this container, can still give, bytes."""
    free = []
    with suppress(OSError, StopIteration):
        line = next(line for line in Path("/proc/meminfo").read_text().splitlines() if "MemAvailable" in line)
        free.append(int(line.split()[1]) * 1024)
    with suppress(OSError, ValueError):  # "max" where there is no limit
        group = Path("/sys/fs/cgroup")
        free.append(int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    if not free:
        raise EarsightError("this system does not tell how much memory is free; give --memory GB")
    return min(free)
