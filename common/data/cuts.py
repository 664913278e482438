"""Cuts: one clip each, a recording, frames (time, feature) or a video, with what is said or shown and who speaks.

A cut has one supervision. Frames lie in an `.npy` file and are kept as the cut's temporal array `frames`. What is
known of a video's pictures is kept as the cut's custom field `video`; a cut of pictures has no recording.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, Unpack, cast

import numpy as np

from ..errors import EarsightError
from ..paths import kept_name
from ..texts import tidy

if TYPE_CHECKING:
    from lhotse import CutSet, MonoCut, MultiCut
    from lhotse.array import TemporalArray
    from lhotse.cut import Cut

    class Cuts(CutSet):
        """A CutSet by another name: lhotse annotates its `__iter__` as if it could not be gone through."""

        def __iter__(self) -> Iterator[Cut]: ...


DEFAULT_FRAME_SHIFT = 0.01  # seconds, where nobody says otherwise
DOUBLE_ID = "another clip has this id too"
LARGEST = 1e12  # of any number: samples of a year
EMPTY_CLASS = "a class folder with no clip; add clips of it, or remove it"
Failures = list[tuple[str, str]]  # clips that could not be used: name, reason


# Making cuts


class Said(TypedDict, total=False):
    """What is known of a clip: the keyword arguments that a cut's supervision is made of."""

    text: str | None
    speaker: str | None
    label: str | None
    group: str | None
    language: str | None
    supervision_custom: dict[str, Any] | None


class TimedWord(NamedTuple):
    """A word of a clip, seconds from the clip's start."""

    text: str
    start: float
    end: float


def recording_cut(
    identity: str,
    path: str | Path,
    *,
    sample_rate: int,
    num_samples: int,
    channels: int = 1,
    start: float = 0.0,
    duration: float | None = None,
    custom: dict[str, Any] | None = None,
    **said: Unpack[Said],
) -> MonoCut | MultiCut:
    """A cut of the sound file `path` (kept as an absolute path): all of it, or a part given in seconds.

    One channel makes a MonoCut. Several make a MultiCut of all of them, so that whoever loads it mixes them
    down as `audio.reading` does, and no channel is picked silently.
    """
    from lhotse import AudioSource, MonoCut, MultiCut, Recording

    path = kept_name(path)
    if num_samples <= 0:
        raise EarsightError(f"{path}: holds no samples; leave it out or record it again")
    total = num_samples / sample_rate
    recording = Recording(
        id=identity,
        sources=[AudioSource(type="file", channels=list(range(channels)), source=str(path))],
        sampling_rate=sample_rate,
        num_samples=num_samples,
        duration=total,
    )
    start, duration = _part(path, start, duration, total)
    if channels == 1:
        supervisions = [_supervision(identity, duration, 0, **said)]
        return MonoCut(identity, start, duration, 0, supervisions, recording=recording, custom=custom)
    every = list(range(channels))
    supervisions = [_supervision(identity, duration, every, **said)]
    return MultiCut(identity, start, duration, every, supervisions, recording=recording, custom=custom)


def frames_cut(
    identity: str,
    path: str | Path,
    *,
    shape: tuple[int, ...],
    frame_shift: float = DEFAULT_FRAME_SHIFT,
    values: np.ndarray | None = None,
    start: float = 0.0,
    duration: float | None = None,
    custom: dict[str, Any] | None = None,
    **said: Unpack[Said],
) -> MonoCut:
    """A cut of frames (time, feature) in the `.npy` file `path`; `cut.load_frames()` loads its part of them.

    `values`, where given, are held in memory instead of being read from `path`.
    """
    from lhotse import MonoCut
    from lhotse.array import Array, TemporalArray

    path = kept_name(path)
    if shape[0] == 0 or shape[1] == 0:
        raise EarsightError(f"{path}: holds no frames, shape {tuple(shape)}; leave it out")
    array = Array(
        storage_type="numpy_files",
        storage_path=str(path.parent),
        storage_key=path.name,
        shape=[int(size) for size in shape],
    )
    if values is not None:
        from lhotse.features.io import get_memory_writer

        writer = get_memory_writer("memory_raw")()
        array = Array(writer.name, "", writer.write("", values), list(values.shape))
    frames = TemporalArray(array=array, temporal_dim=0, frame_shift=frame_shift, start=0.0)
    start, duration = _part(path, start, duration, round(shape[0] * frame_shift, 8))
    return MonoCut(
        id=identity,
        start=start,
        duration=duration,
        channel=0,
        supervisions=[_supervision(identity, duration, 0, **said)],
        custom={**(custom or {}), "frames": frames},
    )


def video_cut(
    identity: str,
    path: str | Path,
    *,
    width: int,
    height: int,
    frame_rate: float,
    num_frames: int = 0,
    total: float | None = None,
    start: float = 0.0,
    duration: float | None = None,
    custom: dict[str, Any] | None = None,
    **said: Unpack[Said],
) -> MonoCut:
    """A cut of the pictures of the video file `path` (kept as an absolute path): all, or a part given in seconds.

    `width` and `height` in pixels as shown, `frame_rate` in Hz. `num_frames` (0: not known) and `total` (seconds)
    are the whole file's; without `total` the clip ends where the file does.
    """
    from lhotse import MonoCut

    path = kept_name(path)
    if total is None:
        total = start + duration if duration else num_frames / frame_rate if frame_rate else 0.0
    if total <= 0 or min(width, height) <= 0:
        raise EarsightError(f"{path}: holds no pictures; leave it out or record it again")
    # A container tells its length to about a picture.
    start, duration = _part(path, start, duration, total, slack=1 / frame_rate if frame_rate else 0.1)
    video = {
        "path": str(path),
        "size": [width, height],  # lhotse takes a field with a `width` for one of its images
        "frame_rate": frame_rate,
        "num_frames": num_frames,
        "duration": total,
    }
    return MonoCut(
        id=identity,
        start=start,
        duration=duration,
        channel=0,
        supervisions=[_supervision(identity, duration, 0, **said)],
        custom={**(custom or {}), "video": video},
    )


def _part(
    path: Path, start: float, duration: float | None, total: float, slack: float = 1e-3
) -> tuple[float, float]:
    """The part of a clip in seconds, which must lie inside it (`slack` seconds of rounding are forgiven)."""
    if start >= total:
        raise EarsightError(f"{path}: start {start:g} s is past the clip's end, {total:g} s")
    if duration is None:
        return start, round(total - start, 8)
    if start + duration > total + slack:
        raise EarsightError(f"{path}: {start:g} s + {duration:g} s is past the clip's end, {total:g} s")
    return start, round(min(duration, total - start), 8)


def _supervision(
    identity: str,
    duration: float,
    channel: int | list[int],
    *,
    text: str | None = None,
    speaker: str | None = None,
    label: str | None = None,
    group: str | None = None,
    language: str | None = None,
    supervision_custom: dict[str, Any] | None = None,
) -> Any:
    from lhotse import SupervisionSegment

    custom = dict(supervision_custom or {})
    if label is not None:
        custom["label"] = label
    if group is not None:
        custom["group"] = group
    return SupervisionSegment(
        id=identity,
        recording_id=identity,
        start=0.0,
        duration=duration,
        channel=channel,
        text=text,
        speaker=speaker,
        language=language,
        custom=custom or None,
    )


def cut_set(cuts: list[Any], manifest: str | Path, failures: Failures | None) -> Cuts:
    """The cuts, each id once; a second one is a failure, or an error where failures are not collected."""
    from lhotse import CutSet

    unique: dict[str, Any] = {}
    for cut in cuts:
        if unique.setdefault(cut.id, cut) is cut:
            continue
        if failures is None:
            raise EarsightError(f"{manifest}: two clips have the id {cut.id}; give each its own")
        failures.append((cut.id, DOUBLE_ID))
    return cast("Cuts", CutSet.from_cuts(unique.values()))


# Looking at a cut


def text_of(cut: Any) -> str | None:
    """What is said, tidy (see `common.texts`), or None."""
    text = cut.supervisions[0].text if cut.supervisions else None
    return None if text is None else tidy(text)


def label_of(cut: Any) -> str | None:
    """The class, or None."""
    return _custom_of(cut, "label")


def speaker_of(cut: Any) -> str | None:
    """Who speaks, or None."""
    speaker = cut.supervisions[0].speaker if cut.supervisions else None
    return None if speaker is None else tidy(str(speaker))


def group_of(cut: Any) -> str | None:
    """What must not be split between training and test besides the speaker (a source recording), or None."""
    return _custom_of(cut, "group")


def words_of(cut: Any) -> list[TimedWord]:
    """The words that are said and when, where the corpus tells (GRID's does); else none."""
    words = (cut.supervisions[0].custom or {}).get("words") if cut.supervisions else None
    try:
        return [TimedWord(str(word), float(start), float(end)) for word, start, end in words or ()]
    except (TypeError, ValueError):  # a field of another corpus's own, which means something else
        return []


def custom_of(cut: Any) -> dict[str, Any]:
    """The fields of a cut that lhotse does not know."""
    return getattr(cut, "custom", None) or {}


def frames_of(cut: Any) -> TemporalArray | None:
    """What is known of a cut's stored frames, or None; `common.data.shards.load_frames` reads them."""
    return custom_of(cut).get("frames")


def video_of(cut: Any) -> dict[str, Any] | None:
    """The video file that a cut's pictures are in, or None.

    Returns:
        path (absolute), width and height (pixels), frame_rate (Hz), num_frames (0: not known), duration (seconds, of
        the whole file).
    """
    video = custom_of(cut).get("video")
    if not isinstance(video, dict):  # a cut of sound may name the video it is from
        return None
    width, height = video["size"]
    return {**{key: video[key] for key in video if key != "size"}, "width": width, "height": height}


def film_of(cut: Any) -> str | None:
    """The file of the film that a cut is of, or None: its pictures', or the one that its sound was taken from."""
    video = custom_of(cut).get("video")
    return video["path"] if isinstance(video, dict) else video if isinstance(video, str) else None


def _custom_of(cut: Any, key: str) -> str | None:
    if not cut.supervisions:
        return None
    value = (cut.supervisions[0].custom or {}).get(key)
    return None if value is None else tidy(str(value))


def demand_own_fields(cut: Any) -> None:
    """Raise ValueError where a field of a cut is not of its kind: lhotse makes cuts of any JSON, whatever its types."""
    from lhotse.array import TemporalArray

    if not isinstance(cut.id, str):
        raise ValueError("its id is no text")
    for part in _parts_of(cut):
        _demand_numbers(part, "start", "duration")
        for said in part.supervisions:
            if not isinstance(said.text, str | None) or not isinstance(said.custom, dict | None):
                raise ValueError("what is said in it is no text")
        if (recording := getattr(part, "recording", None)) is not None:
            _demand_numbers(recording, "sampling_rate", "num_samples", "duration")
            if not all(isinstance(source.source, str) for source in recording.sources if source.type == "file"):
                raise ValueError("its recording names no file")
        frames, video = frames_of(part), custom_of(part).get("video")
        if frames is not None:
            if not isinstance(frames, TemporalArray):
                raise ValueError("its frames are no array in time")
            _demand_numbers(frames, "start", "frame_shift")
            array = frames.array
            names = [array.storage_type, array.storage_path]
            names += [array.storage_key] * (array.storage_type == "numpy_files")
            if not all(isinstance(name, str) for name in names):
                raise ValueError("its frames are in no file")
            if not isinstance(array.shape, list | tuple) or not all(map(_is_number, array.shape)):
                raise ValueError("its frames have no shape")
        if isinstance(video, dict):
            size = video.get("size")
            numbers = [*(size if isinstance(size, list) and len(size) == 2 else [None]),
                       *(video.get(name) for name in ("frame_rate", "num_frames", "duration"))]
            if not isinstance(video.get("path"), str) or not all(map(_is_number, numbers)):
                raise ValueError("its video lacks a path, a size, a rate or a length")


def _demand_numbers(owner: Any, *names: str) -> None:
    for name in names:
        if not _is_number(value := getattr(owner, name)):
            raise ValueError(f"{name} is {value!r:.40}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST  # nor NaN


def _parts_of(cut: Any) -> list[Any]:
    return [track.cut for track in getattr(cut, "tracks", [])] or [cut]


def clip_files(cut: Any) -> list[Path]:
    """The local files that hold a cut's sound, frames or pictures; empty for what lies in memory or elsewhere."""
    files = []
    for part in _parts_of(cut):
        recording = getattr(part, "recording", None)
        if recording is not None:
            files += [Path(source.source) for source in recording.sources if source.type == "file"]
        frames = frames_of(part)
        if frames is not None and frames.array.storage_type == "numpy_files":
            files.append(Path(frames.array.storage_path) / frames.array.storage_key)
        if (video := video_of(part)) is not None:
            files.append(Path(video["path"]))
    return files


# Cuts that are moved together with their files


def move_along(cut: Any, before: Path, folder: Path) -> None:
    """Name a cut's files where they lie as seen from `folder`, as they were seen from `before`; if they are there."""
    for file in map(str, clip_files(cut)):
        try:
            if os.path.commonpath([before, file]) == before.anchor:
                continue  # not of one tree, which could have been moved
        except ValueError:  # another drive, or no absolute path
            continue
        moved = os.path.normpath(os.path.join(folder, os.path.relpath(file, before)))
        if os.path.isfile(moved):
            for part in _parts_of(cut):
                _rename(part, file, moved)


def _rename(cut: Any, old: str, new: str) -> None:
    for source in cut.recording.sources if getattr(cut, "recording", None) is not None else []:
        if source.source == old:
            source.source = new
    frames = frames_of(cut)
    if frames is not None and os.path.join(frames.array.storage_path, frames.array.storage_key) == old:
        frames.array.storage_path, frames.array.storage_key = os.path.split(new)
    if (video := video_of(cut)) is not None and video["path"] == old:
        custom_of(cut)["video"]["path"] = new
