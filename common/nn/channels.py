"""Normalisation of channels with gaps, by statistics of the training set."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from .frames import length_mask

LIMIT = 10.0  # standard deviations: a sensor's spike says no more than that it is one
FLAT = 1e-6  # share of a channel's size that its deviation must exceed, for float32 to hold more of it than rounding


class ChannelNormaliser(nn.Module):
    """Each channel less its mean, over its deviation in the training set, and beside it whether it is missing.

    A gap (NaN) becomes 0, the channel's mean, and 1 in a feature of its own: "zero-imputation" with indicators
    (Lipton, Kale and Wetzel, 2016, Directly Modeling Missing Data in Sequences with RNNs). A channel that never moved
    in training is left out, as 0.

    Args:
        n_channels: channels, as they come in.
    """

    mean: Tensor
    inverse: Tensor  # 1 / standard deviation; 0 for a channel that is left out

    def __init__(self, n_channels: int):
        super().__init__()
        self.n_input = n_channels
        self.n_features = 2 * n_channels
        self.register_buffer("mean", torch.zeros(n_channels))
        self.register_buffer("inverse", torch.ones(n_channels))

    def fit(self, series: Iterable[np.ndarray]) -> None:
        """Take mean and deviation of all values that series (time, channel) have; NaN are none."""
        shift = None  # the first values: sums of squares of what is far from 0 would lose the deviation
        count, total, square = (np.zeros(self.n_input) for _ in range(3))
        for values in series:
            values = np.asarray(values, np.float64)
            there = np.isfinite(values)
            if shift is None:
                shift = np.where(there, values, 0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
            moved = np.where(there, values - shift, 0)
            count += there.sum(axis=0)
            total += moved.sum(axis=0)
            square += np.square(moved).sum(axis=0)
        if shift is None:
            return
        known = np.maximum(count, 1)
        mean = total / known
        deviation = np.sqrt(np.maximum(square / known - mean**2, 0))
        moves = deviation > FLAT * np.abs(shift + mean)
        inverse = np.where(moves, 1 / np.where(moves, deviation, 1), 0)
        self.mean.copy_(torch.from_numpy(shift + mean))
        self.inverse.copy_(torch.from_numpy(inverse))

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """(batch, time, n_channels) with NaN in gaps, lengths (batch,) -> (batch, time, 2 n_channels)."""
        gaps = torch.isnan(frames)
        zeros = torch.zeros_like(frames)
        values = ((torch.where(gaps, zeros, frames) - self.mean) * self.inverse).clamp(-LIMIT, LIMIT)
        both = torch.cat([torch.where(gaps, zeros, values), gaps.to(values.dtype)], dim=-1)
        return both * length_mask(lengths, frames.shape[1])
