"""Deltas and normalisation against torchaudio and plain statistics, clip by clip."""

import pytest
import torch
import torchaudio

from earsight.common.errors import EarsightError
from earsight.common.nn.frames import FrameNormaliser

LENGTHS = torch.tensor([20, 50, 3, 1])


def clips() -> torch.Tensor:
    torch.manual_seed(1)
    return 5 * torch.randn(4, 50, 7) + 3


@pytest.mark.parametrize("window", [3, 5, 9])
@pytest.mark.parametrize("deltas", [1, 2])
def test_deltas_equal_torchaudio(window, deltas):
    x = clips()
    y = FrameNormaliser(7, deltas, window, "none")(x, LENGTHS)
    for i, n in enumerate(LENGTHS.tolist()):
        expected = [x[i, :n].T]
        for _ in range(deltas):
            expected.append(torchaudio.functional.compute_deltas(expected[-1], window))
        torch.testing.assert_close(y[i, :n], torch.cat(expected).T, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("normalise", ["none", "mean", "mean_variance"])
def test_a_clip_alone_equals_the_clip_in_a_batch(normalise):
    x = clips()
    normaliser = FrameNormaliser(7, 2, 5, normalise)
    together = normaliser(x, LENGTHS)
    for i, n in enumerate(LENGTHS.tolist()):
        alone = normaliser(x[i:i + 1, :n], LENGTHS[i:i + 1])
        torch.testing.assert_close(alone[0], together[i, :n], atol=1e-5, rtol=1e-5)
        assert together[i, n:].abs().sum() == 0


def test_statistics():
    y = FrameNormaliser(7)(clips(), LENGTHS)[1]
    torch.testing.assert_close(y.mean(0), torch.zeros(7), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.std(0, unbiased=False), torch.ones(7), atol=1e-3, rtol=0)


def test_constant_frames_become_zero():
    assert FrameNormaliser(7)(torch.full((1, 9, 7), -9.2), torch.tensor([9])).abs().max() < 1e-3


def test_bad_settings():
    with pytest.raises(EarsightError, match="mean_variance"):
        FrameNormaliser(7, normalise="global")
    with pytest.raises(EarsightError, match="odd"):
        FrameNormaliser(7, window=4)


def test_the_sets_statistics_are_learnt_and_kept():
    torch.manual_seed(4)
    normaliser = FrameNormaliser(3, normalise="set").train()
    scale, shift = torch.tensor([1.0, 50.0, 0.0]), torch.tensor([0.0, -7.0, 2.0])
    for _ in range(300):
        frames, lengths = torch.randn(4, 20, 3) * scale + shift, torch.tensor([20, 5, 1, 12])
        frames[1, 5:] = 1e6  # padding is not seen
        normaliser(frames, lengths)
    normaliser.eval()
    before = normaliser.mean.clone()
    found = normaliser(torch.randn(1, 5000, 3) * scale + shift, torch.tensor([5000]))[0]
    torch.testing.assert_close(found.mean(0), torch.zeros(3), atol=0.05, rtol=0)
    torch.testing.assert_close(found.std(0), torch.tensor([1.0, 1.0, 0.0]), atol=0.1, rtol=0)
    assert torch.equal(normaliser.mean, before)


def test_a_broken_clip_does_not_stay_in_the_sets_statistics():
    torch.manual_seed(5)
    frames, lengths = torch.randn(2, 20, 3), torch.tensor([20, 20])
    broken = frames.clone()
    broken[0, 3, 1] = float("nan")
    normaliser, other = (FrameNormaliser(3, normalise="set").train() for _ in range(2))
    for batch in (broken, frames, broken):
        normaliser(batch, lengths)
    other(frames, lengths)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in normaliser.state_dict().items())
