"""Sound without speech, made on the fly: noise, hum, tones, knocks, sirens and something like music."""

from collections.abc import Iterator

import numpy as np

from .augmentation import coloured_noise

SCALE = (130.8, 146.8, 164.8, 174.6, 196.0, 220.0, 246.9, 261.6, 293.7, 329.6, 349.2, 392.0, 440.0, 493.9, 523.3)  # Hz


def noise_clips(count: int, sample_rate: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Waveforms (samples,) of 1 to 6 s and -50 to 0 dB, the kinds in turn; same seed, same clips."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        time = np.arange(round(sample_rate * rng.uniform(1, 6))) / sample_rate
        sound = KINDS[i % len(KINDS)](time, sample_rate, rng)
        sound *= 10 ** rng.uniform(-2.5, 0) / max(np.abs(sound).max(), 1e-9)
        yield (sound + 1e-4 * rng.standard_normal(len(time))).astype(np.float32)


def _noise(time: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """White to brown, steady or in gusts."""
    gusts = 1 + rng.uniform(0, 1) * np.sin(2 * np.pi * rng.uniform(0.2, 5) * time)
    return coloured_noise(len(time), rng.uniform(0, 2), rng) * gusts


def _hum(time: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    pitch = rng.uniform(40, 130)
    overtones = (np.sin(2 * np.pi * pitch * k * time) * rng.uniform(0, 1) / k for k in range(1, 12))
    return sum(overtones, np.zeros(len(time)))


def _tone(time: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Steady, or beeps."""
    on = np.sin(2 * np.pi * rng.uniform(0.5, 5) * time) > rng.choice([-1.0, 0.0])
    return np.sin(2 * np.pi * rng.uniform(80, 3500) * time) * on


def _siren(time: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    centre, rate = rng.uniform(300, 1500), rng.uniform(0.2, 6)
    pitch = centre * (1 + rng.uniform(0.05, 0.6) * np.sin(2 * np.pi * rate * time))
    return _harmonics(np.cumsum(pitch) / sample_rate, rng)


def _knocks(time: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    sound = np.zeros(len(time))
    for start in rng.integers(0, len(time), rng.integers(3, 20)):
        rest = time[:len(time) - start]
        sound[start:] += rng.standard_normal(len(rest)) * np.exp(-rest / rng.uniform(0.001, 0.05))
    return sound


def music(time: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Notes and chords that die away or last, now and then with a beat."""
    sound = np.zeros(len(time))
    beat = round(sample_rate * rng.uniform(0.15, 0.7))
    decay, fade = rng.uniform(0, 8), rng.random() < 0.5
    for start in range(0, len(time), beat):
        rest = time[:min(2 * beat, len(time) - start)]
        for pitch in rng.choice(SCALE, rng.integers(1, 4)):
            note = _harmonics(pitch * 2.0 ** rng.integers(-1, 2) * rest, rng) * np.exp(-decay * rest)
            sound[start:start + len(rest)] += note * np.hanning(2 * len(rest))[len(rest):] if fade else note
    if rng.random() < 0.5:
        sound += 0.3 * _knocks(time, sample_rate, rng)
    return sound


def _harmonics(cycles: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    slope, highest = rng.uniform(0.7, 3), rng.choice([1, int(rng.integers(2, 10))])  # half of them a pure tone
    waves = (np.sin(2 * np.pi * (k * cycles + rng.uniform())) / k**slope for k in range(1, highest + 1))
    return sum(waves, np.zeros(len(cycles)))


KINDS = (_noise, _hum, _tone, _siren, _knocks, music)
