"""Clips of sound or stored frames as a report shows them."""

import io

import numpy as np
import soundfile
from lhotse.cut import Cut

from ..common.data.datamodule import read_frames_cut
from ..common.reports.pages.exhibits import LONGEST, ROWS, Exhibit, frames_exhibit, heat_map
from ..common.reports.pages.html import data_uri
from .data import read_clip

RATES = (8000, 16000)  # Hz, which MP3 knows
WINDOW, HOP = 0.025, 0.01  # seconds
PREEMPHASIS = 0.97  # as the frontends have it: speech falls towards high frequencies, which the eye wants to see too
RANGE = 55.0  # dB from the loudest to what is drawn as nothing


def exhibit(cut: Cut) -> Exhibit:
    """A clip's spectrogram and sound, or a picture of its frames.

    Raises:
        EarsightError: the clip cannot be read.
    """
    if not cut.has_recording:
        return frames_exhibit(read_frames_cut(cut), cut.duration)
    rate = RATES[0] if cut.sampling_rate <= RATES[0] else RATES[1]
    samples = read_clip(cut, rate)[: round(LONGEST * rate)]
    picture = heat_map(spectrogram(samples, rate), "magma")
    sound = data_uri(_mp3(samples, rate), "audio/mpeg")
    return Exhibit(picture, f"Spectrogram, 0 to {rate // 2000} kHz", len(samples) / rate, sound)


def spectrogram(samples: np.ndarray, rate: int) -> np.ndarray:
    """(samples,) -> (frequency, time) from 0 to 1: the level in dB below the clip's loudest, 0 Hz first."""
    window, hop = round(WINDOW * rate), round(HOP * rate)
    samples = np.pad(samples[1:] - PREEMPHASIS * samples[:-1], window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop] * np.hanning(window)
    power = np.abs(np.fft.rfft(frames, n=4 * ROWS)[:, 1:].T) ** 2
    power = power.reshape(ROWS, 2, -1).mean(axis=1)
    level = 10 * np.log10(np.maximum(power, 1e-10))
    return np.clip((level - level.max()) / RANGE + 1, 0, 1)


def _mp3(samples: np.ndarray, rate: int) -> bytes:
    # The one compressed form that every browser plays and libsndfile writes.
    content = io.BytesIO()
    soundfile.write(content, np.clip(samples, -1, 1), rate, format="MP3", bitrate_mode="CONSTANT",
                    compression_level=0.85)
    return content.getvalue()
