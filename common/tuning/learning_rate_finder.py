"""`earsight tune --find lr`: a learning-rate range test before the training."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import STEP_OUTPUT

from ..data.datamodule import Batch
from ..errors import EarsightError
from ..files import whole_file, write_whole
from ..nn.module import SequenceModel
from ..training.callbacks import callbacks_of
from ..training.running import open_recipe

LOWEST, HIGHEST = 1e-6, 1.0
DIVERGED = 4.0  # times the lowest loss
RISEN = 0.05  # of its fall: the loss is on its way up again
FALLEN = 0.98  # times the first loss: less of a fall is chance


class RangeTest(pl.Callback):
    """Takes each step with the next learning rate, and ends the training when the loss runs away.

    Attributes:
        losses: of the steps taken, each measured before the weights moved at its rate.
    """

    def __init__(self, rates: Sequence[float]):
        self.rates = rates
        self.losses: list[float] = []
        self._step: list[float] = []

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: pl.LightningModule,
                                 optimizer: torch.optim.Optimizer) -> None:
        assert isinstance(pl_module, SequenceModel)
        for group in optimizer.param_groups:  # parameters keep their shares of the rate
            share = group["initial_lr"] / pl_module.optimiser.learning_rate
            group["lr"] = share * self.rates[trainer.global_step]

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: STEP_OUTPUT,
                           batch: Batch, batch_idx: int) -> None:
        assert isinstance(outputs, Mapping)  # of a model whose steps Lightning takes
        self._step.append(float(trainer.strategy.reduce(outputs["loss"], reduce_op="mean")))
        if trainer.global_step == len(self.losses):  # the step takes more batches
            return
        self.losses.append(float(np.mean(self._step)))
        self._step = []
        recent = float(np.mean(self.losses[-3:]))
        if not np.isfinite(recent) or recent > DIVERGED * min(self.losses):
            trainer.should_stop = True


def find_learning_rate(arguments: list[str], steps: int = 100) -> float:
    """Train for some steps at rising learning rates (Smith, 2017); the peak rate that their losses suggest.

    Writes `lr_finder.png`, and `learning_rate.yaml` for `train fit --config`, into `--run`. The steps are taken by a
    model of this process's own: the training that follows knows nothing of them.

    Args:
        arguments: of `earsight train fit`.
        steps: from the lowest rate to the highest.

    Raises:
        EarsightError: as `run_training`, or no rate lowers the loss.
    """
    recipe = open_recipe(arguments)
    test = RangeTest(np.geomspace(LOWEST, HIGHEST, steps).tolist())
    recipe.datamodule.curriculum = 0  # clips that grow longer would raise the loss too
    trainer = recipe.instantiate_trainer(max_steps=steps, max_epochs=-1)
    callbacks_of(trainer).append(test)
    trainer.fit(recipe.model, recipe.datamodule)
    rates = test.rates[:len(test.losses)]
    suggested = suggest_rate(rates, test.losses)
    if trainer.is_global_zero:
        folder = Path(recipe.settings.run)
        _plot(rates, test.losses, suggested, folder / "lr_finder.png")
        choice = folder / "learning_rate.yaml"
        write_whole(choice, f"model: {{init_args: {{optimiser: {{learning_rate: {suggested:.2g}}}}}}}\n")
        print(f"learning rate {suggested:.2g}: a tenth of where the loss rises again; {folder / 'lr_finder.png'} "
              f"shows it, `train fit --config RECIPE --config {choice}` takes it")
    return suggested


def suggest_rate(rates: Sequence[float], losses: Sequence[float]) -> float:
    """A tenth of the rate at which the smoothed loss, after its minimum, has lost a little of its fall again.

    Not the rate of the steepest fall: that of a CTC model is where it learns to emit blanks, well below what the rest
    of the training wants.

    Raises:
        EarsightError: it does not fall, or is not finite.
    """
    if not np.isfinite(losses[0]):
        raise EarsightError("the loss is not finite from the first step: look at the data (`earsight check`)")
    smooth = _smoothed(losses)
    lowest = int(smooth.argmin())
    if smooth[lowest] > FALLEN * smooth[0]:
        raise EarsightError(f"the loss does not fall at any learning rate from {LOWEST:g} to {HIGHEST:g}: look at the "
                            "data (`earsight check`) or the model")
    risen = smooth[lowest:] > smooth[lowest] + RISEN * (smooth[0] - smooth[lowest])
    last = lowest + int(risen.argmax()) if risen.any() else len(smooth) - 1
    return float(rates[last]) / 10


def _smoothed(losses: Sequence[float], width: int = 3) -> np.ndarray:
    """Means under a Gaussian of `width` steps; unlike a running mean's, they do not lag."""
    finite = np.asarray(losses)[np.isfinite(losses)]
    finite = finite.clip(max=finite[:10].max())  # what runs away at the end would lift all before it
    at = np.arange(len(finite))
    weights = np.exp(-0.5 * ((at[:, None] - at) / width) ** 2)
    return weights @ finite / weights.sum(axis=1)


def _plot(rates: Sequence[float], losses: Sequence[float], suggested: float, path: Path) -> None:
    from matplotlib.figure import Figure  # slow to import, and no display is needed

    smooth = _smoothed(losses)
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(rates, losses, ".", color="0.7", label="each step")
    axes.plot(rates[:len(smooth)], smooth, label="smoothed")
    axes.axvline(suggested, color="tab:red", linestyle="--", label=f"suggested: {suggested:.2g}")
    axes.set_xscale("log")
    axes.set_ylim(0, 1.2 * smooth.max())  # what runs away would flatten the rest
    axes.set_xlabel("learning rate")
    axes.set_ylabel("training loss")
    axes.legend()
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
