"""From a model's outputs to a transcript: decoding, times, confidence."""

import numpy as np

from ..decoding.decoders import Decoder, Hypothesis
from ..decoding.options import DecodingOptions, decoding_options
from ..labels import Labels
from .confidence import Calibration, confidences
from .recognition import Reading, Transcript
from .runtime import Runtime
from .word_times import Timing, timed_words


class Transcriber:
    """Outputs of one model to transcripts. Safe to share between threads.

    Args:
        labels: of text.
        timing: how output frames lie in time.
        model: the model's name.
        options: how to decode.
        calibration: how to make confidences, if that is known.
    """

    def __init__(self, labels: Labels, timing: Timing, model: str = "", options: DecodingOptions | None = None,
                 calibration: Calibration | None = None):
        self.timing, self.model, self.calibration = timing, model, calibration
        self.decoder = Decoder(labels, options or DecodingOptions())

    def __call__(self, log_probs: np.ndarray, frames: np.ndarray, duration: float, path: str = "") -> Transcript:
        """Read a clip of `duration` seconds: log-probabilities (time, label) of frames (time * stride, feature)."""
        return self.transcript(self.decoder(log_probs), log_probs, frames, duration, path)

    def transcript(self, readings: list[Hypothesis], log_probs: np.ndarray, frames: np.ndarray, duration: float,
                   path: str = "") -> Transcript:
        """The same from what the decoder made of the log-probabilities."""
        of_words, of_all = confidences(readings, log_probs, frames, self.calibration)
        words = timed_words(readings[0].words, of_words, frames, self.timing, duration)
        n_best = self.decoder.options.n_best
        others = tuple(Reading(reading.text, reading.score) for reading in readings[:n_best]) if n_best > 1 else ()
        return Transcript(path, readings[0].text, duration, self.model, of_all, words, others)


def folder_transcriber(runtime: Runtime, given: dict | None = None, calibrated: bool = True) -> Transcriber:
    """A model folder's, with the decoding and the calibration that it stores.

    Args:
        given: what differs from the `DecodingOptions` stored.
        calibrated: without, confidences are as the outputs have them.
    """
    config = runtime.config
    options = decoding_options(runtime.folder, config.decoding, given or {})
    calibration = Calibration.from_dict(config.confidence) if config.confidence and calibrated else None
    return Transcriber(runtime.labels, Timing.of(config), runtime.folder.name, options, calibration)
