"""Video that libav reads: what OpenCV cannot, or does not tell true times of."""

from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...common.errors import EarsightError, first_line
from .source import USUAL_RATE, Picture, Source, undecodable

if TYPE_CHECKING:
    import av

WHOLE = 0.9  # share of the announced duration that must decode
# The demuxers that libav may use: files of pictures. Playlists would open other files.
DEMUXERS = (
    "mov,mp4,matroska,webm,avi,asf,flv,gif,mpeg,mpegts,mpegvideo,ogg,mxf,dv,rm,h264,hevc,m4v,mjpeg,ivf,nut,yuv4mpegpipe"
)


def open_libav(path: Path, threads: int) -> Source:
    import av

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
    stream = container.streams.best("video")
    if stream is None or stream.disposition & av.stream.Disposition.attached_pic:
        raise EarsightError(f"{path}: sound without pictures; name a file that has a picture track")
    if stream.codec_context is None:
        raise undecodable(path, "libav has no decoder for its pictures")
    stream.codec_context.thread_count = threads
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    duration = float((stream.duration or 0) * stream.time_base) or (container.duration or 0) / av.time_base
    frames = stream.frames or round(duration * rate)
    return Source(rate, duration, frames, _decoded(path, container, stream, rate, duration))


def _decoded(
    path: Path, container: "av.container.InputContainer", stream: "av.VideoStream", rate: float, duration: float
) -> Iterator[Picture]:
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
                yield Picture(time, partial(_rgb, path, reformatter, frame))
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
        raise undecodable(path, first_line(error)) from error
    turns, rest = divmod(frame.rotation, 90)  # counterclockwise
    return image if rest or turns % 4 == 0 else np.ascontiguousarray(np.rot90(image, turns))
