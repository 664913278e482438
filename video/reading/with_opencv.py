"""Video that OpenCV reads: containers whose times it tells truly and whose length it knows."""

import os
import threading
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from time import monotonic
from types import ModuleType
from typing import Any

import numpy as np

from ...common.containers import is_matroska, is_mp4, is_transport
from ...common.errors import EarsightError, first_line
from .source import JITTER, TOLERANCE, Picture, Source, undecodable
from .with_libav import open_libav, track_start

ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
NO_PROPERTY = -1

_opening = threading.Lock()  # OpenCV's level of messages is the whole process's


def is_true_to_time(head: bytes) -> bool:
    """Whether OpenCV gives this kind of file its presentation times. AVI and MPEG-PS it does not."""
    return is_transport(head) or is_mp4(head) or is_matroska(head) or head.startswith((ASF, b"FLV", b"GIF8"))


def is_utf8(path: Path) -> bool:
    """Whether OpenCV can be given this name: any other crashes it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


@cache
def _opencv() -> ModuleType:
    # Its libav prints what is wrong with a file, which is told here in an error.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    import cv2

    return cv2


def open_opencv(path: Path, threads: int) -> Source | None:
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
    grabbed = capture.grab()
    # OpenCV counts times from the first picture, and tells by the track's own clock when that is: where it may be late,
    # libav knows when the file starts.
    late = grabbed and capture.get(getattr(cv2, "CAP_PROP_PTS", NO_PROPERTY)) / rate > JITTER
    start = track_start(path) if late else 0.0
    pictures = _captured(path, capture, grabbed, start, rate, count, threads)
    return Source(rate, count / rate, round(count), pictures, start)


def open_camera(number: int) -> Iterator[tuple[float, Callable[[], np.ndarray]]]:
    """The pictures of a camera as they come, with the seconds since the first. Raises EarsightError."""
    cv2 = _opencv()
    messages, name = cv2.utils.logging, f"camera {number}"
    with _opening:
        level = messages.setLogLevel(messages.LOG_LEVEL_SILENT)
        try:
            capture = cv2.VideoCapture(number)
        except cv2.error as error:
            raise EarsightError(f"{name}: cannot be opened ({first_line(error)}); unplug it, and plug it in") from error
        finally:
            messages.setLogLevel(level)
    if not capture.isOpened():
        raise EarsightError(f"{name}: not there, or another program has it; plug it in, close that, or name another "
                            "(on Linux, /dev/video0 is camera 0)")

    def pictures() -> Iterator[tuple[float, Callable[[], np.ndarray]]]:
        begun, time = None, 0.0
        try:
            while capture.grab():
                now = monotonic()
                begun = now if begun is None else begun
                time = now - begun
                yield time, partial(_retrieve, Path(name), capture)
        finally:
            capture.release()
        raise EarsightError(f"{name}: gives no picture{'' if begun is None else f' any more, after {time:.1f} s'}; it "
                            "was unplugged, or its driver stopped: plug it in, and begin again")

    return pictures()


def _captured(path: Path, capture: Any, grabbed: bool, start: float, rate: float, count: float, threads: int
              ) -> Iterator[Picture]:
    """The pictures that OpenCV decodes, then those that libav does where OpenCV stops short of `count`."""
    cv2 = _opencv()
    image = partial(_retrieve, path, capture)
    decoded, time = 0, -1.0
    try:
        while grabbed:
            decoded, time = decoded + 1, start + capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            yield Picture(time, image)
            grabbed = capture.grab()
    finally:
        capture.release()
    # OpenCV ends at the first packet that does not decode. libav goes on after it, and tells damage from a header
    # that is wrong. The announced end may be counted from before the track's start: 0.1 s are no reason.
    if decoded < count and time - start + 1 / rate < 0.97 * count / rate - 0.1:
        for picture in open_libav(path, threads).pictures:
            if picture.time is not None and picture.time > time + TOLERANCE:
                yield picture


def _retrieve(path: Path, capture: Any) -> np.ndarray:
    cv2 = _opencv()
    try:
        found, image = capture.retrieve()
    except cv2.error as error:
        raise undecodable(path, first_line(error)) from error
    if not found:
        raise undecodable(path, "a frame has no picture")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
