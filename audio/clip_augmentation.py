"""Augmentation of clips before their frames are computed: speed, vocal tract, rooms, noise, telephones, level."""

from dataclasses import dataclass

import numpy as np

from ..common.errors import EarsightError
from .augmentation import add_noise, coloured_noise, cut_quiet_ends
from .reading import resample

ENDS_WINDOW = 0.02  # s, over which ends that are cut off are quiet
ENDS_DEPTH = 18.0, 42.0  # dB below the loudest, at which they are
DECAY = 0.1, 0.7  # s, in which a room's echo falls by 60 dB
DIRECT = -6.0, 12.0  # dB from a room's echo to the direct sound
PASSED = 2500.0, 7000.0  # Hz, up to which a channel of narrow band lets through


@dataclass(frozen=True)
class ClipAugmentation:
    """What is done to waveforms; of stored frames only their speed changes.

    Attributes:
        speed: largest relative change of speed; a waveform's pitch moves along, stored frames' does not.
        warp: largest relative stretch of the spectrum at the same speed, for other lengths of the vocal tract.
        reverberation: share of waveforms that are put in a room.
        noise: share of waveforms that get noise.
        snr: signal-to-noise ratios, dB: the lowest and the highest.
        noises: manifest of noise recordings; without one the noise is synthetic, white to brown.
        low_pass: share of waveforms that lose what is above 2.5 to 7 kHz, as telephones and codecs do.
        gain: largest change of level, dB.
        cut_ends: share of waveforms that lose their quiet ends, and with them weak first and last sounds; for single
            words that are cut as closely.
    """

    speed: float = 0.0
    warp: float = 0.0
    reverberation: float = 0.0
    noise: float = 0.0
    snr: tuple[float, float] = (5.0, 30.0)
    noises: str | None = None
    low_pass: float = 0.0
    gain: float = 0.0
    cut_ends: float = 0.0


@dataclass(frozen=True)
class ClipChange:
    """One draw of a `ClipAugmentation`: what is done to one clip, the same however often it is done.

    Attributes:
        speed, warp: factors; 1 leaves the clip as it is.
        decay: seconds in which the room's echo falls by 60 dB, with `direct` dB; None: no room.
        snr: dB, of noise; None: no noise.
        passed: Hz; None lets everything through.
        gain: dB.
        ends: dB below the loudest at which ends are cut off; None leaves them.
        seed: of the noise and the echo.
    """

    speed: float = 1.0
    warp: float = 1.0
    decay: float | None = None
    direct: float = 0.0
    snr: float | None = None
    passed: float | None = None
    gain: float = 0.0
    ends: float | None = None
    seed: int = 0


def draw_change(settings: ClipAugmentation, rng: np.random.Generator) -> ClipChange:
    """What happens to one clip."""
    s = settings
    return ClipChange(
        speed=1 + s.speed * rng.uniform(-1, 1),
        warp=1 + s.warp * rng.uniform(-1, 1),
        decay=rng.uniform(*DECAY) if rng.random() < s.reverberation else None,
        direct=rng.uniform(*DIRECT),
        snr=rng.uniform(*s.snr) if rng.random() < s.noise else None,
        passed=rng.uniform(*PASSED) if rng.random() < s.low_pass else None,
        gain=s.gain * rng.uniform(-1, 1),
        ends=rng.uniform(*ENDS_DEPTH) if rng.random() < s.cut_ends else None,
        seed=int(rng.integers(2**31)),
    )


def changed(clip: np.ndarray, sample_rate: int, change: ClipChange, noise: np.ndarray | None = None) -> np.ndarray:
    """A waveform (samples,), already played at the change's speed, after everything else of it.

    Args:
        noise: recorded noise (samples,) in place of synthetic.
    """
    rng = np.random.default_rng(change.seed)
    if change.ends is not None:
        clip = cut_quiet_ends(clip, round(ENDS_WINDOW * sample_rate), change.ends)
    if change.warp != 1.0:
        clip = _warped(clip, sample_rate, change.warp)
    if change.decay is not None:
        clip = _in_room(clip, sample_rate, change.decay, change.direct, rng)
    if change.snr is not None:
        clip = add_noise(clip, coloured_noise(len(clip), rng.uniform(0, 2), rng) if noise is None else
                         np.roll(noise, int(rng.integers(len(noise)))), change.snr)
    if change.passed is not None:
        clip = _low_passed(clip, sample_rate, change.passed)
    return (clip * 10 ** (change.gain / 20)).astype(np.float32)


def _warped(clip: np.ndarray, sample_rate: int, factor: float) -> np.ndarray:
    """Played `factor` times as fast, which moves the whole spectrum, and stretched to its time again."""
    try:
        from librosa.effects import time_stretch
    except ImportError as error:
        raise EarsightError("augmentation.warp needs librosa; install it with pip install 'earsight[train]'") from error
    faster = resample(clip, round(sample_rate * factor), sample_rate)
    return time_stretch(faster, rate=len(faster) / max(len(clip), 1), n_fft=1024, hop_length=256)


def _in_room(clip: np.ndarray, sample_rate: int, decay: float, direct: float, rng: np.random.Generator) -> np.ndarray:
    """With an echo of noise that dies away exponentially (Polack, 1988), at the clip's level and length."""
    time = np.arange(1, round(decay * sample_rate)) / sample_rate
    echo = rng.standard_normal(len(time)) * 10 ** (-3 * time / decay)
    echo *= 10 ** (-direct / 20) / max(np.sqrt(np.sum(echo**2)), 1e-12)
    size = len(clip) + len(echo)
    wet = np.fft.irfft(np.fft.rfft(clip, size) * np.fft.rfft(np.concatenate([[1.0], echo]), size), size)[:len(clip)]
    return wet * np.sqrt(np.mean(clip**2) / max(np.mean(wet**2), 1e-12))


def _low_passed(clip: np.ndarray, sample_rate: int, frequency: float) -> np.ndarray:
    spectrum = np.fft.rfft(clip)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(len(clip), 1 / sample_rate), 1.0) / frequency)
    return np.fft.irfft(spectrum * 10 ** (-np.maximum(octaves, 0) * 60 / 20), len(clip))  # 60 dB an octave
