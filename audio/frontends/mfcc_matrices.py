"""The constants of an MFCC front end: window, mel filters, cosine transform. In numpy, float64."""

import numpy as np

from ...common.errors import EarsightError
from .mfcc_settings import MfccSettings


def window(settings: MfccSettings) -> np.ndarray:
    """(window_length,), float64; Kaldi's feature-window.cc has the formula of povey."""
    length = settings.window_length
    turn = 2 * np.pi * np.arange(length) / max(length if settings.periodic_window else length - 1, 1)
    if length == 1 or settings.window == "rectangular":
        return np.ones(length)
    if settings.window == "hamming":
        return 0.54 - 0.46 * np.cos(turn)
    if settings.window == "blackman":
        return 0.42 - 0.5 * np.cos(turn) + 0.08 * np.cos(2 * turn)
    hann = 0.5 - 0.5 * np.cos(turn)
    return hann if settings.window == "hann" else hann**0.85


def mel_corners(settings: MfccSettings) -> np.ndarray:
    """(n_mels + 2,), Hz, rising: a band stands on its corner, between the two beside it."""
    low, high = _to_mel(np.array([settings.low_frequency, settings.top_frequency]), settings.mel_scale)
    corners = _to_hertz(np.linspace(low, high, settings.n_mels + 2), settings.mel_scale)
    if settings.mel_rounding:
        bin_width = settings.sample_rate / settings.n_fft
        corners = np.floor(corners / bin_width + 0.5) * bin_width
        if (corners[2:] <= corners[:-2]).any():
            raise EarsightError(
                f"MFCC: {settings.n_mels} mel bands from {settings.low_frequency} to "
                f"{settings.top_frequency} Hz are narrower than the FFT's bins "
                f"({bin_width:g} Hz); use fewer bands or a larger n_fft"
            )
    return corners


def mel_filters(settings: MfccSettings) -> np.ndarray:
    """(n_mels, n_fft // 2 + 1), float64: triangles whose corners are evenly spaced in mel."""
    bins = np.arange(settings.n_fft // 2 + 1) * settings.sample_rate / settings.n_fft
    corners = mel_corners(settings)
    width = corners[2:] - corners[:-2]
    if settings.mel_slopes == "mel":
        bins, corners = _to_mel(bins, settings.mel_scale), _to_mel(corners, settings.mel_scale)
    left, middle, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    # Where rounding left a side of no width, the triangle is upright there.
    rise = np.divide(bins - left, middle - left, out=1.0 * (bins >= middle), where=middle > left)
    fall = np.divide(right - bins, right - middle, out=1.0 * (bins <= middle), where=right > middle)
    filters = np.maximum(0, np.minimum(rise, fall))
    return filters * (2 / width[:, None]) if settings.mel_area else filters


def _to_mel(hertz: np.ndarray, scale: str) -> np.ndarray:
    """HTK: O'Shaughnessy's formula. Slaney (Auditory Toolbox): 15 mel to 1 kHz, 27 to each factor of 6.4."""
    if scale == "htk":
        return 2595 * np.log10(1 + hertz / 700)
    above = np.maximum(hertz, 1000) / 1000
    return np.where(hertz < 1000, hertz * 3 / 200, 15 + 27 * np.log(above) / np.log(6.4))


def _to_hertz(mel: np.ndarray, scale: str) -> np.ndarray:
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))


def dct(settings: MfccSettings) -> np.ndarray:
    """(n_mfcc, n_mels), float64: cosine transform (type II), lifter and the logarithm's base in one."""
    unit = 10 / np.log(10) if settings.log == "decibel" else 1.0
    if settings.dct == "none":
        return unit * np.eye(settings.n_mels)
    k, n = np.arange(settings.n_mfcc)[:, None], settings.n_mels
    matrix = 2 * np.cos(np.pi * k * (np.arange(n) + 0.5) / n)
    if settings.dct == "ortho":
        matrix *= np.sqrt(np.where(k == 0, 1, 2) / n) / 2
    elif settings.dct == "sphinx":
        matrix /= 2 * n
        matrix[:, 0] /= 2
    if settings.lifter:
        matrix *= 1 + settings.lifter / 2 * np.sin(np.pi * (k + settings.lifter_start) / settings.lifter)
    return matrix * unit
