"""From a model's outputs to a transcript: decoding, times, confidence."""

from pathlib import Path

import numpy as np

from common.confidence import Calibration, confidences
from common.decoding import Decoder, Hypothesis
from common.decoding_options import DecodingOptions, decoding_options
from common.labels import Labels
from common.model_folder import ModelConfig
from common.recognition import Reading, Transcript, Word


class Transcriber:
    """Outputs of one model to transcripts. Safe to share between threads.

    Args:
        labels: of text.
        output_shift: seconds between two output frames.
        model: the model's name.
        options: how to decode.
        calibration: how to make confidences, if that is known.
    """

    def __init__(self, labels: Labels, output_shift: float, model: str = "", options: DecodingOptions | None = None,
                 calibration: Calibration | None = None):
        self.output_shift, self.model, self.calibration = output_shift, model, calibration
        self.decoder = Decoder(labels, options or DecodingOptions())

    def __call__(self, log_probs: np.ndarray, frames: np.ndarray, duration: float, path: str = "") -> Transcript:
        """Read a clip of `duration` seconds: log-probabilities (time, label) of frames (time * stride, feature)."""
        return self.transcript(self.decoder(log_probs), log_probs, frames, duration, path)

    def transcript(self, readings: list[Hypothesis], log_probs: np.ndarray, frames: np.ndarray, duration: float,
                   path: str = "") -> Transcript:
        """The same from what the decoder made of the log-probabilities."""
        of_words, of_all = confidences(readings, log_probs, frames, self.calibration)
        words = timed_words(readings[0], of_words, self.output_shift, duration)
        n_best = self.decoder.options.n_best
        others = tuple(Reading(reading.text, reading.score) for reading in readings[:n_best]) if n_best > 1 else ()
        return Transcript(path, readings[0].text, duration, self.model, of_all, words, others)


def folder_transcriber(folder: Path, config: ModelConfig, given: dict | None = None) -> Transcriber:
    """A model folder's, with the decoding that it stores and, where they differ, the `DecodingOptions` given."""
    options = decoding_options(folder, config.decoding, given or {})
    calibration = Calibration.from_dict(config.confidence) if config.confidence else None
    return Transcriber(Labels.from_dict(config.labels), config.stride * config.frame_shift, folder.name, options,
                       calibration)


def timed_words(reading: Hypothesis, confidence: list[float], output_shift: float, duration: float) -> tuple[Word, ...]:
    """A reading's words with their times: from a word's first label in the path to the end of its last."""
    return tuple(
        Word(word.text, word.tokens[0].first * output_shift, min(word.tokens[-1].end * output_shift, duration), value)
        for word, value in zip(reading.words, confidence))
