"""Speech clips as training reads them: at the model's rate, at other speeds and with noise where asked."""

from dataclasses import dataclass

import numpy as np
from lhotse import CutSet
from lhotse.cut import Cut

from ..common.data.datamodule import SequenceData, read_frames_cut
from ..common.data.manifest import read_manifest
from ..common.data.shards import fetched
from ..common.errors import EarsightError, first_line
from ..common.nn.frames import stretch_frames
from .augmentation import add_noise, coloured_noise, cut_quiet_ends
from .corpora.importers import OPENERS
from .reading import resample

ENDS_WINDOW = 0.02  # s, over which ends that are cut off are quiet
ENDS_DEPTH = 18.0, 42.0  # dB below the loudest, at which they are


@dataclass(frozen=True)
class ClipAugmentation:
    """Augmentation of clips before their frames are computed.

    Attributes:
        speed: largest relative change of speed; a waveform's pitch moves along, stored frames' does not.
        noise: share of waveforms that get noise.
        snr: signal-to-noise ratios, dB: the lowest and the highest.
        noises: manifest of noise recordings; without one the noise is synthetic, white to brown.
        gain: largest change of level, dB.
        cut_ends: share of waveforms that lose their quiet ends, and with them weak first and last sounds; for single
            words that are cut as closely.
    """

    speed: float = 0.0
    noise: float = 0.0
    snr: tuple[float, float] = (5.0, 30.0)
    noises: str | None = None
    gain: float = 0.0
    cut_ends: float = 0.0


class SpeechData(SequenceData):
    """Sound or stored frames, for `earsight train`.

    Args:
        sample_rate: Hz, the model's; clips at other rates are resampled as `earsight transcribe` does it.
        augmentation: of the training clips.
        options: see `SequenceData`.
    """

    openers = OPENERS

    def __init__(self, train: str | list[str], validation: str | list[str], test: str | list[str] | None = None,
                 labels: str = "characters", lexicon: str | None = None, vocabulary: int = 100,
                 auxiliary_labels: str | None = None, batch_duration: float = 60.0, curriculum: int = 0,
                 buckets: int = 10, workers: int = 1, seed: int = 1, sample_rate: int = 16000,
                 augmentation: ClipAugmentation = ClipAugmentation()):
        super().__init__(train, validation, test, labels, lexicon, vocabulary, auxiliary_labels, batch_duration,
                         curriculum, buckets, workers, seed)
        self.sample_rate = sample_rate
        self.augmentation = augmentation
        self.noises: CutSet | None = read_manifest(augmentation.noises, OPENERS) if augmentation.noises else None

    def read(self, cut: Cut, rng: np.random.Generator | None) -> np.ndarray:
        if rng is None:
            return read_clip(cut, self.sample_rate)
        a = self.augmentation
        clip = read_clip(cut, self.sample_rate, speed=1 + a.speed * rng.uniform(-1, 1))
        if clip.ndim == 2:
            return clip
        if a.cut_ends and rng.random() < a.cut_ends:
            clip = cut_quiet_ends(clip, round(ENDS_WINDOW * self.sample_rate), rng.uniform(*ENDS_DEPTH))
        if rng.random() < a.noise:
            clip = add_noise(clip, self._noise(len(clip), rng), rng.uniform(*a.snr))
        return clip * np.float32(10 ** (a.gain * rng.uniform(-1, 1) / 20))

    def _noise(self, samples: int, rng: np.random.Generator) -> np.ndarray:
        if self.noises is None:
            return coloured_noise(samples, rng.uniform(0, 2), rng)
        noise = read_clip(self.noises[int(rng.integers(len(self.noises)))], self.sample_rate)
        return np.roll(noise, int(rng.integers(len(noise))))


def read_clip(cut: Cut, sample_rate: int, speed: float = 1.0) -> np.ndarray:
    """A clip's waveform (samples,) at `sample_rate`, or its stored frames (time, feature), `speed` times as fast."""
    if not cut.has_recording:
        frames = read_frames_cut(cut)
        return frames if speed == 1.0 else stretch_frames(frames, speed)
    try:
        samples = fetched(cut).load_audio().mean(axis=0)
    except EarsightError:
        raise
    except Exception as error:  # lhotse's backends raise what they like
        reason = f"cannot be read ({first_line(error)})"
        raise EarsightError(f"{cut.id}: {reason}; run `earsight check` on the manifest") from error
    # Played faster, the same samples last shorter: a change of speed is a change of rate.
    return resample(samples, cut.sampling_rate * speed, sample_rate)
