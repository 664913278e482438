"""What is wrong with the sound of a clip: unreadable, cut short, silent, clipped, of another rate."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from ..common.data.checking import Note
from ..common.data.cuts import DEFAULT_FRAME_SHIFT, clip_files
from ..common.data.shards import fetched
from ..common.errors import EarsightError
from . import reading

FULL_SCALE = 0.9999  # 16-bit sound reaches 32767 / 32768
CLIPPED_SHARE = 0.001  # of the samples; loud speech touches full scale now and then, clipped speech stays
SILENCE = -60.0  # dB below full scale, root mean square


class SoundCheck:
    """Reads clips through `audio.reading`, the last file once for all the clips that are parts of it.

    Args:
        sample_rate: Hz that every recording must have; any, if None.
    """

    def __init__(self, sample_rate: int | None = None) -> None:
        self.sample_rate = sample_rate
        self._path: Path | None = None
        self._waveform: reading.Waveform | None = None

    def __call__(self, cut: Any, note: Note, frame_shift: float | None) -> int | None:
        """Note what is wrong with a clip's sound; how many frames of `frame_shift` seconds it has."""
        samples, rate, stated = self._samples(cut)
        if self.sample_rate is not None and rate != self.sample_rate:
            note("wrong rate", f"{rate} Hz instead of {self.sample_rate} Hz")
        elif rate != stated:
            note("wrong rate", f"the file has {rate} Hz, the manifest says {stated} Hz")
        if len(samples) == 0:
            note("empty", "no samples")
            return 0
        # A decoder may give a few samples more or less than the header promises.
        if len(samples) / rate < cut.duration - 0.05:
            note("cut short", f"{len(samples) / rate:.2f} s of {cut.duration:.2f} s are there")
        if not np.isfinite(samples).all():
            note("not finite", f"{np.count_nonzero(~np.isfinite(samples))} samples are NaN or infinite")
        else:
            _check_level(samples, note)
        return round(len(samples) / rate / (frame_shift or DEFAULT_FRAME_SHIFT))

    def _samples(self, cut: Any) -> tuple[np.ndarray, int, int]:
        """A cut's mono samples, their rate, and the rate that the manifest states; or EarsightError."""
        files = clip_files(cut)
        if not getattr(cut, "has_recording", False):
            raise EarsightError("the manifest gives it neither sound nor frames nor pictures")
        if len(files) != 1 or len(getattr(cut, "tracks", [])) > 0 or cut.recording.transforms:
            return _through_lhotse(cut)
        if self._waveform is None or files[0] != self._path:
            self._waveform = None  # the last one need not be held beside it, nor be taken for one that cannot be read
            self._path, self._waveform = files[0], reading.read(files[0])
        rate = self._waveform.sample_rate
        first = round(cut.start * rate)
        return self._waveform.samples[first : first + round(cut.duration * rate)], rate, cut.sampling_rate


def _check_level(samples: np.ndarray, note: Note) -> None:
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    if power == 0:
        note("silent", "all samples are zero")
    elif 10 * math.log10(power) < SILENCE:
        note("silent", f"{10 * math.log10(power):.0f} dBFS")
    share = float(np.mean(np.abs(samples) >= FULL_SCALE))
    if share > CLIPPED_SHARE:
        note("clipped", f"{share:.2%} of the samples at full scale")


def _through_lhotse(cut: Any) -> tuple[np.ndarray, int, int]:
    try:
        return fetched(cut).load_audio().mean(axis=0), cut.sampling_rate, cut.sampling_rate
    except Exception as error:  # each of lhotse's backends raises its own kind
        raise EarsightError(f"cannot be read ({error})") from error
