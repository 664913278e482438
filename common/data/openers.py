"""How a clip's file is looked into before a cut is made of it: sound, frames (time, feature) or video."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..errors import EarsightError, first_line

if TYPE_CHECKING:
    from lhotse.cut import Cut

    from .cuts import Failures

CLIP_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aif", ".aiff", ".npy")
FRAME_SUFFIXES = (".npy", ".mfc")
MEDIA = ("auto", "sound", "video")


class SoundHeader(Protocol):
    """What a manifest says of a sound file; `audio.reading.SoundInfo` is one."""

    @property
    def sample_rate(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def frames(self) -> int: ...


class VideoHeader(Protocol):
    """What a manifest says of a video file; `video.reading.VideoInfo` is one."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def frame_rate(self) -> float: ...
    @property
    def frames(self) -> int: ...
    @property
    def duration(self) -> float: ...


@dataclass(frozen=True)
class Openers:
    """How a table's or a folder's clips are looked into: `OPENERS` of `audio.corpora.files`, of `video.corpora.files`.

    Attributes:
        sound: the header of a sound file; None leaves that to lhotse.
        frames: the frames in other files than `.npy`.
        video: the header of a video file, whose length is known; None takes videos for their sound.
        suffixes: what counts as a clip in a folder per class, lower case.
        video_suffixes: those of them that videos have.
        medium: what a video file is taken for: `video`, `sound`, or `auto`: a video where it has a label and no
            text, else its sound.
        has_pictures: whether a file is a video; None leaves that to its suffix.
        settle: what `earsight prepare` does with a cut whose file training cannot read where it lies; it gets the cut
            and the destination folder.
        tables: the cuts of a table of series, or of a folder of them, and None for what is none.
        watch: wraps the list of clips, for a progress bar.
    """

    sound: Callable[[Path], SoundHeader] | None = None
    frames: Callable[[Path], np.ndarray] | None = None
    video: Callable[[Path], VideoHeader] | None = None
    suffixes: tuple[str, ...] = CLIP_SUFFIXES
    video_suffixes: tuple[str, ...] = ()
    medium: str = "auto"
    has_pictures: Callable[[Path], bool] | None = None
    settle: Callable[[Cut, Path], Cut] = lambda cut, destination: cut
    tables: Callable[[Path, Failures | None], Sequence[Cut] | None] = lambda path, failures: None
    watch: Callable[[list[Any]], Iterable[Any]] = iter

    def medium_of(self, path: Path, label: str | None, text: str | None) -> str:
        """What a clip's file is taken for: frames, video or sound."""
        suffix = path.suffix.lower()
        if suffix in FRAME_SUFFIXES:
            return "frames"
        shown = label is not None and text is None
        if self.video is None or self.medium == "sound" or (self.medium == "auto" and not shown):
            return "sound"
        if self.medium == "video":
            return "video"
        filmed = self.has_pictures(path) if self.has_pictures else suffix in self.video_suffixes
        return "video" if filmed else "sound"


def both_media(sound: Openers, video: Openers) -> Openers:
    """Openers for sound and video together; which of them a video file is taken for is found out clip by clip."""
    suffixes = tuple(sorted({*sound.suffixes, *video.suffixes}))
    return replace(sound, video=video.video, suffixes=suffixes, video_suffixes=video.video_suffixes, medium="auto",
                   has_pictures=video.has_pictures)


@dataclass(frozen=True)
class FramesHeader:
    """What a manifest says of frames; `values` are None where the `.npy` file itself is referred to."""

    shape: tuple[int, ...]
    values: np.ndarray | None


@dataclass(frozen=True)
class _Sound:
    sample_rate: int
    channels: int
    frames: int


def look_at_frames(clip: Path, openers: Openers) -> FramesHeader:
    """Look into an `.npy` file, or read another one through the openers."""
    if clip.suffix.lower() == ".npy":
        return FramesHeader(npy_shape(clip), None)
    if openers.frames is None:
        raise EarsightError(f"{clip}: {clip.suffix} frames are read by `earsight prepare csv` only")
    values = openers.frames(clip)
    return FramesHeader(values.shape, values)


def look_at_sound(clip: Path, openers: Openers) -> SoundHeader:
    """Look into a sound file, through lhotse where the openers do not know sound."""
    if openers.sound is not None:
        return openers.sound(clip)
    from lhotse import Recording

    try:
        recording = Recording.from_file(clip)
    except Exception as error:  # one kind a backend
        raise EarsightError(f"{clip}: not sound that can be read here; convert it to wav or flac") from error
    return _Sound(recording.sampling_rate, recording.num_channels, recording.num_samples)


def npy_shape(path: str | Path) -> tuple[int, ...]:
    """The shape of an `.npy` file of frames, (time, feature), from its header. Nothing pickled is opened."""
    path = Path(path)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy reads the header as Python, which raises what it likes
        raise EarsightError(
            f"{path}: not an array that can be read ({first_line(error)}); "
            "save frames (time, feature) with numpy.save(path, frames.astype('float32'))"
        ) from error
    if not isinstance(array, np.ndarray):
        raise EarsightError(f"{path}: an archive of arrays, not one array; write it with numpy.save")
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise EarsightError(
            f"{path}: shape {array.shape} of {array.dtype}; frames are numbers of shape (time, feature)"
        )
    return array.shape
