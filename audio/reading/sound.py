"""A sound file whole or block by block, its length, and sound at another rate."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path

import numpy as np

from ...common.containers import inspect
from ...common.errors import EarsightError
from .pieces import Piece, no_sound
from .with_libav import in_turns, libav_pieces, open_libav
from .with_soundfile import open_soundfile, soundfile_pieces

# Suffixes that a folder is searched for; a file that is named is tried whatever its suffix.
SOUND_SUFFIXES = frozenset(
    (".wav", ".w64", ".flac", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc", ".au", ".caf")
    + (".mp3", ".m4a", ".m4b", ".aac", ".wma", ".mka", ".mp2", ".ac3", ".amr")
    + (".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".wmv", ".flv", ".ts", ".mpg", ".mpeg")
)


@dataclass(frozen=True, eq=False)
class Waveform:
    """Mono sound: `samples` float32 (n,), full scale at -1 and 1; `sample_rate` in Hz."""

    samples: np.ndarray
    sample_rate: int

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / self.sample_rate


@dataclass(frozen=True)
class SoundInfo:
    """A file's own rate in Hz, its channels, and its length in samples a channel and in seconds."""

    sample_rate: int
    channels: int
    frames: int
    duration: float


def read(path: str | Path, sample_rate: int | None = None) -> Waveform:
    """Read a sound file, or the first sound track of a video, whole: channels averaged, at `sample_rate` Hz.

    Without `sample_rate` it keeps its own rate (its first, where the rate changes on the way).
    Raises EarsightError for all that is wrong with the file.
    """
    rate, blocks = open_blocks(path, sample_rate)
    blocks = list(blocks)
    return Waveform(blocks[0] if len(blocks) == 1 else np.concatenate(blocks), rate)


def open_blocks(path: str | Path, sample_rate: int | None = None) -> tuple[int, Iterator[np.ndarray]]:
    """The same block by block, for files that no memory holds: the rate in Hz, and float32 (n,) in order.

    A file that grows meanwhile is read to its end as it was when it was opened (soundfile), or is when it comes
    there (libav). What is wrong on the way raises EarsightError when it is met, after the blocks before it.
    """
    path = Path(path)
    pieces = _finite(path, _pieces(path))
    if (first := next(pieces, None)) is None:
        raise no_sound(path)
    target = sample_rate or first.sample_rate

    def blocks() -> Iterator[np.ndarray]:
        for rate, run in groupby(chain([first], pieces), key=lambda piece: piece.sample_rate):
            yield from _resampled((piece.samples for piece in run), rate, target)

    return target, blocks()


def info(path: str | Path) -> SoundInfo:
    """Rate, channels and length of a sound file.

    From the header where soundfile reads the file; else it is decoded and counted, because headers of
    compressed sound count the encoder's padding or do not, or state no length. Raises EarsightError.
    """
    path = Path(path)
    head = inspect(path, "sound")
    if (file := open_soundfile(path, head)) is not None:
        with file:
            rate, channels, frames = file.samplerate, file.channels, file.frames
    else:
        frames, rate, channels = 0, 0, 0
        for piece in libav_pieces(path, head):
            rate, channels = rate or piece.sample_rate, channels or piece.channels
            frames += round(len(piece.samples) * rate / piece.sample_rate)
    if not frames:
        raise no_sound(path)
    return SoundInfo(rate, channels, frames, frames / rate)


def announced_duration(path: str | Path) -> float | None:
    """Seconds that a file's header announces, which need not be so; None where it says nothing, or is no sound."""
    path = Path(path)
    try:
        head = inspect(path, "sound")
        if (file := open_soundfile(path, head)) is not None:
            with file:
                return file.frames / file.samplerate
        with open_libav(path, head) as container:
            return container.duration / 1e6 if container.duration else None  # in libav's AV_TIME_BASE
    except EarsightError:
        return None


def resample(samples: np.ndarray, from_rate: float, to_rate: float) -> np.ndarray:
    """Resample float32 (n,) from `from_rate` to `to_rate` Hz: soxr at its HQ setting (20 bits, -125 dB)."""
    samples = np.ascontiguousarray(samples, np.float32)
    if from_rate == to_rate or not len(samples):
        return samples
    import soxr

    return soxr.resample(samples, from_rate, to_rate, "HQ")


def _pieces(path: Path) -> Iterator[Piece]:
    """The file in order, in pieces of about BLOCK samples."""
    head = inspect(path, "sound")
    file = open_soundfile(path, head)
    return in_turns(libav_pieces(path, head)) if file is None else soundfile_pieces(path, file)


def _finite(path: Path, pieces: Iterable[Piece]) -> Iterator[Piece]:
    start = 0.0
    for piece in pieces:
        if not np.isfinite(piece.samples).all():
            second = start + int(np.flatnonzero(~np.isfinite(piece.samples))[0]) / piece.sample_rate
            raise EarsightError(f"{path}: NaN or infinite samples, first at {second:.3f} s; export it again")
        start += len(piece.samples) / piece.sample_rate
        yield piece


def _resampled(blocks: Iterable[np.ndarray], from_rate: int, to_rate: int) -> Iterator[np.ndarray]:
    """`resample` block by block, without a seam."""
    if from_rate == to_rate:
        yield from blocks
        return
    blocks = iter(blocks)
    block, following = next(blocks), next(blocks, None)
    if following is None:  # one call costs less than a stream
        yield resample(block, from_rate, to_rate)
        return
    import soxr

    stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32", quality="HQ")
    while following is not None:
        yield stream.resample_chunk(block)
        block, following = following, next(blocks, None)
    yield stream.resample_chunk(block, last=True)
