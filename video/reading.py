"""Video files in: any container, rate, rotation and pixel format to RGB frames. The only module that opens video.

OpenCV decodes the containers whose times it tells truly and whose length it knows (MP4, Matroska and WebM, FLV,
ASF, MPEG-TS, GIF); PyAV (libav) decodes the others, and goes on where OpenCV stops before the announced end.
Both give the same pixels. What a file is, is told from its content, not its name. Frames are decoded one after
another from the first, never sought, and times count from the start of the picture track.

A file that is shorter than its container says, or whose frames stop decoding long before their announced end, is
an `EarsightError`. MPEG streams, GIF and Ogg do not state their length and give no means to notice that their end
is missing. A count of frames in the header is never believed alone.
"""

import math
import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from ..common.errors import EarsightError, first_line

if TYPE_CHECKING:
    import av

# Suffixes that a folder is searched for; a file that is named is tried whatever its suffix.
VIDEO_SUFFIXES = frozenset(
    (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg")
    + (".wmv", ".flv", ".3gp", ".ogv", ".gif", ".ts")
)

TOLERANCE = 0.0011  # seconds by which a frame may come early: Matroska rounds to milliseconds, and two times differ
WHOLE = 0.9  # share of the announced duration that must decode
LONGEST_GAP = 3600.0  # seconds between frames; a damaged time must not make moments without end
USUAL_RATE = 25.0  # Hz, where a container tells neither times nor a rate
UNKNOWN_SIZE = 0x7FFFF000  # from here on, a 32-bit size is what writers to a pipe put for "not known"
SLACK = 64  # bytes by which the sizes in healthy AVI files are off
# The demuxers that libav may use: files of pictures. Playlists would open other files.
DEMUXERS = (
    "mov,mp4,matroska,webm,avi,asf,flv,gif,mpeg,mpegts,mpegvideo,ogg,mxf,dv,rm,h264,hevc,m4v,mjpeg,ivf,nut,yuv4mpegpipe"
)
MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")  # what MP4 and older QuickTime files begin with
MATROSKA = b"\x1a\x45\xdf\xa3"
ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # the header object with the size
TS_PACKET = 188  # bytes; each begins with 0x47

_opening = threading.Lock()  # OpenCV's level of messages is the whole process's


@dataclass(frozen=True)
class VideoInfo:
    """What a file's header says, and its first frame: all but the size may be wrong or 0, "not known"."""

    width: int  # pixels, as shown: rotation applied
    height: int
    frame_rate: float  # Hz, on average
    duration: float  # seconds
    frames: int


class Frame(NamedTuple):
    """`time` in seconds from the track's start; `image` uint8 (height, width, 3), RGB."""

    time: float
    image: np.ndarray


class Moment(NamedTuple):
    """A frame with its time in seconds, and the frame a little `later`, None where none was asked for.

    Images are what `fit` returned, else uint8 (height, width, 3), RGB. Moments may share an image.
    """

    time: float
    image: np.ndarray
    later: np.ndarray | None


class _Picture(NamedTuple):
    time: float | None  # seconds, None where the container has none
    image: Callable[[], np.ndarray]  # RGB; to be called before the next picture is taken


@dataclass(frozen=True)
class _Source:
    frame_rate: float  # Hz; 0 where a value is not known
    duration: float
    frames: int
    pictures: Iterator[_Picture]


def probe(path: str | Path) -> VideoInfo:
    """Size, rate and length of a video, from its header and its first frame. Raises EarsightError."""
    source = _open(Path(path), 1)
    for picture in source.pictures:
        height, width = picture.image().shape[:2]
        return VideoInfo(width, height, source.frame_rate, source.duration, source.frames)
    raise _empty(path)


def read_frames(path: str | Path, threads: int = 1) -> Iterator[Frame]:
    """Every frame of a video, in order, each as it is decoded; nothing is kept.

    Args:
        path: the file.
        threads: decoding threads of this file.

    Raises:
        EarsightError: for all that is wrong with the file; where its end is missing or damaged, after what decodes.
    """
    frame = None
    for time, image in _pictures(Path(path), threads):
        frame = Frame(time, image())
        yield frame
    if frame is None:
        raise _empty(path)


def sample(
    path: str | Path,
    rate: float,
    lag: float | None = None,
    fit: Callable[[np.ndarray], np.ndarray] | None = None,
    start: float = 0.0,
    end: float | None = None,
    threads: int = 1,
) -> Iterator[Moment]:
    """A video at a fixed rate: for k = 0, 1, ... the first frame at or after `start + k / rate` seconds.

    Where no frame comes for a while, the one that comes next stands for all these k. Only frames that are wanted
    are converted, once each; what is held are those whose `later` is still to come.

    Args:
        path: the file.
        rate: moments a second.
        lag: seconds from a moment's own time to its `later`, the first frame at or after. Moments whose `later`
            would lie past the end are left out, but for the first: a clip shorter than the lag gives one moment,
            its first frame with its last.
        fit: image -> image, applied to each wanted frame at once (so that big frames are never held).
        start: seconds from which frames count.
        end: seconds before which frames count; None is the end of the clip.
        threads: decoding threads of this file.

    Raises:
        EarsightError: for all that is wrong with the file, and where it has no frame from `start` to `end`.
    """
    if not (math.isfinite(rate) and rate > 0):
        raise EarsightError(f"sampling rate {rate:g} Hz: not above 0; name the frames a second that are wanted")
    moments = 0  # taken; the next is wanted from start + moments / rate on
    waiting: deque[Moment] = deque()
    paired, time, fitted = False, None, None
    for time, image in _pictures(Path(path), threads):
        if end is not None and time >= end - TOLERANCE:
            break
        reached = time + TOLERANCE
        wanted = reached >= start + moments / rate
        # Until a first pair is complete, any frame may be the last of the clip, and then its second half.
        if not (wanted or waiting and (not paired or reached >= waiting[0].time + lag)):
            continue
        fitted = fit(image()) if fit else image()
        while reached >= start + moments / rate:
            moments += 1
            waiting.append(Moment(time, fitted, None))
        while waiting and (lag is None or reached >= waiting[0].time + lag):
            paired = True
            yield waiting.popleft()._replace(later=None if lag is None else fitted)
    if time is None:
        raise _empty(path)
    if not moments:
        span = f"from {start:g} s on" if end is None else f"from {start:g} to {end:g} s"
        raise EarsightError(f"{path}: has no frame {span} (read up to {time:.3f} s); correct the times")
    if not paired:
        yield waiting[0]._replace(later=fitted)


def _pictures(path: Path, threads: int) -> Iterator[tuple[float, Callable[[], np.ndarray]]]:
    """The frames of a file with times that rise from 0 on.

    A time that is missing, not after the one before or absurdly far from it, becomes that one and a frame's duration.
    """
    source = _open(path, threads)
    step = 1 / (source.frame_rate or USUAL_RATE)
    last = -step
    for time, image in source.pictures:
        credible = time is not None and max(last, -TOLERANCE) < time < last + LONGEST_GAP
        last = time if credible else last + step
        yield last, image


def _open(path: Path, threads: int) -> _Source:
    head = _inspect(path)
    source = _open_opencv(path, threads) if _is_true_to_time(head) and _is_utf8(path) else None
    return source or _open_libav(path, threads)


def _is_utf8(path: Path) -> bool:
    """Whether OpenCV can be given this name: any other crashes it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_true_to_time(head: bytes) -> bool:
    """Whether OpenCV gives this kind of file its presentation times. AVI and MPEG-PS it does not."""
    transport = head[:1] == head[TS_PACKET : TS_PACKET + 1] == head[2 * TS_PACKET : 2 * TS_PACKET + 1] == b"\x47"
    return transport or _is_mp4(head) or head.startswith((MATROSKA, ASF, b"FLV", b"GIF8"))


# OpenCV


@cache
def _opencv() -> ModuleType:
    # Its libav prints what is wrong with a file, which is told here in an error.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    import cv2

    return cv2


def _open_opencv(path: Path, threads: int) -> _Source | None:
    """The file opened, or None where libav must read it, or say what is wrong."""
    cv2 = _opencv()
    messages = cv2.utils.logging
    with _opening:
        level = messages.setLogLevel(messages.LOG_LEVEL_SILENT)
        try:
            # "file:" keeps a name with a colon from being taken for a protocol.
            capture = cv2.VideoCapture(f"file:{path}", cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads])
        except cv2.error:
            return None
        finally:
            messages.setLogLevel(level)
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # no option for opening
    rate, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    if not (capture.isOpened() and rate > 0 and count > 0):  # of a file without a length, libav alone tells its end
        capture.release()
        return None
    return _Source(rate, count / rate, round(count), _captured(path, capture, rate, count, threads))


def _captured(path: Path, capture: Any, rate: float, count: float, threads: int) -> Iterator[_Picture]:
    """The pictures that OpenCV decodes, then those that libav does where OpenCV stops short of `count`."""
    cv2 = _opencv()
    image = partial(_retrieve, path, capture)
    decoded, time = 0, -1.0
    try:
        while capture.grab():
            decoded, time = decoded + 1, capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            yield _Picture(time, image)
    finally:
        capture.release()
    # OpenCV ends at the first packet that does not decode. libav goes on after it, and tells damage from a header
    # that is wrong. The announced end may be counted from before the track's start: 0.1 s are no reason.
    if decoded < count and time + 1 / rate < 0.97 * count / rate - 0.1:
        for picture in _open_libav(path, threads).pictures:
            if picture.time is not None and picture.time > time + TOLERANCE:
                yield picture


def _retrieve(path: Path, capture: Any) -> np.ndarray:
    cv2 = _opencv()
    try:
        found, image = capture.retrieve()
    except cv2.error as error:
        raise _undecodable(path, first_line(error)) from error
    if not found:
        raise _undecodable(path, "a frame has no picture")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


# libav


def _open_libav(path: Path, threads: int) -> _Source:
    import av

    try:
        container = av.open(
            f"file:{path}",
            container_options={"format_whitelist": DEMUXERS, "protocol_whitelist": "file"},
            metadata_errors="ignore",
        )
    except av.error.FFmpegError as error:
        raise _undecodable(path, error.strerror or first_line(error)) from error
    if not len(container.streams):
        raise _undecodable(path, "it has no tracks")
    stream = container.streams.best("video")
    if stream is None or stream.disposition & av.stream.Disposition.attached_pic:
        raise EarsightError(f"{path}: sound without pictures; name a file that has a picture track")
    if stream.codec_context is None:
        raise _undecodable(path, "libav has no decoder for its pictures")
    stream.codec_context.thread_count = threads
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    duration = float((stream.duration or 0) * stream.time_base) or (container.duration or 0) / av.time_base
    frames = stream.frames or round(duration * rate)
    return _Source(rate, duration, frames, _decoded(path, container, stream, rate, duration))


def _decoded(
    path: Path, container: "av.container.InputContainer", stream: "av.VideoStream", rate: float, duration: float
) -> Iterator[_Picture]:
    """The stream's pictures in order; after the last, an error if they are too few."""
    import av
    from av.video.reformatter import VideoReformatter

    decode, reformatter = stream.codec_context.decode, VideoReformatter()  # one for all: each holds megabytes
    origin = None if stream.start_time is None else float(stream.start_time * stream.time_base)
    # AVI has no presentation times: the n-th picture that is shown has the n-th packet's.
    packet_times = deque() if container.format.name == "avi" else None
    decoded, shown, end = 0, 0.0, 0.0  # seconds: when the last picture ends, and the longest stream
    with container:
        for packet in _packets(container):
            begins = None if packet is None or packet.dts is None else float(packet.dts * packet.time_base)
            if begins is not None:
                end = max(end, begins + float((packet.duration or 0) * packet.time_base))
            if packet is not None and packet.stream is not stream:
                continue
            try:
                frames = decode(packet)
            except av.error.FFmpegError:  # those after it may be whole
                continue
            if packet_times is not None and begins is not None:
                packet_times.append(begins)
            for frame in frames:
                if packet_times is None:
                    time = None if frame.pts is None else float(frame.pts * stream.time_base)
                else:
                    time = packet_times.popleft() if packet_times else None
                if time is not None:
                    shown = time + 1 / (rate or USUAL_RATE)
                    origin = time if origin is None else origin
                    time -= origin
                decoded += 1
                yield _Picture(time, partial(_rgb, path, reformatter, frame))
        if packet_times is None:  # AVI's duration is but its count of frames
            _check_end(path, decoded, shown, max(shown, end), stream.frames, rate, duration)


def _packets(container: "av.container.InputContainer") -> Iterator["av.Packet | None"]:
    """A file's packets, as far as they can be read; None at the end: the decoder gives what it still holds."""
    import av

    try:
        yield from (packet for packet in container.demux() if packet.size)
    except (av.error.FFmpegError, IndexError):  # IndexError: PyAV, when a stream turns up on the way
        pass  # the announced length tells whether pictures are missing
    yield None


def _check_end(
    path: Path, decoded: int, shown: float, end: float, frames: int, rate: float, duration: float
) -> None:
    """Raise if much of what is announced is missing: `frames` and `duration`, 0 where the header has none.

    The pictures may well end before the file, whose sound goes on, or be fewer than counted. So where a header
    counts them, the count and the duration must agree that they are missing, and else no stream may go on.
    """
    if frames:
        agree = abs(frames / rate - duration) < (1 - WHOLE) * duration if rate else False
        missing = agree and decoded < WHOLE * frames and shown < WHOLE * duration
    else:
        missing = end < WHOLE * duration
    if missing:
        announced = frames or round(duration * rate)
        raise EarsightError(
            f"{path}: damaged: {decoded} of about {announced} frames can be decoded; copy it again from its source"
        )


def _rgb(path: Path, reformatter: "av.video.reformatter.VideoReformatter", frame: "av.VideoFrame") -> np.ndarray:
    try:
        image = reformatter.reformat(frame, format="rgb24", interpolation="BICUBIC").to_ndarray()
    except (OSError, ValueError) as error:  # libav's errors are kinds of these
        raise _undecodable(path, first_line(error)) from error
    turns, rest = divmod(frame.rotation, 90)  # counterclockwise
    return image if rest or turns % 4 == 0 else np.ascontiguousarray(np.rot90(image, turns))


# What there is to read, and whether all of it is there


def _inspect(path: Path) -> bytes:
    """The first bytes of a file that exists, may be read, and is as long as its own header says."""
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):  # before opening: a pipe would wait for its writer
            what = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
            raise EarsightError(f"{path}: is {what}; name a video file")
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
        raise EarsightError(
            f"{path}: cut short or damaged: its header announces more than the {size} bytes that are there; "
            "copy it again from its source"
        )
    return head


def _announced_size(file: BinaryIO, head: bytes, size: int) -> int:
    """Bytes that the container's own header gives the whole file; 0 where it gives none."""
    if _is_mp4(head):
        return _end_of_boxes(file, size)
    if head.startswith(b"RIFF"):
        return _end_of_riffs(file, size)
    if head.startswith(MATROSKA):
        return _end_of_segment(head)
    if (place := head.find(ASF_FILE_PROPERTIES)) >= 0:
        return int.from_bytes(head[place + 40 : place + 48], "little")
    return 0


def _is_mp4(head: bytes) -> bool:
    return head[4:8] in MP4_BOXES


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    """Where the last of an MP4 file's top-level boxes says that it ends (ISO 14496-12)."""
    end = 0
    while end + 8 <= size:
        file.seek(end)
        header = file.read(16)
        name, length = header[4:8], int.from_bytes(header[:4], "big")
        if length == 1:  # 64 bits of size come after the name
            length = int.from_bytes(header[8:16], "big")
        # A box of size 0 goes to the end of the file; what has no name is padding.
        if length < 8 or not name.isascii() or not name.strip().isalnum():
            return 0
        end += length
    return end


def _end_of_riffs(file: BinaryIO, size: int) -> int:
    """Where an AVI file ends: a RIFF chunk, and more of them after the first gigabyte."""
    end = 0
    while end + 12 <= size:
        file.seek(end)
        name, length = file.read(4), int.from_bytes(file.read(4), "little")
        if name != b"RIFF" or not 0 < length < UNKNOWN_SIZE:
            break
        end += 8 + length
    return end - SLACK


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


# Errors said in more than one place


def _empty(path: Path) -> EarsightError:
    return EarsightError(f"{path}: holds no pictures (0 frames); copy it again, or record it again")


def _undecodable(path: Path, reason: str) -> EarsightError:
    return EarsightError(
        f"{path}: cannot be decoded as video ({reason}); it is damaged, cut short or something else: "
        "copy it again, or convert it to MP4"
    )
