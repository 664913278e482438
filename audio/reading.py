"""Sound files in: any format, rate and channel count to mono float32. The only module that opens sound files.

soundfile reads wav, flac, ogg, opus, aiff and their kind; PyAV (libav) reads mp3, m4a, the sound of videos,
and whatever soundfile cannot open. What a file is, is told from its content, not its name. A file is read
whole or refused: cut short, damaged, empty or with NaN in it, it is an `EarsightError`, never a shorter clip.

Formats that do not state their length (ogg, raw aac, MPEG streams, mp3 without a Xing header, wav written to
a pipe) give no means to notice that their end is missing, unless their last piece is itself broken.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np

from ..common.errors import EarsightError

if TYPE_CHECKING:
    import av
    import soundfile

# Suffixes that a folder is searched for; a file that is named is tried whatever its suffix.
SOUND_SUFFIXES = frozenset(
    (".wav", ".w64", ".flac", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc", ".au", ".caf")
    + (".mp3", ".m4a", ".m4b", ".aac", ".wma", ".mka", ".mp2", ".ac3", ".amr")
    + (".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".wmv", ".flv", ".ts", ".mpg", ".mpeg")
)
FRAME_SUFFIXES = frozenset({".npy", ".mfc"})

AN4_COEFFICIENTS = 13  # floats a frame in AN4's .mfc files

BLOCK = 1 << 20  # samples decoded before they are resampled: bounds the memory of long files
UNKNOWN_SIZE = 0x7FFFF000  # from here on, a 32-bit size is what writers to a pipe put for "not known"
SLACK = 64  # bytes by which the sizes in healthy wav and aiff files are off: padding, or their own header

# What soundfile reads. Not mp3: libsndfile guesses its length from the first bit rate and stops there, takes
# any file of that name for one, and prints to the terminal.
SOUNDFILE_STARTS = (b"RIFF", b"RIFX", b"RF64", b"riff", b"FORM", b"fLaC", b"OggS", b"caff", b".snd", b"NIST")
# The demuxers that libav may use: files of sound, or of sound and picture. Playlists would open other files.
DEMUXERS = (
    "mov,mp4,matroska,webm,avi,asf,flv,mpeg,mpegts,mxf,dv,rm,wav,w64,aiff,au,caf,"
    "mp3,aac,ac3,eac3,amr,amrnb,amrwb,ape,dts,flac,ogg,tak,tta,wv,xwma"
)
# MP4 and Matroska headers tell all that their decoders need, so libav need not decode pictures to find out:
# a GRID clip opens in 0.2 ms instead of 1.4.
TRUST_HEADER = {"codec_whitelist": "none", "probesize": "32", "analyzeduration": "1", "fpsprobesize": "0"}
DISCARD_ALL = 48  # AVDISCARD_ALL
ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # the header object with the size


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


class _Piece(NamedTuple):
    samples: np.ndarray  # float32 (n,), the mean of the channels
    sample_rate: int
    channels: int


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
        raise _empty(path)
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
    head = _inspect(path)
    if (file := _open_soundfile(path, head)) is not None:
        with file:
            rate, channels, frames = file.samplerate, file.channels, file.frames
    else:
        frames, rate, channels = 0, 0, 0
        for piece in _libav_pieces(path, head):
            rate, channels = rate or piece.sample_rate, channels or piece.channels
            frames += round(len(piece.samples) * rate / piece.sample_rate)
    if not frames:
        raise _empty(path)
    return SoundInfo(rate, channels, frames, frames / rate)


def announced_duration(path: str | Path) -> float | None:
    """Seconds that a file's header announces, which need not be so; None where it says nothing, or is no sound."""
    path = Path(path)
    try:
        head = _inspect(path)
        if (file := _open_soundfile(path, head)) is not None:
            with file:
                return file.frames / file.samplerate
        with _open_libav(path, head) as container:
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


def read_frames(path: str | Path) -> np.ndarray:
    """Feature frames float32 (time, feature): `.npy` (2-D floats, not pickled), or AN4's `.mfc`.

    An `.mfc` is big-endian: one int32, the number of floats that follow, then float32, 13 a frame.
    """
    path = Path(path)
    _inspect(path)
    suffix = path.suffix.lower()
    if suffix not in FRAME_SUFFIXES:
        raise EarsightError(f"{path}: frames are read from .npy and .mfc; convert it with numpy.save")
    frames = _read_mfc(path) if suffix == ".mfc" else _read_npy(path)
    if not np.isfinite(frames).all():
        row = int(np.flatnonzero(~np.isfinite(frames).all(axis=1))[0])
        raise EarsightError(f"{path}: NaN or infinite values, first in frame {row}; compute the frames again")
    return frames


def _read_mfc(path: Path) -> np.ndarray:
    data = path.read_bytes()
    count = int.from_bytes(data[:4], "big", signed=True)
    if len(data) != 4 + 4 * count:
        raise EarsightError(
            f"{path}: its header announces {count} floats and {max(len(data) - 4, 0) / 4:g} follow; "
            "it is cut short or not AN4's .mfc: copy it again"
        )
    if count == 0 or count % AN4_COEFFICIENTS:
        raise EarsightError(f"{path}: {count} floats, not frames of {AN4_COEFFICIENTS}; save it as .npy")
    return np.frombuffer(data, ">f4", offset=4).reshape(-1, AN4_COEFFICIENTS).astype(np.float32)


def _read_npy(path: Path) -> np.ndarray:
    try:
        frames = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError, MemoryError, SyntaxError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise EarsightError(f"{path}: not a plain .npy array ({reason}); write it with numpy.save") from error
    if not isinstance(frames, np.ndarray):
        raise EarsightError(f"{path}: an archive of arrays, not one array; write it with numpy.save")
    if frames.ndim != 2 or not np.issubdtype(frames.dtype, np.floating) or 0 in frames.shape:
        raise EarsightError(
            f"{path}: holds {frames.dtype} of shape {frames.shape}, not floats (time, feature); "
            "save it as array.astype('float32') with one row a frame"
        )
    with np.errstate(over="ignore"):  # what overflows is reported as infinite
        return np.ascontiguousarray(frames, np.float32)


def _pieces(path: Path) -> Iterator[_Piece]:
    """The file in order, in pieces of about BLOCK samples."""
    head = _inspect(path)
    file = _open_soundfile(path, head)
    return _in_turns(_libav_pieces(path, head)) if file is None else _soundfile_pieces(path, file)


def _finite(path: Path, pieces: Iterable[_Piece]) -> Iterator[_Piece]:
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


# What there is to read, and whether all of it is there


def _inspect(path: Path) -> bytes:
    """The first bytes of a file that exists, may be read, and is as long as its own header says."""
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):  # before opening: a pipe would wait for its writer
            what = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
            raise EarsightError(f"{path}: is {what}; name a sound file")
        with open(path, "rb") as file:
            head = file.read(4096)
            size = os.fstat(file.fileno()).st_size
            announced = _announced_size(file, head, size)
    except FileNotFoundError as error:
        raise EarsightError(f"{path}: no such file; check the path") from error
    except PermissionError as error:
        raise EarsightError(f"{path}: no permission to read it; change its permissions") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise EarsightError(f"{path}: cannot be read ({reason}); check the path and the disk") from error
    if not head:
        raise EarsightError(f"{path}: the file is empty (0 bytes); copy or record it again")
    if announced > size:
        raise _cut_short(path, f"its header announces more than the {size} bytes that are there")
    return head


def _announced_size(file: BinaryIO, head: bytes, size: int) -> int:
    """Bytes that the container's own header gives the whole file; 0 where it gives none."""
    kind = head[:4]
    if kind in (b"RIFF", b"FORM"):  # wav and avi; aiff
        announced = int.from_bytes(head[4:8], "little" if kind == b"RIFF" else "big")
        return 8 + announced - SLACK if announced < UNKNOWN_SIZE else 0
    if kind == b"RF64":  # wav of over 4 GB, EBU Tech 3306: ds64 comes first, with the size
        return 8 + int.from_bytes(head[20:28], "little")
    if kind == b"riff":  # w64
        return int.from_bytes(head[16:24], "little")
    if kind == b".snd":
        announced = int.from_bytes(head[8:12], "big")
        return int.from_bytes(head[4:8], "big") + announced if announced < UNKNOWN_SIZE else 0
    if kind == b"caff":
        return _end_of_chunks(file, size, caf=True)
    if _is_mp4(head):
        return _end_of_chunks(file, size, caf=False)
    if _is_matroska(head):
        return _end_of_segment(head)
    if (place := head.find(ASF_FILE_PROPERTIES)) >= 0:  # wma and wmv
        return int.from_bytes(head[place + 40 : place + 48], "little")
    return 0


def _is_mpeg(head: bytes) -> bool:
    """mp3, mp2 or raw aac: an ID3 tag, or the eleven ones that begin a frame."""
    return head[:3] == b"ID3" or (head[:1] == b"\xff" and head[1:2] >= b"\xe0")


def _is_mp4(head: bytes) -> bool:
    return head[4:8] == b"ftyp"


def _is_matroska(head: bytes) -> bool:
    return head[:4] == b"\x1a\x45\xdf\xa3"


def _end_of_chunks(file: BinaryIO, size: int, *, caf: bool) -> int:
    """Where the last of a file's top-level chunks says that it ends: MP4 boxes (ISO 14496-12), CAF chunks.

    A box begins with its size, which counts all of it; a CAF chunk with its name and the size of the rest.
    """
    start = 8 if caf else 0
    while start + (12 if caf else 8) <= size:
        file.seek(start)
        header = file.read(16)
        if caf:
            name, length = header[:4], 12 + int.from_bytes(header[4:12], "big", signed=True)
        else:
            name, length = header[4:8], int.from_bytes(header[:4], "big")
            if length == 1:  # 64 bits of size come after the name
                length = int.from_bytes(header[8:16], "big")
        # A box of size 0 and a chunk of size -1 go to the end of the file; what has no name is padding.
        if length < (12 if caf else 8) or not name.isascii() or not name.strip().isalnum():
            return 0
        start += length
    return start


def _end_of_segment(head: bytes) -> int:
    """Where a Matroska file ends (RFC 8794): the EBML header, then one Segment that holds the rest."""
    length, place = _ebml_size(head, 4)
    place += length
    if head[place : place + 4] != b"\x18\x53\x80\x67":
        return 0
    length, place = _ebml_size(head, place + 4)
    return place + length if length else 0


def _ebml_size(head: bytes, place: int) -> tuple[int, int]:
    """A variable-length size at `place` (0 for "not known"), and the place after it."""
    if place >= len(head) or head[place] == 0:
        return 0, place
    width = 9 - head[place].bit_length()
    value = int.from_bytes(head[place : place + width], "big") & ((1 << 7 * width) - 1)
    return (0 if value == (1 << 7 * width) - 1 else value), place + width


# soundfile


def _open_soundfile(path: Path, head: bytes) -> "soundfile.SoundFile | None":
    """The file opened, or None where libav must read it."""
    if not head.startswith(SOUNDFILE_STARTS):
        return None
    import soundfile

    try:
        file = soundfile.SoundFile(path)
    except (soundfile.SoundFileError, OSError):
        return None
    if file.frames >= 1 << 62:  # a flac that was written to a pipe, whose end libsndfile does not find
        file.close()
        return None
    return file


def _soundfile_pieces(path: Path, file: "soundfile.SoundFile") -> Iterator[_Piece]:
    import soundfile

    with file:
        rate, channels, left = file.samplerate, file.channels, file.frames
        while left:
            try:
                block = file.read(max(1, BLOCK // channels), dtype="float32")
            except soundfile.SoundFileError as error:
                how = f"its header announces {file.frames} samples and they do not all decode"
                raise _cut_short(path, how) from error
            if not len(block):
                there = file.frames - left
                raise _cut_short(path, f"its header announces {file.frames} samples and {there} are there")
            left -= len(block)
            yield _Piece(block if block.ndim == 1 else block.mean(axis=1, dtype=np.float32), rate, channels)


# libav

_DECODING = Lock()


def _in_turns(pieces: Iterator[_Piece]) -> Iterator[_Piece]:
    """The pieces, made while no other thread makes any.

    Decoding lets go of Python's lock and takes it again hundreds of times a second of sound; two threads that do so
    at once are slower than one, while a thread that decodes and one that recognises hardly meet.
    """
    while True:
        with _DECODING:
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece


def _libav_pieces(path: Path, head: bytes) -> Iterator[_Piece]:
    with _open_libav(path, head) as container:
        if not container.streams.audio:
            raise EarsightError(f"{path}: a video without sound; name a file that has a sound track")
        stream = container.streams.audio[0]
        for other in container.streams:
            if other is not stream and hasattr(other, "discard"):  # PyAV 18; spares reading the pictures
                other.discard = DISCARD_ALL
        if stream.codec_context is None:
            raise EarsightError(f"{path}: libav has no decoder for its sound; convert it to WAV or FLAC")
        yield from _decoded(path, container, stream, _xing_frames(path) if _is_mpeg(head) else 0)


def _decoded(
    path: Path,
    container: "av.container.InputContainer",
    stream: "av.AudioStream",
    announced: int,
) -> Iterator[_Piece]:
    """The stream decoded in order; `announced` is the number of packets that there must be, 0 if unknown."""
    import av

    decode = stream.codec_context.decode
    buffer, kind, packets, done = bytearray(), (0, 0), 0, 0.0  # kind: rate, channels
    for packet in container.demux(stream):
        try:
            frames = decode(packet)
        except av.error.FFmpegError as error:
            # A stream that was cut out of a longer one may begin with what cannot be decoded alone.
            if not done and not buffer:
                continue
            second = done + len(buffer) / 4 / kind[0]
            raise _cut_short(path, f"its sound does not decode after {second:.2f} s") from error
        packets += 1
        for frame in frames:
            found = frame.sample_rate, frame.layout.nb_channels
            if (found != kind or len(buffer) >= 4 * BLOCK) and buffer:
                yield _Piece(np.frombuffer(buffer, np.float32), *kind)
                done += len(buffer) / 4 / kind[0]
                buffer = bytearray()
            kind = found
            buffer += _mono(frame, found[1])
    # 4 frames are 0.1 s at 44.1 kHz; the last packet is the one that flushes the decoder.
    if packets - 1 < 0.99 * announced - 4:
        raise _cut_short(path, f"its header announces {announced} frames and {packets - 1} are there")
    if buffer:
        yield _Piece(np.frombuffer(buffer, np.float32), *kind)


@contextmanager
def _open_libav(path: Path, head: bytes) -> Iterator["av.container.InputContainer"]:
    import av

    options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
    if _is_mp4(head) or _is_matroska(head):
        options |= TRUST_HEADER
    try:
        # "file:" keeps a name with a colon from being taken for a protocol.
        with av.open(f"file:{path}", container_options=options, metadata_errors="ignore") as container:
            yield container
    except (av.error.FFmpegError, IndexError) as error:  # IndexError: PyAV, when a stream turns up on the way
        reason = getattr(error, "strerror", None) or error
        raise EarsightError(
            f"{path}: cannot be decoded as sound ({reason}); it is damaged, cut short or something else: "
            "copy it again, or convert it to WAV or FLAC"
        ) from error


SAMPLE_TYPES = {  # libav's sample formats: dtype, zero, full scale
    "u8": (np.uint8, 128, 128),
    "s16": (np.int16, 0, 1 << 15),
    "s32": (np.int32, 0, 1 << 31),
    "s64": (np.int64, 0, 1 << 63),
    "flt": (np.float32, 0, 1),
    "dbl": (np.float64, 0, 1),
}


def _mono(frame: "av.AudioFrame", channels: int) -> memoryview:
    """The mean of a decoded frame's channels, as the bytes of float32 (samples,)."""
    name, samples = frame.format.name, frame.samples
    if channels == 1 and name in ("fltp", "flt"):  # most speech: no arithmetic; a plane may have spare room
        return memoryview(frame.planes[0])[: 4 * samples]
    dtype, zero, full = SAMPLE_TYPES[name.removesuffix("p")]
    if name.endswith("p"):
        planes = frame.planes[:channels]  # PyAV takes what follows the eighth for a ninth
        total = sum(np.frombuffer(plane, dtype, samples).astype(np.float32) for plane in planes)
    else:
        packed = np.frombuffer(frame.planes[0], dtype, samples * channels).reshape(samples, channels)
        total = packed.sum(axis=1, dtype=np.float32)
    return memoryview(((total - zero * channels) / (full * channels)).astype(np.float32))


def _xing_frames(path: Path) -> int:
    """Frames that an mp3 announces in the Xing or Info header that its first frame holds, else 0."""
    with open(path, "rb") as file:
        tag = file.read(10)
        if tag[:3] == b"ID3":  # ID3v2: four bytes of seven bits
            file.seek(10 + sum((byte & 0x7F) << 7 * (3 - place) for place, byte in enumerate(tag[6:10])))
        else:
            file.seek(0)
        frame = file.read(64)
    place = max(frame.find(b"Xing"), frame.find(b"Info"))
    if frame[:1] != b"\xff" or place < 0 or len(frame) < place + 12 or not frame[place + 7] & 1:
        return 0
    return int.from_bytes(frame[place + 8 : place + 12], "big")


# Errors said in more than one place


def _empty(path: Path) -> EarsightError:
    return EarsightError(f"{path}: holds no sound (0 samples); record or export it again")


def _cut_short(path: Path, how: str) -> EarsightError:
    return EarsightError(f"{path}: cut short or damaged: {how}; copy it again from its source")
