"""A linear classifier on the mean of a clip's frames: what few clips can teach over frames that others have trained.

The loss is convex and is brought to its minimum at once: there is neither a rate nor a number of epochs to choose.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data.datamodule import Batch
from ..errors import EarsightError
from .encoder import EncoderSettings
from .frames import clip_mean, length_mask
from .heads import ClassificationHead, StreamHeads
from .module import NormaliserSettings, SequenceModel
from .schedules import Constant

ITERATIONS = 15, 100  # of L-BFGS at least and at most; some thirty serve as a rule
WORK = 1e11  # multiplications that it is given, so that many clips of many classes take a minute
FLOOR = 1e-3  # of a feature's deviation, as a share of the mean one: what never moves says nothing


def fit_linear(features: np.ndarray, targets: np.ndarray, classes: int, l2: float) -> tuple[np.ndarray, np.ndarray]:
    """Multinomial logistic regression with an L2 penalty (Hastie et al., 2009, sections 4.4 and 18.3.2).

    Args:
        features: (clip, feature); they are standardised here.
        targets: (clip,) from 0 to `classes` - 1.
        l2: weight of the sum of squares of the weights, which are those of the standardised features, beside the mean
            cross-entropy.

    Returns:
        Weights (classes, feature) and biases (classes,) for features as they are.
    """
    head = nn.Linear(features.shape[1], classes)
    centre, spread = _standard(torch.from_numpy(features))
    standard, labels = (torch.from_numpy(features) - centre) / spread, torch.from_numpy(targets).long()
    optimizer = _solver(head)
    _limit(optimizer, standard, classes)

    def closure() -> float:
        optimizer.zero_grad()
        loss = _objective(head, standard, labels, l2)
        loss.backward()
        return float(loss.detach())

    optimizer.step(closure)
    _unstandardise(head, centre, spread)
    return head.weight.detach().numpy(), head.bias.detach().numpy()


class LinearModel(SequenceModel):
    """Logits that are linear in the mean of a clip's stored frames; of several streams, the mean of what each says.

    `train fit` goes through the clips once and solves for the weights at the end, exactly as `fit_linear` does. Its
    checkpoint is a `SequenceModel`'s without recurrent layers. Needs `trainer.max_epochs: 1` and
    `trainer.gradient_clip_val: null`.

    Args:
        labels: "classes".
        n_features, frame_shift: of a stored frame.
        streams: widths of the parts that a frame's features fall into; none: one.
        l2: see `fit_linear`.
    """

    def __init__(self, labels: dict, auxiliary_labels: dict | None = None, n_features: int = 384,
                 frame_shift: float = 0.02, streams: tuple[int, ...] = (), l2: float = 0.01):
        encoder = EncoderSettings(layers=0, channels=0, stride=1, streams=tuple(streams) if len(streams) > 1 else ())
        super().__init__(labels, auxiliary_labels, n_features, frame_shift, NormaliserSettings(normalise="none"),
                         encoder, head_dropout=0.0)
        if self.labels.kind != "classes":
            raise EarsightError("a LinearModel names classes; give --data.labels classes, or a model that writes text")
        self.automatic_optimization = False
        self.l2 = l2
        self._means: list[Tensor] = []
        self._targets: list[Tensor] = []
        for head in self._heads():
            # Scores of 0 give each frame the same weight: what is pooled is the mean.
            nn.init.zeros_(head.score.weight)
            nn.init.zeros_(head.score.bias)
            head.score.requires_grad_(False)

    def on_train_epoch_start(self) -> None:
        self._means, self._targets = [], []

    def training_step(self, batch: Batch, _: int) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        frames, lengths = self.frames(batch)
        self._means.append(clip_mean(frames, lengths, length_mask(lengths, frames.shape[1])).squeeze(1))
        self._targets.append(batch.targets)
        if self.trainer.is_last_batch:
            self._solve(torch.cat(self._means), torch.cat(self._targets))

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.schedule = Constant(1, 0.0)
        return [_solver(head.output) for head in self._heads()]

    def _solve(self, means: Tensor, targets: Tensor) -> None:
        """Each stream alone, as `StreamHeads` has them learn."""
        found = self.optimizers()
        losses = []
        parts = means.split([head.output.in_features for head in self._heads()], dim=1)
        for head, features, optimizer in zip(self._heads(), parts, found if isinstance(found, list) else [found]):
            centre, spread = _standard(features)
            standard = (features - centre) / spread
            _limit(optimizer, standard, len(self.labels))

            def closure() -> Tensor:
                optimizer.zero_grad()
                loss = _objective(head.output, standard, targets, self.l2)
                self.manual_backward(loss)
                return loss

            optimizer.step(closure)
            with torch.no_grad():
                losses.append(_objective(head.output, standard, targets, self.l2))
            _unstandardise(head.output, centre, spread)
        self.log("train_loss", torch.stack(losses).mean(), batch_size=len(targets))

    def _heads(self) -> list[ClassificationHead]:
        heads = self.head.heads if isinstance(self.head, StreamHeads) else [self.head]
        return [head for head in heads if isinstance(head, ClassificationHead)]


def _standard(features: Tensor) -> tuple[Tensor, Tensor]:
    """Each feature's mean and deviation."""
    spread = features.std(dim=0, unbiased=False)
    return features.mean(dim=0), spread + FLOOR * spread.mean() + 1e-8


def _unstandardise(layer: nn.Linear, centre: Tensor, spread: Tensor) -> None:
    """Make a layer of standardised features one of features as they are."""
    with torch.no_grad():
        layer.weight.div_(spread)
        layer.bias.sub_(layer.weight @ centre)


def _objective(layer: nn.Linear, features: Tensor, targets: Tensor, l2: float) -> Tensor:
    return nn.functional.cross_entropy(layer(features), targets) + l2 * layer.weight.square().sum()


def _solver(layer: nn.Linear) -> torch.optim.Optimizer:
    """L-BFGS from weights of 0."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return torch.optim.LBFGS(layer.parameters(), line_search_fn="strong_wolfe")


def _limit(optimizer: Any, features: Tensor, classes: int) -> None:
    """Have a solver stop in time."""
    least, most = ITERATIONS
    of_one = 6 * features.numel() * classes  # forward and backward, of two evaluations at most
    optimizer.param_groups[0]["max_iter"] = int(min(max(WORK / of_one, least), most))
