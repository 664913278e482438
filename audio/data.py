"""Speech clips as training reads them: at the model's rate, at other speeds and with noise where asked."""

import numpy as np
from lhotse import CutSet
from lhotse.cut import Cut

from ..common.data.datamodule import SequenceData, read_frames_cut
from ..common.data.manifest import read_manifest
from ..common.data.shards import fetched
from ..common.errors import EarsightError, first_line
from ..common.nn.frames import stretch_frames
from .clip_augmentation import ClipAugmentation, changed, draw_change
from .corpora.importers import OPENERS
from .reading import resample


class SpeechData(SequenceData):
    """Sound or stored frames, for `earsight train`.

    Args:
        sample_rate: Hz, the model's; clips at other rates are resampled as `earsight transcribe` does it.
        augmentation: of the training clips.
        views: augmentation of the clips whose frames `earsight prepare embeddings` computes; none by default.
        options: see `SequenceData`.
    """

    openers = OPENERS

    def __init__(self, train: str | list[str], validation: str | list[str], test: str | list[str] | None = None,
                 labels: str = "characters", lexicon: str | None = None, vocabulary: int = 100,
                 auxiliary_labels: str | None = None, batch_duration: float = 60.0, curriculum: int = 0,
                 buckets: int = 10, workers: int = 1, seed: int = 1, sample_rate: int = 16000,
                 augmentation: ClipAugmentation = ClipAugmentation(), views: ClipAugmentation | None = None):
        super().__init__(train, validation, test, labels, lexicon, vocabulary, auxiliary_labels, batch_duration,
                         curriculum, buckets, workers, seed)
        self.sample_rate = sample_rate
        self.augmentation = augmentation
        self.views = views
        self.noises: CutSet | None = read_manifest(augmentation.noises, OPENERS) if augmentation.noises else None

    def read(self, cut: Cut, rng: np.random.Generator | None) -> np.ndarray:
        if rng is None:
            return read_clip(cut, self.sample_rate)
        change = draw_change(self.augmentation, rng)
        clip = read_clip(cut, self.sample_rate, speed=change.speed)
        if clip.ndim == 2:
            return clip
        noise = None
        if self.noises is not None and change.snr is not None:
            noise = read_clip(self.noises[change.seed % len(self.noises)], self.sample_rate)
        return changed(clip, self.sample_rate, change, noise)


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
