"""The model that is trained: frontend, normaliser, encoder and head under Lightning."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

import numpy as np
import pytorch_lightning as pl
import torch
from lhotse.cut import Cut
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from ..ctc import greedy
from ..data.cuts import frames_of
from ..data.datamodule import Batch, Clip, SequenceData, read_frames_cut
from ..errors import EarsightError
from ..labels import Labels
from ..metrics import ErrorCounts, character_errors, validation_metric, word_errors
from .channels import ChannelNormaliser
from .encoder import EncoderSettings, StreamEncoder, build_encoder
from .frames import FrameNormaliser
from .heads import ClassificationHead, CTCHead, StreamHeads
from .schedules import Constant, OneCycle, Plateau


@dataclass(frozen=True)
class NormaliserSettings:
    """What is done to frames before the encoder; see `common.nn.frames.FrameNormaliser`."""

    deltas: int = 0
    window: int = 5
    normalise: str = "mean_variance"


@dataclass(frozen=True)
class OptimiserSettings:
    """AdamW with a learning rate that rises linearly, then follows a schedule.

    Attributes:
        learning_rate: the peak.
        weight_decay: of matrices; biases are left alone.
        warmup: share of all steps in which the rate rises.
        schedule: after that: "one_cycle", a cosine to nearly zero; "plateau", times `factor` whenever more than
            `patience` validations in a row had no better val_wer (or val_accuracy); "constant".
        factor, patience: of "plateau".
    """

    learning_rate: float = 1.5e-3
    weight_decay: float = 0.01
    warmup: float = 0.15
    schedule: Literal["one_cycle", "plateau", "constant"] = "one_cycle"
    factor: float = 0.5
    patience: int = 3


class SequenceModel(pl.LightningModule):
    """Encoder and head over frames that come stored; mediums add the frontend that makes frames.

    Args:
        labels: what the outputs mean, as `Labels.to_dict` writes it; under the command line, the data's.
        auxiliary_labels: a second CTC alphabet that is learnt from `auxiliary_layer`, or none.
        n_features: features of a stored frame; a frontend sets its own.
        frame_shift: seconds between two stored frames; a frontend sets its own.
        normaliser, encoder, optimiser: see their classes.
        auxiliary_weight: share of the auxiliary loss.
        auxiliary_layer: encoder layer (from 1) the auxiliary labels are read from.
        head_dropout: share of the head's input dropped.
    """

    medium = "frames"

    def __init__(self, labels: dict, auxiliary_labels: dict | None = None, n_features: int = 13,
                 frame_shift: float = 0.01, normaliser: NormaliserSettings = NormaliserSettings(),
                 encoder: EncoderSettings = EncoderSettings(), optimiser: OptimiserSettings = OptimiserSettings(),
                 auxiliary_weight: float = 0.3, auxiliary_layer: int = 2, head_dropout: float = 0.2):
        super().__init__()
        self.labels = Labels.from_dict(labels)
        self.auxiliary_labels = Labels.from_dict(auxiliary_labels) if auxiliary_labels else None
        self.settings = {
            "n_features": n_features, "frame_shift": frame_shift, "normaliser": asdict(normaliser),
            "encoder": asdict(encoder), "optimiser": asdict(optimiser), "auxiliary_weight": auxiliary_weight,
            "auxiliary_layer": auxiliary_layer, "head_dropout": head_dropout,
        }
        self.optimiser = optimiser
        self.auxiliary_weight = auxiliary_weight
        self.auxiliary_layer = auxiliary_layer
        self.normaliser = self.make_normaliser(n_features, normaliser)
        self.encoder = build_encoder(self.normaliser.n_features, encoder)
        head = ClassificationHead if self.labels.kind == "classes" else CTCHead
        if isinstance(self.encoder, StreamEncoder):
            head = partial(StreamHeads, head, [each.n_output for each in self.encoder.each()],
                           weighted=encoder.weighted)
        self.head = head(self.encoder.n_output, len(self.labels), head_dropout)
        self.auxiliary_head = None
        if self.auxiliary_labels:
            if not 1 <= auxiliary_layer <= encoder.layers:
                raise EarsightError(f"model.auxiliary_layer {auxiliary_layer} is not one of the "
                                    f"{encoder.layers} layers")
            if encoder.joint and auxiliary_layer <= encoder.layers - encoder.joint:
                raise EarsightError(f"model.auxiliary_layer {auxiliary_layer} is one of each stream's own; give one of "
                                    f"the upper {encoder.joint} (encoder.joint)")
            self.auxiliary_head = CTCHead(self.encoder.n_output, len(self.auxiliary_labels), head_dropout)

    @staticmethod
    def make_normaliser(n_features: int, settings: NormaliserSettings) -> FrameNormaliser | ChannelNormaliser:
        """What is done to frames of `n_features` before the encoder."""
        return FrameNormaliser(n_features, **asdict(settings))

    def frames(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Feature frames of every clip of a batch, in its order: (batch, time, feature), lengths."""
        return batch.frames, batch.frame_lengths

    def reader(self) -> Callable[[Cut], Clip]:
        """A function that reads what `frames` takes of a clip; it does not hold the model."""
        return read_frames_cut

    def augment(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """What a medium does to frames in training."""
        return frames

    @property
    def n_stored(self) -> int:
        """Features of a stored frame."""
        return self.normaliser.n_input

    def count_frames(self, cut: Cut) -> int:
        """How many input frames a clip of a manifest gives.

        Raises:
            EarsightError: it has no stored frames, or they are of another width than the model's.
        """
        frames = frames_of(cut)
        if frames is None:
            raise EarsightError(f"{cut.id}: has no stored frames; prepare them, or use a recipe that reads recordings")
        width = frames.shape[1]
        if width != self.n_stored:
            raise EarsightError(f"{cut.id}: {width} features a frame, and the model takes {self.n_stored}")
        return round(cut.duration / frames.frame_shift)

    def on_fit_start(self) -> None:
        """Look for targets that cannot be learnt before any time is spent: outside the labels, or too long.

        Notes how long the clips are, bar one in a thousand, for the model folder.

        Raises:
            EarsightError: names the clips.
        """
        data = _data_of(self.trainer)
        too_long, seconds = [], []
        for split in ("train", "validation"):
            for cut in data.cuts(split):
                try:
                    needed = self.labels.minimum_frames(self.labels.encode(data.target_of(cut)))
                except EarsightError as error:
                    raise EarsightError(f"{cut.id} ({split}): {error}") from error
                given = self.encoder.output_lengths(self.count_frames(cut))
                if split == "train":
                    seconds.append(cut.duration)
                if split == "train" and self.labels.kind != "classes" and needed > given:
                    too_long.append(f"{cut.id}: its target needs {needed} output frames and it has {given}")
        if too_long:
            more = f" (and {len(too_long) - 3} more clips)" if len(too_long) > 3 else ""
            raise EarsightError(f"{'; '.join(too_long[:3])}{more}; `earsight check` lists them: leave them out, "
                                "correct their texts, or give a smaller model.encoder.stride")
        self.settings["longest_clip"] = round(float(np.quantile(seconds, 0.999)), 2)

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Frames (batch, time, feature) -> log-probabilities (batch, time / stride, n_labels) or logits
        (batch, n_labels), and the lengths in output frames."""
        hidden, lengths = self._encode(frames, lengths)
        return self.head(hidden[-1], lengths), lengths

    def training_step(self, batch: Batch, _: int) -> Tensor:
        with torch.autocast(self.device.type, enabled=False):
            frames, lengths = self.frames(batch)
            frames = self.augment(frames, lengths)
        hidden, lengths = self._encode(frames, lengths)
        outputs, loss = self.head.learn(hidden[-1], lengths, batch.targets, batch.target_lengths)
        self.log("train_loss", loss, prog_bar=True, batch_size=len(batch.ids))
        if self.labels.kind != "classes":
            self.log("train_blank", _blank_share(outputs, lengths), batch_size=len(batch.ids))
        if self.auxiliary_head is not None:
            lower = self.auxiliary_head(hidden[self.auxiliary_layer - 1], lengths)
            auxiliary = self.auxiliary_head.loss(lower, lengths, batch.auxiliary, batch.auxiliary_lengths)
            self.log("train_auxiliary_loss", auxiliary, batch_size=len(batch.ids))
            loss = (1 - self.auxiliary_weight) * loss + self.auxiliary_weight * auxiliary
        loss = loss + self.further_loss(batch, outputs, lengths)
        # The factor is 1, and NaN for a loss that is not finite, so that no gradient of such a loss is.
        return loss * batch.weight * (1 + 0 * loss.detach())

    def further_loss(self, batch: Batch, outputs: Tensor, lengths: Tensor) -> Tensor | float:
        """What a medium asks of the outputs besides, in training."""
        return 0.0

    def on_validation_epoch_start(self) -> None:
        self._words, self._characters = ErrorCounts(0, 0, 0, 0), ErrorCounts(0, 0, 0, 0)
        self._loss, self._clips, self._right = 0.0, 0, 0

    def validation_step(self, batch: Batch, _: int) -> None:
        if not batch.weight:  # another process counts this clip
            return
        outputs, lengths = self.predict_step(batch)
        loss = self.head.loss(outputs, lengths, batch.targets, batch.target_lengths)
        self._loss += float(loss) * len(batch.ids)
        self._clips += len(batch.ids)
        for reference, hypothesis in zip(batch.references, self.decode(outputs, lengths)):
            self._right += reference == hypothesis
            self._words += word_errors(reference, hypothesis)
            self._characters += character_errors(reference, hypothesis)

    def on_validation_epoch_end(self) -> None:
        # Edits, words and clips are summed over the set and over processes before anything is divided.
        sums = torch.tensor([self._loss, self._clips, self._right, self._words.edits, self._words.reference_length,
                             self._characters.edits, self._characters.reference_length], device=self.device)
        loss, clips, right, edits, words, char_edits, chars = self.trainer.strategy.reduce(
            sums, reduce_op="sum").tolist()
        # The same in every process by now; `sync_dist` tells Lightning so.
        self.log("val_loss", loss / clips, prog_bar=True, sync_dist=True)
        score = right / clips if self.labels.kind == "classes" else edits / max(words, 1)
        self.log(validation_metric(self.labels.kind)[0], score, prog_bar=True, sync_dist=True)
        if self.labels.kind != "classes":
            self.log("val_cer", char_edits / max(chars, 1), sync_dist=True)
        # Here, before checkpoints are saved, and not by Lightning, after: a run that goes on finds it done.
        if self.trainer.state.fn == "fit" and not self.trainer.sanity_checking and isinstance(self.schedule, Plateau):
            self.schedule.observe(score)

    on_test_epoch_start, test_step, on_test_epoch_end = (
        on_validation_epoch_start, validation_step, on_validation_epoch_end)

    def predict_step(self, batch: Batch, _: int = 0) -> tuple[Tensor, Tensor]:
        """Log-probabilities or logits of a batch, as `forward` gives them."""
        with torch.autocast(self.device.type, enabled=False):
            frames, lengths = self.frames(batch)
        return self(frames, lengths)

    def decode(self, outputs: Tensor, lengths: Tensor) -> list[str]:
        """Text or class name of each clip."""
        arrays = outputs.float().cpu().numpy()
        if self.labels.kind == "classes":
            return [self.labels.symbols[i] for i in arrays.argmax(axis=-1)]
        return [self.labels.decode(greedy(clip[:length])[0]) for clip, length in zip(arrays, lengths.tolist())]

    def name_of(self, name: str, medium: str) -> str:
        """What a tensor of a checkpoint of some medium is called in this model, which may start from it."""
        return name

    def learning_rates(self) -> list[tuple[list[nn.Parameter], float]]:
        """Parameters with their share of the learning rate; what is not listed is not trained."""
        return [(list(self.parameters()), 1.0)]

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        groups = []
        for parameters, share in self.learning_rates():
            for decay, chosen in ((self.optimiser.weight_decay, [p for p in parameters if p.ndim > 1]),
                                  (0.0, [p for p in parameters if p.ndim <= 1])):
                groups.append({"params": chosen, "weight_decay": decay, "lr": self.optimiser.learning_rate * share})
        optimizer = torch.optim.AdamW([group for group in groups if group["params"]])
        self.schedule = self._schedule()
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self.schedule)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint["earsight"] = {
            "medium": self.medium, "settings": self.settings, "labels": self.labels.to_dict(),
            "auxiliary_labels": self.auxiliary_labels.to_dict() if self.auxiliary_labels else None}

    def _encode(self, frames: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        with torch.autocast(frames.device.type, enabled=False):
            frames = self.normaliser(frames, lengths)
        return self.encoder(frames, lengths)

    def _schedule(self) -> OneCycle | Plateau | Constant:
        o, total = self.optimiser, self._total_steps()
        if o.schedule == "plateau":
            return Plateau(total, o.warmup, validation_metric(self.labels.kind)[1], o.factor, o.patience)
        return (OneCycle if o.schedule == "one_cycle" else Constant)(total, o.warmup)

    def _total_steps(self) -> int:
        """Of the run; at least 1. Raises EarsightError where the schedule needs it and nobody can know."""
        trainer = self.trainer
        if trainer.max_steps > 0:
            return trainer.max_steps
        if trainer.max_epochs is None or trainer.max_epochs < 0:  # only its time ends the run, or nothing does
            if self.optimiser.schedule == "one_cycle" or self.optimiser.warmup:
                raise EarsightError("the learning rate's schedule is over all steps, and nothing says how many there "
                                    "are; give --trainer.max_epochs or --trainer.max_steps too, or "
                                    "--model.optimiser.schedule constant --model.optimiser.warmup 0")
            return 1
        steps = math.ceil(_data_of(trainer).batches("train") / trainer.accumulate_grad_batches)
        return max(1, steps * trainer.max_epochs)


def _data_of(trainer: pl.Trainer) -> SequenceData:
    # Lightning sets it from without, so that its `Trainer` does not declare it.
    return getattr(trainer, "datamodule")


def _blank_share(log_probs: Tensor, lengths: Tensor) -> Tensor:
    inside = torch.arange(log_probs.shape[1], device=lengths.device) < lengths.unsqueeze(1)
    return (log_probs.argmax(dim=-1)[inside] == 0).float().mean()
