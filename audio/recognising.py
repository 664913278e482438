"""From sound files to transcripts or classes, with a model folder. torch is never imported on this path."""

from pathlib import Path

import numpy as np

from audio.reading import FRAME_SUFFIXES, read, read_frames, resample
from common.ctc import greedy
from common.errors import EarsightError
from common.recognition import Classification, Transcript
from common.runtime import Runtime

DEFAULT_TRANSCRIBER = "en-small"
DEFAULT_CLASSIFIER = "digits"


class SpeechRecogniser:
    """A speech model folder applied to clips. Safe to share between threads.

    Args:
        model: a model folder or an installed model's name.
        task: "ctc" or "classification"; a model of the other task is refused.
        threads: CPU threads that work on one clip.
    """

    def __init__(self, model: str | Path, task: str, threads: int = 1):
        self.runtime = Runtime(model, threads)
        config = self.runtime.config
        if config.medium != "speech" or config.task != task:
            command = "transcribe" if config.task == "ctc" else "classify"
            raise EarsightError(f"model {self.runtime.name} is for {config.medium} and `earsight {command}`; "
                                "choose another (see `earsight models`)")
        self.sample_rate = config.sample_rate

    def frames(self, path: str | Path) -> np.ndarray:
        """A clip's feature frames (time, feature), from its sound or, for .npy and .mfc, as they are stored."""
        path = Path(path)
        if path.suffix.lower() in FRAME_SUFFIXES:
            return read_frames(path)
        return self.frames_of_samples(read(path, self.sample_rate).samples, self.sample_rate, str(path))

    def frames_of_samples(self, samples: np.ndarray, sample_rate: int, name: str = "samples") -> np.ndarray:
        """Feature frames (time, feature) of a mono waveform (samples,) in [-1, 1]."""
        if sample_rate != self.sample_rate:
            samples = resample(samples, sample_rate, self.sample_rate)
        if len(samples) == 0:
            raise EarsightError(f"{name}: holds no sound (0 samples)")
        return self.runtime.frames(np.ascontiguousarray(samples, dtype=np.float32))

    def transcript(self, frames: np.ndarray, path: str = "") -> Transcript:
        """Read frames (time, feature); a clip of constant frames, as digital silence gives, has no words."""
        text = ""
        if len(frames) and np.ptp(frames, axis=0).max() > 0:
            text = self.runtime.labels.decode(greedy(self.runtime.outputs(frames))[0])
        return Transcript(path, text, len(frames) * self.runtime.config.frame_shift, self.runtime.name)

    def classification(self, frames: np.ndarray, path: str = "") -> Classification:
        """Class probabilities of frames (time, feature)."""
        if len(frames) == 0:
            raise EarsightError(f"{path}: shorter than one frame of model {self.runtime.name}; give a longer clip")
        logits = self.runtime.outputs(frames).astype(np.float64)
        probabilities = np.exp(logits - logits.max())
        probabilities /= probabilities.sum()
        order = np.argsort(-probabilities, kind="stable")
        ranked = {self.runtime.labels.symbols[i]: float(probabilities[i]) for i in order}
        return Classification(path, next(iter(ranked)), ranked, len(frames) * self.runtime.config.frame_shift,
                              self.runtime.name)

    def transcribe(self, path: str | Path) -> Transcript:
        """Read one file."""
        return self.transcript(self.frames(path), str(path))

    def classify(self, path: str | Path) -> Classification:
        """Classify one file."""
        return self.classification(self.frames(path), str(path))
