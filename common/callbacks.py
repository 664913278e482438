"""What a person wants to see while a model trains: sample outputs, pictures of what it emits, and its health."""

import sys
from functools import partial

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import WeightAveraging
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor

from common.data import Batch
from common.errors import EarsightError


class SampleOutputs(pl.Callback):
    """After each validation, writes a few references with their hypotheses, and a picture, to TensorBoard.

    Args:
        clips: how many clips are shown.
    """

    def __init__(self, clips: int = 5):
        self.clips = clips
        self._shown: Batch | None = None

    def on_validation_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Batch,
                                  batch_idx: int, dataloader_idx: int = 0) -> None:
        self._shown = batch  # of the last batch, which has the longest clips

    def on_validation_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        boards = [logger.experiment for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
        if not boards or self._shown is None or not trainer.is_global_zero:
            return
        batch, self._shown = self._shown, None
        with torch.no_grad():
            outputs, lengths = module.predict_step(batch)
        hypotheses = module.decode(outputs, lengths)
        rows = [f"| {name} | {reference} | {hypothesis} |" for name, reference, hypothesis
                in zip(batch.ids, batch.references, hypotheses)][:self.clips]
        table = "\n".join(["| clip | reference | hypothesis |", "|---|---|---|", *rows])
        for board in boards:
            board.add_text("samples", table, trainer.global_step)
            board.add_figure("outputs", output_picture(outputs[0], int(lengths[0]), module.labels.symbols),
                             trainer.global_step)


class FiniteGradients(pl.Callback):
    """Leaves out the steps whose gradients are not finite, names their clips, and ends a run that has too many.

    Gradients are looked at once they are summed over processes, so that all processes do the same.

    Args:
        most: of such batches; one more ends the run.
    """

    def __init__(self, most: int):
        self.most = most
        self.count = 0
        self._clips: list[str] = []

    def state_dict(self) -> dict[str, int]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.count = state["count"]

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Batch,
                             batch_idx: int) -> None:
        first = batch_idx % trainer.accumulate_grad_batches == 0
        self._clips = batch.ids if first else self._clips + batch.ids

    def on_before_optimizer_step(self, trainer: pl.Trainer, module: pl.LightningModule,
                                 optimizer: torch.optim.Optimizer) -> None:
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        module.log("gradient_norm", norm)
        if norm.isfinite():
            return
        self.count += 1
        shown = ", ".join(self._clips[:5]) + (f" and {len(self._clips) - 5} more" if len(self._clips) > 5 else "")
        message = f"gradients that are not finite (batch {self.count} of at most {self.most}): {shown}"
        if self.count > self.most:
            raise EarsightError(f"{message}; the run ends: look at these clips (`earsight check`), or lower "
                                "model.optimiser.learning_rate")
        print(f"warning: {message}; the step is left out", file=sys.stderr)
        optimizer.zero_grad(set_to_none=True)  # the optimiser leaves alone what has no gradient


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
