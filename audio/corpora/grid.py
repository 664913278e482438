"""GRID: six-word commands of 34 talkers, seen and heard, with the times of the words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...common.data.corpora.parts import SPLITS, Parts, cased, names_in, progress_bar, read_lines
from ...common.data.cuts import recording_cut
from ...common.errors import EarsightError
from .. import reading
from .files import RATE, write_flac

GRID_UNITS = 25000  # a second, in the .align files
GRID_UNSEEN = ("s1", "s2", "s20", "s22")  # the talkers that LipNet keeps for its test (Assael et al. 2016)
_GRID_SOUND = (".wav", ".flac")
_GRID_VIDEO = (".mp4", ".mpg", ".mov", ".avi", ".mkv", ".webm")


def prepare_grid(
    source: Path,
    destination: Path,
    *,
    case: str = "lower",
    split: str = "auto",
    unseen: Iterable[str] = GRID_UNSEEN,
    progress: bool = True,
) -> Parts:
    """GRID: six-word commands, with picture and sound.

    Clips lie in folders named after the talker (s1, s2, ...), wherever those are; sound is taken from a .wav
    if there is one, else from the video, and written as destination/audio/TALKER/ID.flac, 16 kHz. The cut's
    custom field `video` is the video's path; its supervision's custom field `words` is a list of
    [word, start, end] in seconds, without silences.

    Options: `split`: `files` follows source/splits/{train,dev,test}.txt; `overlapped` gives each talker's
    every tenth clip in alphabetical order to test and every tenth (five later) to dev; `unseen` gives the
    talkers in the option `unseen` to test and divides the others as before into train and dev; `auto` is
    `files` where that folder exists, else `overlapped`. `case`: lower, upper or keep.
    """
    if split == "auto":
        split = "files" if (source / "splits").is_dir() else "overlapped"
    if split not in ("files", "overlapped", "unseen"):
        raise EarsightError(f"option split is {split!r}; it is auto, files, overlapped or unseen")
    aligns = _by_talker(source, (".align",))
    sounds, videos = _by_talker(source, _GRID_SOUND), _by_talker(source, _GRID_VIDEO)
    clips = sorted(sounds.keys() | videos.keys(), key=_talker_order)
    if not clips:
        raise EarsightError(f"{source}: no GRID clips; they lie in folders s1, s2, ... as .mpg, .mp4 or .wav")
    parts = Parts()
    if split == "files":
        chosen = _grid_listed(source / "splits", clips, parts.failures)
    else:
        chosen = _grid_divided(clips, frozenset(names_in(unseen)) if split == "unseen" else frozenset())
    for talker, name in progress_bar([clip for clip in clips if clip in chosen], "GRID", progress):
        clip = (talker, name)
        try:
            if clip not in aligns:
                raise EarsightError(f"no {name}.align for talker {talker}")
            words = _grid_words(aligns[clip], case)
            waveform = reading.read(sounds.get(clip) or videos[clip], RATE)
            sound = destination / "audio" / talker / f"{name}.flac"
            write_flac(waveform.samples, sound)
            cut = recording_cut(
                f"{talker}-{name}",
                sound,
                sample_rate=RATE,
                num_samples=len(waveform.samples),
                text=" ".join(word for word, _, _ in words),
                speaker=talker,
                language="en",
                supervision_custom={"words": words},
                custom={"video": str(videos[clip].resolve())} if clip in videos else None,
            )
        except EarsightError as error:
            parts.failures.append((f"{talker}/{name}", str(error)))
            continue
        parts.add(chosen[clip], cut)
    return parts


def _by_talker(source: Path, suffixes: tuple[str, ...]) -> dict[tuple[str, str], Path]:
    """Files by (talker, clip); the talker is the nearest folder named s and a number."""
    files = {}
    for path in sorted(source.rglob("*")):
        if path.suffix.lower() in suffixes and not path.name.startswith("."):
            folders = path.relative_to(source.parent if re.fullmatch(r"s\d+", source.name) else source).parts
            talker = next((name for name in reversed(folders[:-1]) if re.fullmatch(r"s\d+", name)), None)
            if talker is not None:
                files.setdefault((talker, path.stem), path)
    return files


def _talker_order(clip: tuple[str, str]) -> tuple[int, str]:
    return int(clip[0][1:]), clip[1]


def _grid_listed(
    folder: Path, clips: list[tuple[str, str]], failures: list[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Follow lists of `ID` or `TALKER/ID`; a listed clip that is not there is a failure."""
    chosen: dict[tuple[str, str], str] = {}
    for split in SPLITS:
        path = folder / f"{split}.txt"
        for line in read_lines(path) if path.is_file() else []:
            talker, _, name = line.rpartition("/")
            found = [clip for clip in clips if clip == (talker, name) or (not talker and clip[1] == name)]
            if not found:
                failures.append((line, f"listed in {path.name} and not there"))
            for clip in found:
                if chosen.setdefault(clip, split) != split:
                    raise EarsightError(f"{path}: {line} is in {chosen[clip]} too; keep it in one part")
    return chosen


def _grid_divided(clips: list[tuple[str, str]], unseen: frozenset[str]) -> dict[tuple[str, str], str]:
    """Every tenth clip, not a block of them: in alphabetical order a block would hold one command only."""
    if unseen and not unseen & {talker for talker, _ in clips}:
        raise EarsightError(f"option unseen names {', '.join(sorted(unseen))}; no clip is of these talkers")
    chosen, place = {}, {}
    for talker, name in clips:
        if talker in unseen:
            chosen[talker, name] = "test"
            continue
        number = place[talker] = place.get(talker, -1) + 1
        held = {0: "train" if unseen else "test", 5: "dev"}
        chosen[talker, name] = held.get(number % 10, "train")
    return chosen


def _grid_words(path: Path, case: str) -> list[list[Any]]:
    """Read `start end word` lines into [word, start, end] in seconds, leaving out silences."""
    words = []
    for number, line in enumerate(read_lines(path), start=1):
        try:
            start, end, word = line.split()
            times = int(start) / GRID_UNITS, int(end) / GRID_UNITS
        except ValueError as error:
            raise EarsightError(f"{path}, line {number}: {line!r} is not `start end word`") from error
        if word not in ("sil", "sp"):
            words.append([cased(word, case), *times])
    if not words:
        raise EarsightError(f"{path}: holds no words")
    return words
