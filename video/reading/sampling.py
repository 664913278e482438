"""A video's frames, all of them or at a fixed rate, with their times."""

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...common.containers import inspect, is_mp4
from ...common.errors import EarsightError
from ...common.parts import parts
from ...common.paths import ADDRESS
from .source import JITTER, TOLERANCE, USUAL_RATE, Source, no_pictures
from .with_libav import open_libav, open_stream
from .with_opencv import is_true_to_time, is_utf8, open_camera, open_opencv

# Suffixes that a folder is searched for; a file that is named is tried whatever its suffix.
VIDEO_SUFFIXES = frozenset(
    (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg")
    + (".wmv", ".flv", ".3gp", ".ogv", ".gif", ".ts")
)
LEAP = 1.0  # seconds between frames, from which on it is asked whether the next goes on from there
LONGEST_GAP = 3600.0  # seconds between frames; a damaged time must not make moments without end
HIGHEST_RATE = 1000.0  # Hz; no camera of films is so fast, and a slip must not make moments without end


@dataclass(frozen=True)
class VideoInfo:
    """What a file's header says, and its first frame: all but the size may be wrong or 0, "not known"."""

    width: int  # pixels, as shown: rotation applied
    height: int
    frame_rate: float  # Hz, on average
    duration: float  # seconds from the file's start to the last picture's end
    frames: int
    start: float = 0.0  # seconds from the file's start to its first picture


class Frame(NamedTuple):
    """`time` in seconds from the file's start; `image` uint8 (height, width, 3), RGB."""

    time: float
    image: np.ndarray


class Moment(NamedTuple):
    """A frame with its time in seconds, and the frame a little `later`, None where none was asked for.

    Images are what `fit` returned, else uint8 (height, width, 3), RGB. Moments may share an image.
    """

    time: float
    image: np.ndarray
    later: np.ndarray | None


def probe(path: str | Path) -> VideoInfo:
    """Size, rate and length of a video, from its header and its first frame. Raises EarsightError."""
    source = _open(Path(path), 1)
    for picture in source.pictures:
        height, width = picture.image().shape[:2]
        duration = source.start + source.duration if source.duration else 0.0
        return VideoInfo(width, height, source.frame_rate, duration, source.frames, source.start)
    raise no_pictures(path)


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
        raise no_pictures(path)


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

    Where no frame comes for a while, the one that comes next stands for all these k; but k = 0 is the first frame where
    the pictures begin later than `start`. Only frames that are wanted
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
        EarsightError: for all that is wrong with the file, where it has no frame from `start` to `end`, and for a rate
            that is none, or above HIGHEST_RATE.
    """
    _check_rate(rate)
    pictures = _pictures(Path(path), threads)
    return _sampled(str(path), pictures, rate, lag, fit, start, end)


def sample_live(source: str, rate: float, lag: float | None = None,
                fit: Callable[[np.ndarray], np.ndarray] | None = None) -> Iterator[Moment]:
    """The same of a camera (its number) or a stream (its address), whose times count from its first picture.

    It has no end but that of the stream. Pictures that come while nobody takes a moment are passed over.

    Raises:
        EarsightError: it is not there, or goes away.
    """
    _check_rate(rate)
    pictures = open_camera(int(source)) if source.isdecimal() else open_stream(source)
    return _sampled(source, pictures, rate, lag, fit, 0.0, None)


def is_live(source: str) -> bool:
    """Whether what a user names is a camera or a stream, and no file."""
    return (source.isdecimal() or ADDRESS.match(source) is not None) and not Path(source).exists()


def _check_rate(rate: float) -> None:
    if not 0 < rate <= HIGHEST_RATE:
        raise EarsightError(f"sampling rate {rate:g} Hz: not above 0 and up to {HIGHEST_RATE:g}; name the frames a "
                            "second that are wanted")


def _sampled(name: str, pictures: Iterable[tuple[float, Callable[[], np.ndarray]]], rate: float, lag: float | None,
             fit: Callable[[np.ndarray], np.ndarray] | None, start: float, end: float | None) -> Iterator[Moment]:
    """The moments of pictures with times that rise; see `sample`."""
    begin, moments = start, 0  # taken; the next is wanted from begin + moments / rate on
    waiting: deque[Moment] = deque()
    paired, time, fitted = False, None, None

    def due(moment: Moment) -> bool:
        return lag is None or reached >= moment.time + lag

    for number, (time, image) in enumerate(pictures):
        if number == 0 and time > start + JITTER:
            begin = time  # before that there is nothing to be seen
        if end is not None and time >= end - TOLERANCE:
            break
        reached = time + TOLERANCE
        wanted = reached >= begin + moments / rate
        # Until a first pair is complete, any frame may be the last of the clip, and then its second half.
        if not (wanted or waiting and (not paired or due(waiting[0]))):
            continue
        fitted = fit(image()) if fit else image()
        while reached >= begin + moments / rate:
            moments += 1
            waiting.append(Moment(time, fitted, None))
        while waiting and due(waiting[0]):
            paired = True
            yield waiting.popleft()._replace(later=None if lag is None else fitted)
    if time is None:
        raise no_pictures(name)
    if not moments:
        span = f"from {start:g} s on" if end is None else f"from {start:g} to {end:g} s"
        raise EarsightError(f"{name}: has no frame {span} (read up to {time:.3f} s); correct the times")
    if not paired:
        yield waiting[0]._replace(later=fitted)


def _pictures(path: Path, threads: int) -> Iterator[tuple[float, Callable[[], np.ndarray]]]:
    """The frames of a file with times that rise.

    A time that is missing, not after the one before or absurdly far from it, becomes that one and a frame's duration;
    so does one that leaps ahead of the next.
    """
    source = _open(path, threads)
    if is_mp4(head := inspect(path, "video")) and len(joined := parts(path, head)) > 1:
        print(f"warning: {path}: only the first of {len(joined)} joined films is read, as players do; the next begins "
              f"at byte {joined[1].start}: split them", file=sys.stderr, flush=True)
    step = 1 / (source.frame_rate or USUAL_RATE)
    last, held = source.start - step, None
    for time, image in source.pictures:
        if held is not None:
            last = held[0] if time is None or time > held[0] else last + step
            yield last, held[1]
            held = None
        if time is None or not max(last, -TOLERANCE) < time < last + LONGEST_GAP:
            last += step
        elif time > last + max(LEAP, 2 * step):  # the next must say so too; by then this picture is gone
            held = time, partial(_same, image())
            continue
        else:
            last = time
        yield last, image
    if held is not None:
        told = not source.duration or held[0] < source.start + source.duration + LEAP
        yield held[0] if told else last + step, held[1]


def _same(image: np.ndarray) -> np.ndarray:
    return image


def _open(path: Path, threads: int) -> Source:
    head = inspect(path, "video")
    source = open_opencv(path, threads) if is_true_to_time(head) and is_utf8(path) else None
    return source or open_libav(path, threads)
