"""Sound that libav reads: mp3, m4a, the sound tracks of videos, and what libsndfile does not know."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from ...common.containers import cut_short, is_matroska, is_mp4, is_mpeg
from ...common.errors import EarsightError
from .pieces import BLOCK, Piece

if TYPE_CHECKING:
    import av

# The demuxers that libav may use: files of sound, or of sound and picture. Playlists would open other files.
DEMUXERS = (
    "mov,mp4,matroska,webm,avi,asf,flv,mpeg,mpegts,mxf,dv,rm,wav,w64,aiff,au,caf,"
    "mp3,aac,ac3,eac3,amr,amrnb,amrwb,ape,dts,flac,ogg,tak,tta,wv,xwma"
)
# MP4 and Matroska headers tell all that their decoders need, so libav need not decode pictures to find out:
# a GRID clip opens in 0.2 ms instead of 1.4.
TRUST_HEADER = {"codec_whitelist": "none", "probesize": "32", "analyzeduration": "1", "fpsprobesize": "0"}
DISCARD_ALL = 48  # AVDISCARD_ALL
SAMPLE_TYPES = {  # libav's sample formats: dtype, zero, full scale
    "u8": (np.uint8, 128, 128),
    "s16": (np.int16, 0, 1 << 15),
    "s32": (np.int32, 0, 1 << 31),
    "s64": (np.int64, 0, 1 << 63),
    "flt": (np.float32, 0, 1),
    "dbl": (np.float64, 0, 1),
}

_DECODING = Lock()


def in_turns(pieces: Iterator[Piece]) -> Iterator[Piece]:
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


def libav_pieces(path: Path, head: bytes) -> Iterator[Piece]:
    with open_libav(path, head) as container:
        if not container.streams.audio:
            raise EarsightError(f"{path}: a video without sound; name a file that has a sound track")
        stream = container.streams.audio[0]
        for other in container.streams:
            if other is not stream and hasattr(other, "discard"):  # PyAV 18; spares reading the pictures
                other.discard = DISCARD_ALL
        if stream.codec_context is None:
            raise EarsightError(f"{path}: libav has no decoder for its sound; convert it to WAV or FLAC")
        yield from _decoded(path, container, stream, _xing_frames(path) if is_mpeg(head) else 0)


def _decoded(
    path: Path,
    container: "av.container.InputContainer",
    stream: "av.AudioStream",
    announced: int,
) -> Iterator[Piece]:
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
            raise cut_short(path, f"its sound does not decode after {second:.2f} s") from error
        packets += 1
        for frame in frames:
            found = frame.sample_rate, frame.layout.nb_channels
            if (found != kind or len(buffer) >= 4 * BLOCK) and buffer:
                yield Piece(np.frombuffer(buffer, np.float32), *kind)
                done += len(buffer) / 4 / kind[0]
                buffer = bytearray()
            kind = found
            buffer += _mono(frame, found[1])
    # 4 frames are 0.1 s at 44.1 kHz; the last packet is the one that flushes the decoder.
    if packets - 1 < 0.99 * announced - 4:
        raise cut_short(path, f"its header announces {announced} frames and {packets - 1} are there")
    if buffer:
        yield Piece(np.frombuffer(buffer, np.float32), *kind)


@contextmanager
def open_libav(path: Path, head: bytes) -> Iterator["av.container.InputContainer"]:
    import av

    options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
    if is_mp4(head) or is_matroska(head):
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
