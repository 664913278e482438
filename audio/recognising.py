"""From sound files to transcripts or classes, with a model folder. torch is never imported on this path."""

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from audio.reading import FRAME_SUFFIXES, read, read_frames, resample
from common.errors import EarsightError
from common.recognition import Classification, Timeline, Transcript, classification
from common.runtime import Runtime
from common.timeline import timeline
from common.transcribing import folder_transcriber

STRETCH = 1000  # frames that go through the frontend at once: 10 s as a rule, which the caches hold


class SpeechRecogniser:
    """A speech model folder applied to clips. Safe to share between threads.

    Args:
        model: a model folder or an installed model's name.
        task: "ctc" or "classification"; a model of the other task is refused.
        threads: CPU threads that work on one clip.
        decoding: fields of `common.decoding_options.DecodingOptions` that differ from what the folder stores.
    """

    def __init__(self, model: str | Path, task: str, threads: int = 1, decoding: dict | None = None):
        # Long sound gives each thread a stretch of its own: less waiting than all of them on every operation.
        self.runtime = Runtime(model, threads, frontend_threads=1)
        config = self.runtime.config
        if config.medium not in ("speech", "frames") or config.task != task:
            command = "transcribe" if config.task == "ctc" else "classify"
            raise EarsightError(f"model {self.runtime.name} is for {config.medium} and `earsight {command}`; "
                                "choose another (see `earsight models`)")
        self.sample_rate = config.sample_rate
        if task == "ctc":
            self._transcriber = folder_transcriber(self.runtime.folder, config, decoding)

    def frames(self, path: str | Path) -> np.ndarray:
        """A clip's feature frames (time, feature), from its sound or, for .npy and .mfc, as they are stored."""
        path = Path(path)
        if path.suffix.lower() in FRAME_SUFFIXES:
            frames = read_frames(path)
            self.runtime.check_frames(frames, str(path))
            return frames
        if not self.sample_rate:
            raise EarsightError(f"{path}: model {self.runtime.name} takes stored frames (.npy), not sound")
        return self.frames_of_samples(read(path, self.sample_rate).samples, self.sample_rate, str(path))

    def frames_of_samples(self, samples: np.ndarray, sample_rate: int, name: str = "samples") -> np.ndarray:
        """Feature frames (time, feature) of a mono waveform (samples,) in [-1, 1]."""
        if sample_rate != self.sample_rate:
            samples = resample(samples, sample_rate, self.sample_rate)
        if len(samples) == 0:
            raise EarsightError(f"{name}: holds no sound (0 samples)")
        return self._frames_in_stretches(np.ascontiguousarray(samples, dtype=np.float32))

    def _frames_in_stretches(self, samples: np.ndarray) -> np.ndarray:
        """The frames of the whole waveform, long ones computed in stretches that join exactly.

        `MfccSettings.margin` says how stretches are cut. The last one takes what is left over, up to twice as
        much as the others, so that no stretch is too short to hold its margin.
        """
        settings = self.runtime.config.frontend
        hop, margin = settings["hop_length"], math.ceil(settings["n_fft"] / settings["hop_length"])
        count = len(samples) // (STRETCH * hop)
        if count < 2 or settings["top_db"] is not None:  # that floor hangs on the whole clip
            return self.runtime.frames(samples)

        def stretch(i: int) -> np.ndarray:
            first = i * STRETCH
            start = max(first - margin, 0)
            if i == count - 1:
                return self.runtime.frames(samples[start * hop:])[first - start:]
            frames = self.runtime.frames(samples[start * hop:(first + STRETCH + margin) * hop])
            return frames[first - start:][:STRETCH]

        with ThreadPoolExecutor(self.runtime.threads) as pool:
            return np.concatenate(list(pool.map(stretch, range(count))))

    def transcript(self, frames: np.ndarray, path: str = "") -> Transcript:
        """Read frames (time, feature)."""
        duration = len(frames) * self.runtime.config.frame_shift
        return self._transcriber(self.runtime.outputs(frames), frames, duration, path)

    def classification(self, frames: np.ndarray, path: str = "") -> Classification:
        """Class probabilities of frames (time, feature)."""
        if len(frames) == 0:
            raise EarsightError(f"{path}: shorter than one frame of model {self.runtime.name}; give a longer clip")
        duration = len(frames) * self.runtime.config.frame_shift
        return classification(self.runtime.outputs(frames), self.runtime.labels.symbols, path, duration,
                              self.runtime.name)

    def timeline(self, path: str | Path, **options: float) -> Timeline:
        """What is heard when, by a classifier; options: see `common.timeline.timeline`."""
        return timeline(self.runtime.batch_outputs, [self.frames(path)], self.runtime.labels.symbols,
                        self.runtime.config.frame_shift, path=str(path), model=self.runtime.name, **options)

    @staticmethod
    def thumbnails(result: Timeline) -> list:
        """Sound has none."""
        return []

    def transcribe(self, path: str | Path) -> Transcript:
        """Read one file."""
        return self.transcript(self.frames(path), str(path))

    def classify(self, path: str | Path) -> Classification:
        """Classify one file."""
        return self.classification(self.frames(path), str(path))
