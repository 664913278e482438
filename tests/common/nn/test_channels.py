"""Normalised channels against numpy's mean and deviation, and what becomes of gaps."""

import numpy as np
import pytest
import torch

from earsight.common.nn.channels import LIMIT, ChannelNormaliser

SIZES = np.array([1e-4, 1.0, 1e6])  # as channels of different units have them


@pytest.fixture
def series():
    rng = np.random.default_rng(1)
    made = [(SIZES * (rng.standard_normal((length, 3)) + [0, 5, 300])).astype(np.float32) for length in (40, 7, 300)]
    made[0][3:9, 1] = made[2][:, 2] = np.nan
    return made


def normalised(normaliser, values):
    return normaliser(torch.from_numpy(values)[None], torch.tensor([len(values)]))[0].numpy()


def test_statistics_are_those_of_all_values_there_are(series):
    normaliser = ChannelNormaliser(3)
    normaliser.fit(series)
    every = np.concatenate(series).astype(np.float64)
    np.testing.assert_allclose(normaliser.mean.numpy(), np.nanmean(every, axis=0), rtol=1e-5)
    np.testing.assert_allclose(normaliser.inverse.numpy(), 1 / np.nanstd(every, axis=0), rtol=1e-4)
    both = np.concatenate([normalised(normaliser, each) for each in series])
    values, gaps = both[:, :3], both[:, 3:].astype(bool)
    np.testing.assert_array_equal(gaps, np.isnan(every))
    for channel in range(3):
        there = values[~gaps[:, channel], channel]
        assert abs(there.mean()) < 1e-3 and abs(there.std() - 1) < 1e-3
    assert (values[gaps] == 0).all()


def test_a_channel_that_never_moves_is_left_out_whatever_it_is_later():
    normaliser = ChannelNormaliser(2)
    normaliser.fit([np.column_stack([np.full(50, 1013.25), np.arange(50)]).astype(np.float32)])
    values = normalised(normaliser, np.array([[99.0, 24.5], [1013.25, 1e9]], np.float32))
    np.testing.assert_allclose(values, [[0, 0, 0, 0], [0, LIMIT, 0, 0]], atol=1e-5)


def test_padding_is_nothing_and_changes_nothing(series):
    normaliser = ChannelNormaliser(3)
    normaliser.fit(series)
    batch = torch.zeros(2, 40, 3)
    batch[0], batch[1, :7], batch[1, 7:] = torch.from_numpy(series[0]), torch.from_numpy(series[1]), torch.nan
    together = normaliser(batch, torch.tensor([40, 7]))
    np.testing.assert_array_equal(together[1, :7].numpy(), normalised(normaliser, series[1]))
    assert (together[1, 7:] == 0).all()
