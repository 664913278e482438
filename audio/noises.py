"""Noise to disturb speech with, at a given signal-to-noise ratio: babble of other clips, white noise, music."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..common.errors import EarsightError
from .augmentation import add_noise
from .noise_clips import music

NOISES = ("babble", "white", "music")
VOICES = 6  # that babble at once


@dataclass(frozen=True, eq=False)
class NoiseSource:
    """Noise of one kind, the same for a clip's name however often it is asked for.

    Attributes:
        kind: one of NOISES.
        sample_rate: Hz.
        names: of the clips whose voices babble is made of.
        voice: a clip's waveform (samples,) by its name.
    """

    kind: str
    sample_rate: int
    names: Sequence[str] = ()
    voice: Callable[[str], np.ndarray] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or self.kind not in NOISES:
            raise EarsightError(f"noise {self.kind!r} is unknown; choose one of {', '.join(NOISES)}")
        if self.kind == "babble" and len(self.names) < 2:
            raise EarsightError("babble is made of other clips, and there are none; give more clips, or another noise")

    def noise(self, length: int, rng: np.random.Generator, name: str = "") -> np.ndarray:
        """(length,) of no particular level; of babble, without the voice of the clip `name`."""
        if self.kind == "white":
            return rng.standard_normal(length)
        if self.kind == "music":
            return music(np.arange(length) / self.sample_rate, self.sample_rate, rng)
        assert self.voice is not None
        others = [other for other in self.names if other != name]
        chosen = rng.choice(len(others), min(VOICES, len(others)), replace=False)
        return babble([self.voice(others[i]) for i in chosen], length, rng)

    def disturbed(self, samples: np.ndarray, name: str, snr: float) -> np.ndarray:
        """A clip's waveform (samples,) with this noise at `snr` dB."""
        rng = np.random.default_rng([zlib.crc32(name.encode()), NOISES.index(self.kind)])
        return add_noise(samples, self.noise(len(samples), rng, name), snr)


def babble(voices: Sequence[np.ndarray], length: int, rng: np.random.Generator) -> np.ndarray:
    """Voices (samples,), all as loud, each over and over from a place of its own: (length,)."""
    total = np.zeros(length)
    for voice in voices:
        level = np.sqrt(np.mean(np.square(voice, dtype=np.float64))) if len(voice) else 0.0
        if level > 0:
            total += np.resize(np.roll(voice, int(rng.integers(len(voice)))), length) / level
    return total
