"""What augmentation does to frames and clips, by values known beforehand."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from earsight.audio.augmentation import (
    SpectrumSettings,
    add_noise,
    augment_cepstra,
    coloured_noise,
    cut_quiet_ends,
    outer_silence,
    warp_matrices,
)
from earsight.audio.frontends.mfcc import Mfcc
from earsight.audio.frontends.mfcc_settings import preset
from earsight.audio.model import SpeechModel
from earsight.common.data.datamodule import make_batch
from earsight.common.nn.encoder import EncoderSettings
from earsight.common.nn.frames import stretch_frames

MFCC = Mfcc(preset("an4"))
NOTHING = SpectrumSettings(warp=0, bands=0, spans=0)


def augment(frames, lengths, settings, seed=1):
    torch.manual_seed(seed)
    return augment_cepstra(frames, lengths, MFCC.dct, MFCC.mel_centres, 0.01, settings)


def clips():
    torch.manual_seed(3)
    lengths = torch.tensor([300, 120])
    frames = torch.randn(2, 300, 13) + 4
    frames[1, 120:] = 0
    return frames, lengths


def test_nothing_asked_changes_nothing():
    frames, lengths = clips()
    torch.testing.assert_close(augment(frames, lengths, NOTHING), frames, atol=1e-4, rtol=0)


def test_time_masks_take_the_clips_mean_and_keep_the_rest():
    frames, lengths = clips()
    out = augment(frames, lengths, SpectrumSettings(warp=0, bands=0, spans=2, span_width=0.2))
    for i, n in enumerate(lengths.tolist()):
        changed = (out[i, :n] - frames[i, :n]).abs().amax(-1) > 1e-3
        assert 0 < changed.sum() <= 0.2 * 2 * n + 40
        mean = frames[i, :n].mean(0)
        torch.testing.assert_close(out[i, :n][changed], mean.expand(int(changed.sum()), -1), atol=1e-3, rtol=0)
    assert out[1, 120:].abs().max() == 0


def test_band_masks_flatten_bands_of_the_spectrum():
    lengths = torch.tensor([200])
    torch.manual_seed(0)
    frames = torch.randn(1, 200, 13)
    out = augment(frames, lengths, SpectrumSettings(warp=0, bands=1, band_width=0.4, spans=0), seed=5)
    back = torch.linalg.pinv(MFCC.dct)
    before = (frames - frames.mean(1, keepdim=True)) @ back.T
    after = (out - out.mean(1, keepdim=True)) @ back.T
    share = after.var(1) / before.var(1)
    assert share.min() < 0.25 and share.max() > 0.9


def test_warping_moves_a_peak_to_the_scaled_frequency():
    centres = MFCC.mel_centres
    for factor in (0.88, 1.0, 1.12):
        matrix = warp_matrices(centres, torch.tensor([factor]))[0]
        torch.testing.assert_close(matrix.sum(1), torch.ones(40), atol=1e-4, rtol=0)
        # A spectrum that is its own frequency reads, after warping, factor times it.
        expected = (factor * centres).clamp(centres[0], centres[-1])
        torch.testing.assert_close(matrix @ centres, expected, rtol=1e-4, atol=1e-2)


def test_settings_reach_every_clip_differently():
    frames, lengths = clips()
    frames = torch.stack([frames[0], frames[0]])
    out = augment(frames, torch.tensor([300, 300]), SpectrumSettings())
    assert (out[0] - out[1]).abs().max() > 0.1


@pytest.mark.parametrize("speed", [0.8, 1.0, 1.25])
def test_stretched_frames(speed):
    ramp = np.arange(101, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)
    out = stretch_frames(ramp, speed)
    assert out.dtype == np.float32 and out.shape == (round(101 / speed), 3)
    assert out[0, 0] == 0 and out[-1, 0] == 100
    assert np.allclose(np.diff(out[:, 0]), 100 / (len(out) - 1), atol=1e-3)


def test_noise_has_the_asked_ratio():
    rng = np.random.default_rng(1)
    speech = rng.standard_normal(16000).astype(np.float32) * 0.1
    noisy = add_noise(speech, coloured_noise(4000, 1.0, rng), snr=12)
    ratio = 10 * np.log10(np.mean(speech**2) / np.mean((noisy - speech) ** 2))
    assert ratio == pytest.approx(12, abs=0.01) and noisy.dtype == np.float32
    assert np.array_equal(add_noise(np.zeros(10, np.float32), np.ones(5, np.float32), 0), np.zeros(10))


@pytest.mark.parametrize("depth, kept", [(10, slice(2000, 4000)), (30, slice(1000, 4000)), (50, slice(1000, 5000)),
                                          (70, slice(0, 6000))])
def test_quiet_ends_are_cut_off_to_a_depth(depth, kept):
    levels = np.repeat([1e-3, 0.1, 1.0, 1.0, 10 ** -2, 1e-3], 1000)  # -60, -20, 0, 0, -40, -60 dB
    sound = (levels * np.tile([1.0, -1.0], 3000)).astype(np.float32)
    cut = cut_quiet_ends(sound, 10, depth)
    assert abs(len(cut) - len(sound[kept])) <= 10 and cut.dtype == np.float32
    assert np.array_equal(cut_quiet_ends(np.zeros(50, np.float32), 10, depth), np.zeros(50))


@pytest.mark.parametrize("slope", [-1, 0, 1, 2])
def test_coloured_noise_has_its_slope(slope):
    power = np.abs(np.fft.rfft(coloured_noise(160000, slope, np.random.default_rng(0)))) ** 2
    # From 1-2 kHz to 2-4 kHz: an octave is 3 dB a unit of slope.
    ratio = power[10000:20000].mean() / power[20000:40000].mean()
    assert ratio == pytest.approx(2.0**slope, rel=0.06)


def test_silence_is_what_lies_before_and_behind_what_is_said():
    """Ten units of 100 samples: a tone with weak sound beside it and a gap; a shorter clip, weak and loud; none."""
    sound = torch.zeros(3, 1000)
    sound[0, 300:700] = torch.sin(torch.arange(400.0))
    sound[0, 500:600] = 0  # between words nothing is said either, and labels may stand there
    sound[0, 700:800] = 0.3 * torch.sin(torch.arange(100.0))  # 10 dB below
    sound[1, :600] = torch.sin(torch.arange(600.0)) * torch.tensor([0.3, 1.0]).repeat_interleave(300)
    lengths = torch.tensor([1000, 600, 1000])
    silent = outer_silence(sound, lengths, 100, 12, margin=1)  # a frame may be there behind the last sample
    assert np.flatnonzero(silent[0]).tolist() == [0, 1, 9, 10, 11]
    assert np.flatnonzero(silent[1]).tolist() == [7, 8, 9, 10, 11]
    assert not silent[2].any()
    assert torch.equal(outer_silence(sound, lengths, 100, 9, margin=1), silent[:, :9])


def test_labels_where_nobody_speaks_cost():
    labels = {"kind": "characters", "symbols": ["<blank>", "|", "a"]}
    encoder = EncoderSettings(hidden=4, layers=1, channels=4, stride=2)
    model = SpeechModel(labels, mfcc="an4", encoder=encoder, silence=2.0)
    sound = torch.zeros(1, 16000)
    sound[0, 6400:9600] = 0.5 * torch.sin(torch.arange(3200) * 0.3)
    batch = make_batch([(SimpleNamespace(id="tone", duration=1.0), sound[0].numpy())])
    batch = replace(batch, targets=torch.tensor([2]), target_lengths=torch.tensor([1]))

    def loss(place, model=model):
        outputs = torch.full((1, 50, 3), -8.0)
        outputs[..., 0] = 0.0
        outputs[0, place] = torch.tensor([-8.0, -8.0, 0.0])
        return float(model.further_loss(batch, outputs.log_softmax(-1), torch.tensor([50])))

    assert loss(25) < 0.2  # at 0.5 s, in the tone
    assert loss(48) > 5 * loss(25) and loss(2) > 5 * loss(25)
    assert loss(48, SpeechModel(labels, mfcc="an4", encoder=encoder)) == 0
    stored = make_batch([(SimpleNamespace(id="frames", duration=1.0), np.zeros((100, 13), np.float32))])
    assert model.further_loss(stored, torch.zeros(1, 50, 3), torch.tensor([50])) == 0
