"""One reading of live sound, by a model: words, and where it gives anything but blanks."""

from dataclasses import dataclass

import numpy as np

from ...common.inference.recognition import Word
from ...common.labels import BLANK
from ..reading import resample
from ..recognition.recogniser import SpeechRecogniser
from .endpoints import Span


@dataclass(frozen=True)
class Reading:
    """What a model made of some sound; times in seconds from its start.

    Attributes:
        words: in order.
        labels: where its outputs are no blanks; empty where the sound was read as a file is.
        confidence: probability that all words are right.
    """

    words: tuple[Word, ...]
    labels: tuple[Span, ...]
    confidence: float

    @staticmethod
    def from_dict(plain: dict) -> "Reading":
        """What `dataclasses.asdict` gave, with JSON between."""
        return Reading(tuple(Word(**word) for word in plain["words"]),
                       tuple((start, end) for start, end in plain["labels"]), plain["confidence"])


def read_sound(recogniser: SpeechRecogniser, samples: np.ndarray, sample_rate: int, final: bool) -> Reading:
    """Read mono sound (samples,) in [-1, 1].

    Args:
        final: the utterance is over: it is read as `earsight transcribe` reads a file of it.
    """
    samples = resample(samples, sample_rate, recogniser.sample_rate)
    if final:
        transcript = recogniser.transcript_of(samples)
        return Reading(transcript.words, (), transcript.confidence)
    frames = recogniser.frames_of_samples(samples, recogniser.sample_rate)
    log_probs, transcriber = recogniser.runtime.outputs(frames), recogniser.transcriber
    transcript = transcriber(log_probs, frames, len(samples) / recogniser.sample_rate)
    spoken = np.concatenate([[0], log_probs.argmax(axis=-1) != BLANK, [0]])
    edges = np.flatnonzero(np.diff(spoken)).reshape(-1, 2) * transcriber.timing.shift + transcriber.timing.first
    labels = tuple((float(start), float(end)) for start, end in edges)
    return Reading(transcript.words, labels, transcript.confidence)
