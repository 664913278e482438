"""What the model takes of a film: a row of numbers a picture, the mouth's pixels and the sound of the time it is shown.

So pictures and sound are of one time by construction, however many of either there are. A row's pixels are 0 where no
face is seen, and its samples where there is no sound.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..audio.reading import NoSound, ReadingOptions, open_blocks
from ..common.errors import EarsightError
from ..video.content import has_pictures
from ..video.mouth.crops import BLOCK, MouthSettings, mouth_blocks, stored


def samples_a_picture(sample_rate: int, rate: float) -> int:
    """How many samples of sound belong to a picture, of which `rate` come a second.

    Raises:
        EarsightError: it is no whole number.
    """
    samples = sample_rate / rate
    if samples != int(samples):
        raise EarsightError(f"{rate:g} pictures a second do not divide {sample_rate} Hz; give another model.mouth.rate")
    return int(samples)


def as_rows(pictures: np.ndarray, samples: np.ndarray, each: int) -> np.ndarray:
    """Mouths (time, side * side) in grey levels, and a waveform -> rows (time, side * side + each) float32.

    Args:
        samples: (samples,) in [-1, 1] from the first picture's time on; what is missing is silence, and what is beyond
            the last picture is left out.
        each: samples a picture.
    """
    sound = np.zeros(len(pictures) * each, np.float32)
    sound[:len(samples)] = samples[:len(sound)]
    return np.concatenate([pictures.astype(np.float32, copy=False), sound.reshape(-1, each)], axis=1)


def apart(rows: np.ndarray, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows (time, pixels + samples) as sound alone and as lips alone, the other 0."""
    heard, seen = rows.copy(), rows.copy()
    heard[:, :pixels], seen[:, pixels:] = 0, 0
    return heard, seen


def film_rows(path: str | Path, mouth: MouthSettings, sample_rate: int, options: ReadingOptions
              ) -> Iterator[np.ndarray]:
    """A film's rows, block by block; of sound without pictures, and of pictures without sound, too.

    Sound that goes on behind the last picture is read without lips.

    Raises:
        EarsightError: the file cannot be read, or has neither sound nor a face.
    """
    each = samples_a_picture(sample_rate, mouth.rate)
    sound, pixels = _Sound(path, sample_rate, options), mouth.side**2
    face = False
    for block in mouth_blocks(path, mouth) if has_pictures(path) else ():
        face |= bool(block.any())
        yield as_rows(stored(block), sound.take(len(block) * each), each)
    length = max(1, round(BLOCK * mouth.rate))
    while len(rest := sound.take(length * each)):
        yield as_rows(np.zeros((-(-len(rest) // each), pixels), np.uint8), rest, each)
    if not face and not sound.heard:
        raise EarsightError(f"{path}: neither a face nor sound is found in it, so there is nothing to read; give a "
                            "film that shows one from the front, or that can be heard")


class _Sound:
    """A file's sound, handed out as it is asked for; silence where it has none."""

    def __init__(self, path: str | Path, sample_rate: int, options: ReadingOptions):
        self.heard = False  # whether there is any that is not silence
        self._held = np.zeros(0, np.float32)
        try:
            self._blocks = open_blocks(path, sample_rate, options)[1]
        except NoSound:
            self._blocks = iter(())

    def take(self, count: int) -> np.ndarray:
        """The next `count` samples, or what is left."""
        held = [self._held]
        while sum(map(len, held)) < count and (block := next(self._blocks, None)) is not None:
            held.append(block)
        samples = np.concatenate(held)
        taken, self._held = samples[:count], samples[count:]
        self.heard |= bool(taken.any())
        return taken
