"""Augmentation of speech: SpecAugment and vocal-tract warping on MFCC frames, speed and noise on clips."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..common.nn.frames import clip_mean, length_mask

SILENCE_DEPTH = 14.0  # dB below what is loud in a clip: rooms and breath are quieter, beginnings of words may be
LOWEST_NOISE = 30 / 16000  # cycles a sample, below which noise gets no louder: 30 Hz at 16 kHz


@dataclass(frozen=True)
class SpectrumSettings:
    """Augmentation of frames, on the batch's device.

    Attributes:
        warp: largest relative stretch of the frequency axis, for other lengths of the vocal tract.
        bands: frequency masks a clip.
        band_width: widest frequency mask, as a share of the mel bands.
        spans: time masks a second of sound.
        span_width: widest time mask, seconds.
    """

    warp: float = 0.12
    bands: int = 2
    band_width: float = 0.2
    spans: float = 0.7
    span_width: float = 0.15


def augment_cepstra(frames: Tensor, lengths: Tensor, dct: Tensor, centres: Tensor, frame_shift: float,
                    settings: SpectrumSettings) -> Tensor:
    """Warp and mask the spectra behind MFCC frames; masks take the clip's mean.

    Cepstra are a linear image of log mel energies, c = D L, so what happens to L, smoothed to what the cepstra
    keep, is a matrix on c: D M W D+ with W the warp (Jaitly and Hinton, 2013, vocal tract length
    perturbation) and M the mask of SpecAugment (Park et al., 2019). It needs no waveform.

    Args:
        frames: (batch, time, n_mfcc), lengths (batch,).
        dct: D, (n_mfcc, n_mels).
        centres: centre frequency of each mel band (n_mels,), in any unit, rising.
        frame_shift: seconds.
    """
    batch, time, n_mfcc = frames.shape
    device = frames.device
    mask = length_mask(lengths, time)
    mean = clip_mean(frames, lengths, mask)
    centred = (frames - mean).masked_fill(_spans(lengths, time, frame_shift, settings), 0.0)
    spectrum = warp_matrices(centres, 1 + settings.warp * (2 * torch.rand(batch, device=device) - 1))
    spectrum = spectrum.masked_fill(_bands(batch, len(centres), settings, device).unsqueeze(-1), 0.0)
    change = dct @ spectrum @ torch.linalg.pinv(dct)
    return (centred @ change.transpose(1, 2) + mean) * mask


def mask_frames(frames: Tensor, lengths: Tensor, frame_shift: float, settings: SpectrumSettings) -> Tensor:
    """SpecAugment's masks on frames whose features have no order: spans of time, and as many features as bands hide.

    Args:
        frames: (batch, time, feature), lengths (batch,).
        frame_shift: seconds.
    """
    batch, time, features = frames.shape
    mask = length_mask(lengths, time)
    mean = clip_mean(frames, lengths, mask)
    shares = settings.bands * settings.band_width / 2 * torch.rand(batch, 1, 1, device=frames.device)
    hidden = torch.rand(batch, 1, features, device=frames.device) < shares
    hidden = hidden | _spans(lengths, time, frame_shift, settings)
    return torch.where(hidden, mean, frames) * mask


def warp_matrices(centres: Tensor, factors: Tensor) -> Tensor:
    """Matrices that read a spectrum over bands at `centres` at `factor` times their frequency.

    (n_mels,), (batch,) -> (batch, n_mels, n_mels); frequencies past the last band take the last band.
    """
    n_mels = len(centres)
    wanted = (factors.unsqueeze(1) * centres).clamp(centres[0], centres[-1])
    upper = torch.searchsorted(centres, wanted.contiguous()).clamp(1, n_mels - 1)
    share = (wanted - centres[upper - 1]) / (centres[upper] - centres[upper - 1])
    eye = torch.eye(n_mels, device=centres.device)
    return eye[upper - 1] * (1 - share).unsqueeze(-1) + eye[upper] * share.unsqueeze(-1)


def _bands(batch: int, n_mels: int, settings: SpectrumSettings, device: torch.device) -> Tensor:
    if not settings.bands:
        return torch.zeros(batch, n_mels, dtype=torch.bool, device=device)
    width = torch.rand(batch, settings.bands, 1, device=device) * settings.band_width * n_mels
    start = torch.rand(batch, settings.bands, 1, device=device) * (n_mels - width)
    band = torch.arange(n_mels, device=device)
    return ((band >= start) & (band < start + width)).any(dim=1)


def _spans(lengths: Tensor, time: int, frame_shift: float, settings: SpectrumSettings) -> Tensor:
    seconds = lengths * frame_shift
    most = max(1, int(torch.ceil(seconds.max() * settings.spans))) if settings.spans else 1
    # As many masks as the longest clip takes; shorter clips keep theirs with a fitting chance.
    kept = torch.rand(len(lengths), most, 1, device=lengths.device) < (
        seconds * settings.spans / most).view(-1, 1, 1)
    width = torch.rand(len(lengths), most, 1, device=lengths.device) * settings.span_width / frame_shift
    start = torch.rand(len(lengths), most, 1, device=lengths.device) * lengths.view(-1, 1, 1) - width / 2
    position = torch.arange(time, device=lengths.device)
    return ((position >= start) & (position < start + width) & kept).any(dim=1).unsqueeze(-1)


def add_noise(waveform: np.ndarray, noise: np.ndarray, snr: float) -> np.ndarray:
    """Add `noise` (repeated or cut to the waveform's length) at a signal-to-noise ratio of `snr` dB."""
    noise = np.resize(noise, len(waveform))
    signal_power, noise_power = np.mean(waveform**2), np.mean(noise**2)
    if signal_power == 0 or noise_power == 0:
        return waveform
    scale = np.sqrt(signal_power / noise_power / 10 ** (snr / 10))
    return (waveform + scale * noise).astype(np.float32)


def outer_silence(waveforms: Tensor, lengths: Tensor, unit: int, time: int, margin: int) -> Tensor:
    """Where nobody speaks yet or any more in waveforms (batch, samples): (batch, time) of `unit` samples each.

    By their levels: SILENCE_DEPTH below what is loud in the clip, and more than `margin` units away from what is not.
    So nothing of a clip in noise is silent.
    """
    samples = waveforms[:, :time * unit]
    power = functional.pad(samples.square(), (0, time * unit - samples.shape[1])).unflatten(1, (time, unit)).mean(2)
    place = torch.arange(time, device=waveforms.device)
    inside = place < lengths[:, None] / unit
    loudest = torch.nanquantile(power.masked_fill(~inside, torch.nan), 0.95, dim=1, keepdim=True)
    loud = inside & (power > 10 ** (-SILENCE_DEPTH / 10) * loudest)
    first, last = loud.int().argmax(1), time - 1 - loud.flip(1).int().argmax(1)
    silent = (place < first[:, None] - margin) | (place > last[:, None] + margin)
    return silent & loud.any(1, keepdim=True)


def cut_quiet_ends(waveform: np.ndarray, window: int, depth: float) -> np.ndarray:
    """Cut both ends off up to where the power over `window` samples comes within `depth` dB of its largest.

    So are recordings cut that a loudness detector made, weak first and last sounds and all.
    """
    power = np.convolve(waveform.astype(np.float64) ** 2, np.ones(window), mode="same")
    heard = np.flatnonzero(power >= power.max() * 10 ** (-depth / 10))
    return waveform[heard[0] : heard[-1] + 1]


def coloured_noise(samples: int, slope: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of power 1 / f ** slope (0 white, 1 pink, 2 brown, -1 blue) and root mean square 1."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    frequency = np.maximum(np.fft.rfftfreq(samples), LOWEST_NOISE)
    noise = np.fft.irfft(spectrum * frequency ** (-slope / 2), samples)
    return (noise / max(np.sqrt(np.mean(noise**2)), 1e-12)).astype(np.float32)
