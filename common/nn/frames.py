"""Deltas and per-clip normalisation of feature frames of any origin: sound, picture or sensors."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from ..errors import EarsightError

NORMALISATIONS = ("none", "mean", "mean_variance", "set")
SETTLED = 1000  # batches after which running statistics are those of the last so many


class FrameNormaliser(nn.Module):
    """Append deltas and normalise each clip, by its own statistics or by those of the training set.

    Args:
        n_features: features a frame, as they come in.
        deltas: 0, 1 (velocity) or 2 (velocity and acceleration) derivatives to append.
        window: frames a delta is taken over, odd.
        normalise: "none", "mean" (subtract the clip's mean), "mean_variance" (divide by its deviation too), or "set"
            (each feature's mean and deviation over the clips that were trained on, as they went by).

    Outside of training a clip's result depends on its own frames alone: deltas repeat the clip's first and last frame
    outwards, its statistics are taken over its own length, and frames past its length come out as 0.
    """

    slope: Tensor
    batches: Tensor  # of these three, see "set"
    mean: Tensor
    square: Tensor

    def __init__(self, n_features: int, deltas: int = 0, window: int = 5, normalise: str = "mean_variance"):
        super().__init__()
        if normalise not in NORMALISATIONS:
            raise EarsightError(f"normalise {normalise!r} is unknown; choose one of {', '.join(NORMALISATIONS)}")
        if window % 2 == 0 or window < 3:
            raise EarsightError(f"a delta window of {window} frames has no centre; give an odd number from 3")
        self.deltas = deltas
        self.normalise = normalise
        self.n_input = n_features
        self.n_features = n_features * (1 + deltas)
        half = window // 2
        # Regression slope: sum n (c[t+n] - c[t-n]) / (2 sum n^2), Young et al., The HTK Book, eq. 5.16.
        slope = torch.arange(-half, half + 1, dtype=torch.float32)
        self.register_buffer("slope", (slope / slope.square().sum()).view(1, 1, -1), persistent=False)
        if normalise == "set":
            self.register_buffer("batches", torch.zeros(()))
            self.register_buffer("mean", torch.zeros(self.n_features))
            self.register_buffer("square", torch.ones(self.n_features))

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """(batch, time, n_input), lengths (batch,) -> (batch, time, n_features)."""
        mask = length_mask(lengths, frames.shape[1])
        parts = [frames]
        for _ in range(self.deltas):
            parts.append(self._delta(parts[-1], lengths))
        frames = torch.cat(parts, dim=-1)
        if self.normalise == "set":
            return self._by_set(frames, mask) * mask
        if self.normalise != "none":
            frames = frames - clip_mean(frames, lengths, mask)
        if self.normalise == "mean_variance":
            variance = clip_mean(frames.square(), lengths, mask)
            # The floor keeps digital silence at 0 and is far below the spread of any real sound.
            frames = frames / (variance + 1e-4).sqrt()
        return frames * mask

    def _by_set(self, frames: Tensor, mask: Tensor) -> Tensor:
        if self.training:
            inside = frames.detach() * mask
            sums = torch.stack([inside.sum(dim=(0, 1)), inside.square().sum(dim=(0, 1)),
                                mask.sum().expand(self.n_features)])
            if dist.is_initialized():
                dist.all_reduce(sums)
            finite = sums.isfinite().all()  # a broken clip's step is left out, and must not stay in the statistics
            self.batches += finite
            share = 1 / self.batches.clamp(1, SETTLED)
            for estimate, found in ((self.mean, sums[0]), (self.square, sums[1])):
                change = share * (found / sums[2].clamp(min=1) - estimate)
                estimate += torch.where(finite, change, 0.0)
        variance = self.square - self.mean.square()
        # The floor keeps a feature that hardly ever moves from becoming noise.
        return (frames - self.mean) / (variance.clamp(min=0) + 1e-4 * variance.mean() + 1e-8).sqrt()

    def _delta(self, frames: Tensor, lengths: Tensor) -> Tensor:
        batch, time, features = frames.shape
        half = self.slope.shape[-1] // 2
        # Each frame's neighbours by index, held inside the clip.
        index = torch.arange(-half, time + half, device=frames.device).unsqueeze(0)
        last = (lengths - 1).clamp(min=0).unsqueeze(1)
        index = torch.minimum(index.clamp(min=0).expand(batch, -1), last)
        padded = frames.gather(1, index.unsqueeze(-1).expand(-1, -1, features))
        columns = padded.transpose(1, 2).reshape(batch * features, 1, time + 2 * half)
        return nn.functional.conv1d(columns, self.slope).view(batch, features, time).transpose(1, 2)


def length_mask(lengths: Tensor, time: int) -> Tensor:
    """lengths (batch,) -> (batch, time, 1) float: 1 inside a clip, 0 in its padding."""
    return (torch.arange(time, device=lengths.device) < lengths.unsqueeze(1)).unsqueeze(-1).float()


def clip_mean(frames: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
    """Mean over each clip's own frames: (batch, time, feature) -> (batch, 1, feature)."""
    return (frames * mask).sum(dim=1, keepdim=True) / lengths.clamp(min=1).view(-1, 1, 1)


@dataclass(frozen=True)
class SequenceAugmentation:
    """Augmentation of stored frames.

    Attributes:
        tempo: largest relative change of speed.
        part: smallest part of a clip that is shown, as a share of it.
    """

    tempo: float = 0.0
    part: float = 1.0

    def __post_init__(self):
        if not 0 <= self.tempo < 1:
            raise EarsightError(f"augmentation.tempo {self.tempo:g}: give a share from 0 on, below 1")
        if not 0 <= self.part <= 1:
            raise EarsightError(f"augmentation.part {self.part:g}: give a share from 0 to 1")


def augment_sequence(frames: np.ndarray, settings: SequenceAugmentation, rng: np.random.Generator
                     ) -> tuple[np.ndarray, float]:
    """A part of frames (time, feature), drawn at random, at another speed; and how many times as fast it is."""
    length = max(1, round(len(frames) * rng.uniform(settings.part, 1)))
    first = int(rng.integers(len(frames) - length + 1))
    speed = 1 + settings.tempo * rng.uniform(-1, 1)
    return stretch_frames(frames[first:first + length], speed), speed


def stretch_frames(frames: np.ndarray, speed: float) -> np.ndarray:
    """Play frames `speed` times as fast: (time, feature) -> (time / speed, feature), interpolated linearly."""
    count = max(1, round(len(frames) / speed))
    position = np.linspace(0, len(frames) - 1, count)
    below = np.floor(position).astype(int)
    above = np.minimum(below + 1, len(frames) - 1)
    share = (position - below)[:, None].astype(np.float32)
    return frames[below] * (1 - share) + frames[above] * share
