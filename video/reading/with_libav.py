"""Video that libav reads: what OpenCV cannot, or does not tell true times of."""

import re
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...common.errors import EarsightError, first_line
from .source import JITTER, USUAL_RATE, Picture, Source, undecodable

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

OPENS, GONE = 10.0, 5.0  # seconds that a stream has to begin, and for its next picture
PASSWORD = re.compile(r"(?<=:)[^:/@]*(?=@)")
WHOLE = 0.9  # share of the announced duration that must decode
# The demuxers that libav may use: files of pictures. Playlists would open other files.
DEMUXERS = (
    "mov,mp4,matroska,webm,avi,asf,flv,gif,mpeg,mpegts,mpegvideo,ogg,mxf,dv,rm,h264,hevc,m4v,mjpeg,ivf,nut,yuv4mpegpipe"
)


def open_libav(path: Path, threads: int) -> Source:
    import av
    import av.error
    from av.stream import Disposition

    try:
        container = av.open(
            f"file:{path}",
            container_options={"format_whitelist": DEMUXERS, "protocol_whitelist": "file"},
            metadata_errors="ignore",
        )
    except av.error.FFmpegError as error:
        raise undecodable(path, error.strerror or first_line(error)) from error
    if not len(container.streams):
        raise undecodable(path, "it has no tracks")
    best = container.streams.best("video")
    stream = next((video for video in container.streams.video if best is not None and video.index == best.index), None)
    if stream is None or stream.disposition & Disposition.attached_pic:
        raise EarsightError(f"{path}: sound without pictures; name a file that has a picture track")
    if stream.codec_context is None:
        raise undecodable(path, "libav has no decoder for its pictures")
    stream.codec_context.thread_count = threads
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    duration = (stream.duration or 0) * _tick(stream) or (container.duration or 0) / av.time_base
    frames = stream.frames or round(duration * rate)
    start = _start(container, stream)
    return Source(rate, duration, frames, _decoded(path, container, stream, rate, duration, start), start)


def open_stream(address: str) -> Iterator[tuple[float, Callable[[], np.ndarray]]]:
    """The pictures of a network camera, or of a film that is elsewhere, with the seconds since the first.

    Raises:
        EarsightError: it cannot be reached, has no pictures, or goes away. The address is told without a password.
    """
    import av
    import av.error

    name = PASSWORD.sub("***", address)
    try:
        container = av.open(address, timeout=(OPENS, GONE), metadata_errors="ignore", options={"rtsp_transport": "tcp"})
    except (av.error.FFmpegError, ValueError) as error:
        raise EarsightError(f"{name}: cannot be opened ({_reason(error)}); check the address, and that what is there "
                            "is switched on") from error
    stream = next(iter(container.streams.video), None)
    if stream is None or stream.codec_context is None:
        container.close()
        raise EarsightError(f"{name}: has no pictures that libav can decode; name another stream")
    return _received(name, address, container, stream)


def _received(name: str, address: str, container: "InputContainer", stream: "VideoStream"
              ) -> Iterator[tuple[float, Callable[[], np.ndarray]]]:
    import av.error
    from av.video.reformatter import VideoReformatter

    reformatter, origin, time, why = VideoReformatter(), None, -1 / USUAL_RATE, ""
    with container:
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError as error:
                why = _reason(error)
                break
            if packet is None:
                break
            try:
                frames = stream.codec_context.decode(packet)
            except av.error.FFmpegError:  # a part of it was lost on the way
                continue
            for frame in frames:
                told = None if frame.pts is None else frame.pts * _tick(stream)
                if told is None or origin is None or not time < told - origin < time + GONE:
                    # There is no clock, or it begins, stands still or leaps.
                    time += 1 / USUAL_RATE
                    origin = None if told is None else told - time
                else:
                    time = told - origin
                yield time, partial(_rgb, Path(name), reformatter, frame)
    if why or address.lower().startswith("rtsp"):  # a camera has no end
        raise EarsightError(f"{name}: gives no picture any more, after {max(time, 0):.1f} s ({why or 'it ended'}); see "
                            "whether it is still there, and begin again")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or first_line(error)


def track_start(path: Path) -> float:
    """Seconds from a file's start to the first picture, by its header; 0 if that does not say, or nearly that."""
    try:
        source = open_libav(path, 1)
    except EarsightError:
        return 0.0
    return source.start


def _tick(stream: "VideoStream") -> float:
    return float(stream.time_base or 0)


def _start(container: "InputContainer", stream: "VideoStream") -> float:
    import av

    begin = (stream.start_time or 0) * _tick(stream) - (container.start_time or 0) / av.time_base
    return begin if begin > JITTER else 0.0


def _decoded(path: Path, container: "InputContainer", stream: "VideoStream", rate: float, duration: float, start: float
             ) -> Iterator[Picture]:
    """The stream's pictures in order; after the last, an error if they are too few."""
    import av.error
    from av.video.reformatter import VideoReformatter

    decode, reformatter = stream.codec_context.decode, VideoReformatter()  # one for all: each holds megabytes
    tick = _tick(stream)
    origin = None if stream.start_time is None else stream.start_time * tick - start
    # AVI has no presentation times: the n-th picture that is shown has the n-th packet's.
    packet_times: deque[float] | None = deque() if container.format.name == "avi" else None
    decoded, shown, end = 0, 0.0, 0.0  # seconds: how long the pictures last, and when the longest stream ends
    with container:
        for packet in _packets(container):
            begins = None
            if packet is not None and packet.dts is not None:
                begins = float(packet.dts * packet.time_base)
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
                    time = None if frame.pts is None else frame.pts * tick
                else:
                    time = packet_times.popleft() if packet_times else None
                if time is not None:
                    origin = time if origin is None else origin
                    end = max(end, time + 1 / (rate or USUAL_RATE))
                    time -= origin
                    shown = time - start + 1 / (rate or USUAL_RATE)
                decoded += 1
                yield Picture(time, partial(_rgb, path, reformatter, frame))
        if packet_times is None:  # AVI's duration is but its count of frames
            _check_end(path, decoded, shown, end, stream.frames, rate, duration)


def _packets(container: "InputContainer") -> "Iterator[Packet | None]":
    """A file's packets, as far as they can be read; None at the end: the decoder gives what it still holds."""
    import av.error

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


def _rgb(path: Path, reformatter: "VideoReformatter", frame: "VideoFrame") -> np.ndarray:
    try:
        image = reformatter.reformat(frame, format="rgb24", interpolation="BICUBIC").to_ndarray()
    except (OSError, ValueError) as error:  # libav's errors are kinds of these
        raise undecodable(path, first_line(error)) from error
    turns, rest = divmod(frame.rotation, 90)  # counterclockwise
    return image if rest or turns % 4 == 0 else np.ascontiguousarray(np.rot90(image, turns))
