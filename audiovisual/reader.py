"""From films to transcripts, with a model folder that hears and reads lips. torch is never imported on this path."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..audio.reading import WHOLE, ReadingOptions
from ..common.inference.recognition import Transcript
from ..common.labels import BLANK, BOUNDARY
from ..video.lips.reader import FilmReader
from .agreement import Lag, estimate_lag, shifted
from .rows import apart, film_rows


class AudioVisualReader(FilmReader):
    """A model folder that reads sound and lips; rows are `audiovisual.rows`'. Either may be missing."""

    medium = "audiovisual"

    def rows(self, path: str | Path, options: ReadingOptions | None = None) -> Iterator[np.ndarray]:
        return film_rows(path, self.mouth, self.runtime.config.sample_rate, options or WHOLE)

    def read(self, rows: np.ndarray, path: str, options: ReadingOptions | None = None) -> Transcript:
        """Read a stretch of a film; sound that comes up to 0.2 s too early or too late is moved first."""
        lag = self.lag(rows)
        if lag.tell:
            (options or WHOLE).warn(Path(path), lag.tell)
        return self.transcript(shifted(rows, self.mouth.side**2, -lag.mended) if lag.mended else rows, path)

    def lag(self, rows: np.ndarray) -> Lag:
        """How late the sound of rows (time, width) is behind the lips, by what either says alone."""
        heard, seen = apart(rows, self.mouth.side**2)
        if not (heard.any() and seen.any()):
            return Lag()
        by_sound, by_lips = (np.exp(self.runtime.outputs(self.frames(part))) for part in (heard, seen))
        names = self.runtime.labels.symbols
        silent = [i for i, name in enumerate(names) if i == BLANK or not name.strip(f" {BOUNDARY}")]
        return estimate_lag(by_sound, by_lips, silent, self.runtime.config.stride / self.mouth.rate, self.mouth.rate)
