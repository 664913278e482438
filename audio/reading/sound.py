"""A sound file whole or block by block, its length, and sound at another rate."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import chain, groupby
from pathlib import Path

import numpy as np

from ...common.containers import cut_short, inspect
from ...common.errors import EarsightError, TooLong
from ...common.parts import Part, oversized_data, parts, unread_tail
from .channels import Mono, one_signal
from .ogg import CAPTURE, look_through
from .options import WHOLE, ReadingOptions
from .pieces import Piece, no_sound
from .with_libav import in_turns, libav_pieces, open_libav
from .with_soundfile import Unread, open_soundfile, soundfile_pieces

# Suffixes that a folder is searched for; a file that is named is tried whatever its suffix.
SOUNDFILE_SUFFIXES = (".wav", ".w64", ".flac", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc", ".au", ".caf")
LIBAV_SUFFIXES = (
    (".mp3", ".m4a", ".m4b", ".aac", ".wma", ".mka", ".mp2", ".ac3", ".amr")
    + (".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".wmv", ".flv", ".ts", ".mpg", ".mpeg")
)  # fmt: skip
SOUND_SUFFIXES = frozenset(SOUNDFILE_SUFFIXES + LIBAV_SUFFIXES)


TAIL = 1 << 16  # bytes behind a file's end that are no loss: tags


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


def read(path: str | Path, sample_rate: int | None = None, options: ReadingOptions = WHOLE) -> Waveform:
    """Read a sound file, or a sound track of a video, as one signal at `sample_rate` Hz.

    Without `sample_rate` it keeps its own rate (its first, where the rate changes on the way). Times count from the
    file's start: silence stands for what its sound track lacks. Raises EarsightError for all that is wrong with the
    file.
    """
    rate, blocks = open_blocks(path, sample_rate, options)
    blocks = list(blocks)
    return Waveform(blocks[0] if len(blocks) == 1 else np.concatenate(blocks), rate)


def open_blocks(path: str | Path, sample_rate: int | None = None, options: ReadingOptions = WHOLE
                ) -> tuple[int, Iterator[np.ndarray]]:
    """The same block by block, for files that no memory holds: the rate in Hz, and float32 (n,) in order.

    A file that grows meanwhile is read to its end as it was when it was opened (soundfile), or is when it comes
    there (libav). What is wrong on the way raises EarsightError when it is met, after the blocks before it.
    """
    path = Path(path)
    signal = _finite(path, one_signal(path, _bounded(path, _pieces(path, options), options), options))
    if (first := next(signal, None)) is None:
        raise no_sound(path)
    target = sample_rate or first.sample_rate

    def blocks() -> Iterator[np.ndarray]:
        for rate, run in groupby(chain([first], signal), key=lambda stretch: stretch.sample_rate):
            yield from _resampled((stretch.samples for stretch in run), rate, target)

    return target, blocks()


def each_channel(path: str | Path, options: ReadingOptions) -> list[ReadingOptions]:
    """For the channels of a sound file one by one, how to read each; warnings are those of the first.

    How many there are, its first piece tells. Raises EarsightError.
    """
    path = Path(path)
    if (first := next(_pieces(path, replace(options, quiet=True)), None)) is None:
        raise no_sound(path)
    return [replace(options, channels=channel, quiet=channel > 1) for channel in range(1, first.channels + 1)]


def info(path: str | Path) -> SoundInfo:
    """Rate, channels and length of a sound file.

    From the header where soundfile reads the file; else it is decoded and counted, because headers of
    compressed sound count the encoder's padding or do not, or state no length. Raises EarsightError.
    """
    path = Path(path)
    head = inspect(path, "sound")
    frames, rate, channels = 0, 0, 0
    for part in _parts(path, head, WHOLE)[1]:
        if (file := open_soundfile(path, head, part)) is not None:
            with file:
                found = [(file.frames, file.samplerate, file.channels)]
        else:
            found = ((piece.samples.shape[1], piece.sample_rate, piece.channels)
                     for piece in libav_pieces(path, head, replace(WHOLE, quiet=True), part))
        for count, own_rate, own_channels in found:
            rate, channels = rate or own_rate, channels or own_channels
            frames += round(count * rate / own_rate)
    if not frames:
        raise no_sound(path)
    return SoundInfo(rate, channels, frames, frames / rate)


def announced_duration(path: str | Path) -> float | None:
    """Seconds that a file's header announces, which need not be so; None where it says nothing, or is no sound."""
    path = Path(path)
    try:
        head = inspect(path, "sound", cut=lambda how: None)
        if (file := open_soundfile(path, head, Part())) is not None:
            with file:
                return file.frames / file.samplerate
        with open_libav(path, head, Part()) as container:
            return container.duration / 1e6 if container.duration else None  # in libav's AV_TIME_BASE
    except EarsightError:
        return None


def load_readers(paths: Iterable[Path]) -> None:
    """Load the libraries that read files of these names, which elsewhere is done when the first of them is opened.

    For who has something else to do meanwhile: libav takes longer to load than a small model.
    """
    endings = {path.suffix.lower() for path in paths}
    with suppress(ImportError):  # who opens the file says what is missing
        if not endings.isdisjoint(LIBAV_SUFFIXES):
            import_module("av")
        if not endings.isdisjoint(SOUND_SUFFIXES):
            import_module("soxr")


def resample(samples: np.ndarray, from_rate: float, to_rate: float) -> np.ndarray:
    """Resample float32 (n,) from `from_rate` to `to_rate` Hz: soxr at its HQ setting (20 bits, -125 dB)."""
    samples = np.ascontiguousarray(samples, np.float32)
    if from_rate == to_rate or not len(samples):
        return samples
    import soxr

    return soxr.resample(samples, from_rate, to_rate, "HQ")


def _pieces(path: Path, options: ReadingOptions) -> Iterator[Piece]:
    """The file in order, in pieces of about BLOCK samples."""
    cut = (lambda how: options.warn(path, f"{how}; what is there is read")) if options.skip else None
    head = inspect(path, "sound", cut)
    whole, every = _parts(path, head, options)
    for part in every:
        file = open_soundfile(path, head, part) if whole else None
        if file is None:
            yield from in_turns(libav_pieces(path, head, options, part))
            continue
        try:
            yield from soundfile_pieces(path, file, options)
            if (tail := unread_tail(path, head, part)) > TAIL and oversized_data(path, head, part) is None:
                options.warn(path, f"{tail} bytes behind the end of its sound are not read; if they are sound, whose "
                             "header was not finished, `ffmpeg -ignore_length 1 -i` reads them")
        except Unread as stopped:  # libav goes on behind what is damaged
            seconds = stopped.frames / file.samplerate
            options.warn(path, f"its sound is damaged behind {seconds:.2f} s; silence stands for what does not decode")
            yield from _behind(in_turns(libav_pieces(path, head, replace(options, quiet=True), part)), stopped.frames)


def _parts(path: Path, head: bytes, options: ReadingOptions) -> tuple[bool, list[Part]]:
    """The files that were joined to this one, and whether they are whole, as far as that is told without decoding.

    Raises EarsightError for Ogg that is damaged, where it may not be.
    """
    if not head.startswith(CAPTURE):
        return True, parts(path, head)
    chain = look_through(path)
    if not chain.holes and not chain.cut:
        return True, chain.parts
    how = "its last page lacks its end"
    if chain.holes:
        seconds, first = sum(hole.seconds for hole in chain.holes), chain.holes[0].place
        how = f"about {seconds:.2f} s of its sound are missing, the first behind {first:.2f} s"
    if not options.skip:
        raise cut_short(path, how, skip=True)
    options.warn(path, f"{how}; silence stands for what is missing" if chain.holes else f"{how}; what is there is read")
    return False, chain.parts


def _behind(pieces: Iterator[Piece], frames: int) -> Iterator[Piece]:
    """Pieces without their first so many samples."""
    for piece in pieces:
        if piece.samples.shape[1] > frames:
            yield piece._replace(samples=piece.samples[:, frames:])
        frames = max(frames - piece.samples.shape[1], 0)


def _bounded(path: Path, pieces: Iterator[Piece], options: ReadingOptions) -> Iterator[Piece]:
    """The same, as long as it may be: a small file can hold days of silence."""
    seconds = 0.0
    for piece in pieces:
        seconds += piece.samples.shape[1] / piece.sample_rate
        if options.longest is not None and seconds > options.longest:
            raise TooLong(f"{path}: longer than {options.longest:g} s; give a part of it")
        yield piece


def _finite(path: Path, signal: Iterable[Mono]) -> Iterator[Mono]:
    start = 0.0
    for stretch in signal:
        if not np.isfinite(stretch.samples).all():
            second = start + int(np.flatnonzero(~np.isfinite(stretch.samples))[0]) / stretch.sample_rate
            raise EarsightError(f"{path}: NaN or infinite samples, first at {second:.3f} s; export it again")
        start += len(stretch.samples) / stretch.sample_rate
        yield stretch


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
