"""What a person wants to see while a model trains: sample outputs, gates, speed, and the run's health."""

import sys
import time
from collections.abc import Callable
from functools import partial

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import WeightAveraging
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor

from ..data.datamodule import Batch
from ..errors import EarsightError
from ..nn.gates import encoder_gates, gate_picture, gate_statistics
from ..nn.module import SequenceModel


def callbacks_of(trainer: pl.Trainer) -> list[pl.Callback]:
    """The trainer's list of callbacks, which its class does not declare: what is added to it is called."""
    return getattr(trainer, "callbacks")


class SampleOutputs(pl.Callback):
    """After each validation, writes a few references with their hypotheses, and a picture, to TensorBoard.

    Args:
        clips: how many clips are shown.
    """

    def __init__(self, clips: int = 5):
        self.clips = clips
        self._shown: Batch | None = None

    def on_validation_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch,
                                  batch_idx: int, dataloader_idx: int = 0) -> None:
        self._shown = batch  # of the last batch, which has the longest clips

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        boards = _boards(trainer)
        if not boards or self._shown is None or not trainer.is_global_zero:
            return
        assert isinstance(pl_module, SequenceModel)
        batch, self._shown = self._shown, None
        with torch.no_grad():
            outputs, lengths = pl_module.predict_step(batch)
        hypotheses = pl_module.decode(outputs, lengths)
        rows = [f"| {name} | {reference} | {hypothesis} |" for name, reference, hypothesis
                in zip(batch.ids, batch.references, hypotheses)][:self.clips]
        table = "\n".join(["| clip | reference | hypothesis |", "|---|---|---|", *rows])
        for board in boards:
            board.add_text("samples", table, trainer.global_step)
            board.add_figure("outputs", output_picture(outputs[0], int(lengths[0]), pl_module.labels.symbols),
                             trainer.global_step)


class GateStatistics(pl.Callback):
    """After each validation, what the gates of LSTM and GRU layers do on a few clips of the first batch.

    Logs `common.nn.gates.gate_statistics` of every direction of every layer, as `gates/layer1_forward/forget_mean` and
    so on, and draws them all for TensorBoard.

    Args:
        clips: how many clips at most.
    """

    def __init__(self, clips: int = 8):
        self.clips = clips
        self._taken: Batch | None = None

    def on_validation_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch,
                                  batch_idx: int, dataloader_idx: int = 0) -> None:
        if batch_idx == 0:
            self._taken = batch

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        batch, self._taken = self._taken, None
        if batch is None or trainer.sanity_checking or not trainer.is_global_zero:
            return
        assert isinstance(pl_module, SequenceModel)
        with torch.no_grad():
            frames, lengths = (part[:self.clips] for part in pl_module.frames(batch))
            cells = list(encoder_gates(pl_module.encoder, pl_module.normaliser(frames, lengths), lengths))
        if not cells:  # a Transformer
            return
        shift = pl_module.settings["frame_shift"] * pl_module.encoder.stride
        for cell in cells:
            figures = {f"gates/{cell.name}/{name}": value for name, value in gate_statistics(cell, shift).items()}
            # Nothing is added up over processes then, and `sync_dist` spares a warning for each figure.
            pl_module.log_dict(figures, rank_zero_only=True, sync_dist=True)
        for board in _boards(trainer):
            board.add_figure("gates", gate_picture(cells, shift), trainer.global_step)


class Throughput(pl.Callback):
    """How fast a run trains, over all its processes and the last `log_every_n_steps` batches.

    Logs `clips_per_second`; `hours_per_hour`, of clips (as long as they are on disk) an hour of training; and
    `data_wait`, the share of the time from the end of one step to the start of the next, in which the model waits for a
    batch, its way to the device and the writing of logs. Validation does not count.

    Args:
        clock: seconds, from any origin.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter):
        self.clock = clock
        self._sums = torch.zeros(4, dtype=torch.float64)  # clips, their seconds, seconds of waiting, seconds
        self._batches = 0
        self._rates: dict[str, float] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._end = self.clock()  # a run that goes on within an epoch does not start it

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._end = self.clock()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._end = self.clock()

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch,
                             batch_idx: int) -> None:
        self._start = self.clock()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: object, batch: Batch,
                           batch_idx: int) -> None:
        end = self.clock()
        counted = bool(batch.weight)  # else they are another process's clips
        self._sums += torch.tensor([len(batch.ids) * counted, batch.seconds * counted, self._start - self._end,
                                    end - self._end], dtype=torch.float64)
        self._end = end
        self._batches += 1
        if self._batches % getattr(trainer, "log_every_n_steps") == 0:  # which `Trainer` does not declare
            # Single precision: not every device has another.
            summed = trainer.strategy.reduce(self._sums.float().to(pl_module.device), reduce_op="sum")
            clips, seconds, waited, passed = summed.tolist()
            self._sums.zero_()
            if passed:
                wall = passed / trainer.world_size
                self._rates = {"clips_per_second": clips / wall, "hours_per_hour": seconds / wall,
                               "data_wait": waited / passed}
        for name, value in self._rates.items():
            pl_module.log(name, value, prog_bar=name == "hours_per_hour", batch_size=len(batch.ids))


class FiniteGradients(pl.Callback):
    """Leaves out the steps whose gradients are not finite, names their clips, and ends a run that has too many.

    Gradients are looked at once they are summed over processes, so that all processes do the same. A loss that is not
    finite has such gradients (`SequenceModel.training_step`). The count is logged as `bad_batches`.

    Args:
        most: of such batches; one more ends the run.
    """

    def __init__(self, most: int):
        self.most = most
        self.count = 0
        self._batches: list[Batch] = []  # of the step, several where gradients are accumulated
        self._losses: list[Tensor] = []

    def state_dict(self) -> dict[str, int]:
        return {"count": self.count}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.count = state_dict["count"]

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch,
                             batch_idx: int) -> None:
        self._batches.append(batch)

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        self._losses.append(loss.detach())

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: pl.LightningModule,
                                 optimizer: torch.optim.Optimizer) -> None:
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        batches, losses, self._batches, self._losses = self._batches, self._losses, [], []
        pl_module.log("gradient_norm", norm)
        finite = bool(norm.isfinite()) or self._only_scaled(trainer, losses)
        self.count += not finite
        pl_module.log("bad_batches", float(self.count))
        if finite:
            return
        clips = [name for batch in batches for name in _spoilt_clips(pl_module, batch)]
        clips = clips or [name for batch in batches for name in batch.ids]
        shown = ", ".join(clips[:5]) + (f" and {len(clips) - 5} more" if len(clips) > 5 else "")
        message = f"a loss or gradients that are not finite (batch {self.count} of at most {self.most}): {shown}"
        if self.count > self.most:
            raise EarsightError(f"{message}; the run ends: look at these clips (`earsight check`), or lower "
                                "model.optimiser.learning_rate")
        print(f"warning: {message}; the step is left out", file=sys.stderr)
        optimizer.zero_grad(set_to_none=True)  # the optimiser leaves alone what has no gradient

    @staticmethod
    def _only_scaled(trainer: pl.Trainer, losses: list[Tensor]) -> bool:
        """Whether gradients in half precision were scaled too high: the scaler leaves the step out and scales less."""
        if trainer.scaler is None:
            return False
        broken = sum(not loss.isfinite() for loss in losses)
        return not trainer.strategy.reduce(torch.tensor(float(broken), device=losses[0].device), reduce_op="sum")


def _spoilt_clips(module: pl.LightningModule, batch: Batch) -> list[str]:
    """The clips whose outputs are not finite: of a batch that spoils a step, often one."""
    module.eval()  # draws no random numbers
    with torch.no_grad():
        outputs, _ = module.predict_step(batch)
    module.train()
    return [name for name, finite in zip(batch.ids, outputs.flatten(1).isfinite().all(dim=1).tolist()) if not finite]


def _boards(trainer: pl.Trainer) -> list:
    """TensorBoard's writers: other loggers get the figures, and no pictures or text."""
    return [logger.experiment for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]


class AveragedWeights(WeightAveraging):
    """Keeps an exponential moving average of the weights: validated, and saved as the weights of checkpoints.

    The average starts at the weights of the first step. It forgets faster in the first steps, so that a short run's
    average is not that of its beginning: the n-th update keeps min(decay, n / (n + 9)) of it, as in TensorFlow's
    ExponentialMovingAverage. Buffers are the model's own.

    Args:
        decay: what a step keeps of the average, e.g. 0.999.
    """

    def __init__(self, decay: float):
        if not 0 < decay < 1:
            raise EarsightError(f"--ema {decay}: give a number between 0 and 1, such as 0.999")
        super().__init__(use_buffers=False, avg_fn=partial(_moved, decay))


def _moved(decay: float, average: Tensor, current: Tensor, updates: Tensor) -> Tensor:
    # `updates` counts those before this one, from 1: the first, which copies, is not passed here.
    kept = min(decay, (1 + float(updates)) / (10 + float(updates)))
    return torch.lerp(current, average, kept)


def output_picture(outputs: Tensor, length: int, symbols: tuple[str, ...]):
    """A matplotlib figure of one clip's label probabilities: over time for CTC, as bars for classes."""
    from matplotlib.figure import Figure  # slow to import, and no display is needed

    figure = Figure(figsize=(10, 0.16 * len(symbols) + 1.5), layout="constrained")
    axes = figure.add_subplot()
    if outputs.ndim == 1:
        axes.barh(range(len(symbols)), outputs.float().softmax(dim=-1).cpu().numpy())
        axes.set_xlabel("probability")
    else:
        axes.imshow(outputs[:length].float().exp().T.cpu().numpy(), aspect="auto", interpolation="nearest",
                    cmap="magma", vmin=0, vmax=1)
        axes.set_xlabel("output frame")
    axes.set_yticks(range(len(symbols)), symbols, fontsize=6)
    return figure
