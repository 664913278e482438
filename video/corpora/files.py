"""What importers of video corpora share: clips found, looked into several at a time, and made into cuts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...common.batch_run import default_jobs, run_parallel
from ...common.data.corpora.parts import Parts, progress_bar
from ...common.data.cuts import DOUBLE_ID, EMPTY_CLASS, video_cut
from ...common.data.openers import Openers
from ...common.data.tables_and_folders import clips_under
from ...common.errors import EarsightError
from .. import reading
from ..content import has_pictures

AT_A_TIME = 256  # clips that are handed to the threads that look into them


def info(path: Path) -> reading.VideoInfo:
    """What a video's header says; where it does not tell the length, the video is decoded and counted."""
    found = reading.probe(path)
    if found.duration > 0:
        return found
    times = [frame.time for frame in reading.read_frames(path)]
    if found.frame_rate > 0:
        rate = found.frame_rate
    elif len(times) > 1 and times[-1] > times[0]:
        rate = (len(times) - 1) / (times[-1] - times[0])
    else:
        raise EarsightError(f"{path}: its header tells neither length nor frame rate; convert it to mp4")
    return replace(found, frames=len(times), frame_rate=rate, duration=times[-1] + 1 / rate)


OPENERS = Openers(
    video=info,
    suffixes=(*sorted(reading.VIDEO_SUFFIXES), ".npy"),
    video_suffixes=tuple(sorted(reading.VIDEO_SUFFIXES)),
    medium="video",
    has_pictures=has_pictures,
)


@dataclass(frozen=True)
class Clip:
    """A whole video file: its split, what is done in it, and the recording that it was cut from."""

    split: str
    path: Path
    label: str
    group: str


def videos_by_stem(folder: Path, parts: Parts) -> dict[str, Path]:
    """The videos in a folder, at any depth; of two with one stem the second is a failure."""
    found: dict[str, Path] = {}
    for path in clips_under(folder, reading.VIDEO_SUFFIXES):
        if found.setdefault(path.stem, path) is not path:
            parts.failures.append((str(path.relative_to(folder)), f"{DOUBLE_ID}: {found[path.stem]}"))
    return found


def add_clips(parts: Parts, clips: Sequence[Clip], name: str, progress: bool) -> None:
    """Look into each clip and add it to its split, under its file's stem; those that cannot be read are failures."""
    for clip, found in progress_bar(_looked_into(clips), name, progress, len(clips)):
        try:
            if isinstance(found, EarsightError):
                raise found
            cut = video_cut(
                clip.path.stem,
                clip.path,
                width=found.width,
                height=found.height,
                frame_rate=found.frame_rate,
                num_frames=found.frames,
                total=found.duration,
                label=clip.label,
                group=clip.group,
            )
        except EarsightError as error:
            parts.failures.append((clip.path.stem, str(error)))
            continue
        parts.add(clip.split, cut)


def _looked_into(clips: Sequence[Clip]) -> Iterator[tuple[Clip, reading.VideoInfo | EarsightError]]:
    for first in range(0, len(clips), AT_A_TIME):  # so that an interrupt is not kept waiting for all of them
        some = clips[first : first + AT_A_TIME]
        yield from run_parallel(some, lambda clip: info(clip.path), default_jobs())


def note_empty_classes(parts: Parts, paths: Iterable[Path], labels: Iterable[str] | None = None) -> set[str]:
    """Note the folders beside those of `paths` that hold no video; return their names.

    With `labels` only folders of these names are looked at.
    """
    folders = {path.parent for path in paths}
    beside = {each for place in {folder.parent for folder in folders} for each in place.iterdir() if each.is_dir()}
    empty = sorted(
        each
        for each in beside - folders
        if not each.name.startswith(".")
        and (labels is None or each.name in labels)
        and not clips_under(each, reading.VIDEO_SUFFIXES)
    )
    parts.failures += [(each.name, f"{each}: {EMPTY_CLASS}") for each in empty]
    return {each.name for each in empty}


def folder_of_lists(source: Path, given: str, pattern: str, beside: str) -> Path | None:
    """The folder that holds a corpus's official lists, files whose whole name matches `pattern`.

    That is the one `given`, or one under `source`, or `beside` it; None if there is none.
    """
    if given:
        return Path(given)
    for place in (source, source.absolute().parent / beside):
        lists = sorted(path for path in place.rglob("*.txt") if re.fullmatch(pattern, path.name))
        if lists:
            return lists[0].parent
    return None


def demand_split(split: int, corpus: str) -> None:
    """Both UCF101 and HMDB51 have three official splits."""
    if split not in (1, 2, 3):
        raise EarsightError(f"option split is {split}; {corpus} has splits 1, 2 and 3")

