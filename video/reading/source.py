"""What the decoders of video give: the pictures of a file in order, and what its header says."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...common.errors import EarsightError

TOLERANCE = 0.0011  # seconds by which a frame may come early: Matroska rounds to milliseconds, and two times differ
JITTER = 0.1  # seconds by which tracks may begin one after another and are still taken to begin together
USUAL_RATE = 25.0  # Hz, where a container tells neither times nor a rate


class Picture(NamedTuple):
    """A decoded picture, not yet converted."""

    time: float | None  # seconds from the file's start, None where the container has none
    image: Callable[[], np.ndarray]  # RGB; to be called before the next picture is taken


@dataclass(frozen=True)
class Source:
    """An opened file."""

    frame_rate: float  # Hz; 0 where a value is not known
    duration: float  # seconds that the pictures last
    frames: int
    pictures: Iterator[Picture]
    start: float = 0.0  # seconds from the file's start, which its sound may make, to the first picture


def no_pictures(path: str | Path) -> EarsightError:
    return EarsightError(f"{path}: holds no pictures (0 frames); copy it again, or record it again")


def undecodable(path: Path, reason: str) -> EarsightError:
    return EarsightError(
        f"{path}: cannot be decoded as video ({reason}); it is damaged, cut short or something else: "
        "copy it again, or convert it to MP4"
    )
