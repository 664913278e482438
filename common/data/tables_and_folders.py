"""Clips listed in a CSV or TSV, or laid out as a folder per class, made into cuts."""

from __future__ import annotations

import csv
import difflib
import io
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import count as count_from
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import EarsightError, require
from ..paths import files_under, kept_name, why_missing
from ..texts import read_text, tidy
from .cuts import (
    DEFAULT_FRAME_SHIFT,
    DOUBLE_ID,
    EMPTY_CLASS,
    Failures,
    cut_set,
    frames_cut,
    frames_of,
    recording_cut,
    video_cut,
    video_of,
)
from .openers import Openers, look_at_frames, look_at_sound

if TYPE_CHECKING:
    from lhotse.cut import MonoCut, MultiCut

    from .cuts import Cuts

COLUMNS = (
    "path", "text", "label", "start", "duration", "speaker", "group", "split", "frame_shift", "id",
)
TABLE_SUFFIXES = (".csv", ".tsv")
SEPARATORS = (",", ";", "\t", "|")


def read_table(
    path: str | Path, openers: Openers | None = None, failures: Failures | None = None
) -> Cuts:
    """Read a table with the header `path,text` or `path,label`, and any of the optional columns.

    `start` and `duration` (seconds) cut a part out of the clip; `frame_shift` (seconds) goes with frames;
    `id`, `speaker`, `group`, `split` name things. Paths are relative to the table's folder. The split is kept
    as the supervision's custom field `split`. Texts and names are brought to one form (`common.texts.tidy`). An
    error names the file, the line and the column. With a list `failures`, clips that cannot be used are noted
    there and the others go on.
    """
    path = Path(path)
    require("lhotse", "train")
    clips = [_row_clip(row, path.parent, where) for where, row in table_rows(path, _check_header)]
    if not clips:
        raise EarsightError(f"{path}: the table has a header and no rows; add a line for each clip")
    return _cuts_of(clips, path, path.parent, openers or Openers(), failures)


def read_folder(
    path: str | Path, openers: Openers | None = None, failures: Failures | None = None
) -> Cuts:
    """Read `path/LABEL/*.wav` (any sound, video, or .npy frames, at any depth): the folder's name is the label.

    A class folder with no clip is an error, or noted as a failure.
    """
    path = Path(path)
    require("lhotse", "train")
    openers = openers or Openers()
    try:
        labels = sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))
    except OSError as error:
        raise EarsightError(f"{path}: this folder cannot be read ({error.strerror}); change its permissions") from error
    unread: list[EarsightError] = []
    of_label = {folder: files_under(folder, openers.suffixes, unread.append) for folder in labels}
    if unread and failures is None:
        raise unread[0]
    for error in unread:
        assert failures is not None
        failures.append((path.name, str(error)))
    if not any(of_label.values()):
        if unread:
            raise unread[0]
        raise EarsightError(
            f"{path}: no clips found; a folder per class holds {path.name}/LABEL/clip.wav (or .npy frames, or videos)"
        )
    for folder in (folder for folder, clips in of_label.items() if not clips):
        if failures is None:
            raise EarsightError(f"{folder}: {EMPTY_CLASS}")
        failures.append((folder.name, f"{folder}: {EMPTY_CLASS}"))
    clips = [_Clip(clip, where="", label=tidy(folder.name)) for folder in labels for clip in of_label[folder]]
    return _cuts_of(clips, path, path, openers, failures)


def clips_under(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """The files in `folder`, at any depth, with one of `suffixes` (lower case), in order; hidden ones left out."""
    return files_under(folder, suffixes)


# Tables


def table_rows(
    path: Path, check_header: Callable[[list[str], Path], None]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each row of a CSV or TSV by its columns, with the words that say where it stands.

    The header tells the separator (comma, semicolon, tab or |), whatever the suffix. A first column without a name, the
    index that pandas writes, is passed over, and so are others as long as they are empty.

    `check_header` gets the names of the columns and the path, and raises EarsightError for what is not wanted.
    """
    content = read_text(path, "the table")
    first = 0
    if announced := re.match(r"sep=(.)\r?\n", content):  # as Excel writes and reads it
        content, first = content[announced.end() :], 1
    default = announced[1] if announced else "\t" if path.suffix.lower() == ".tsv" else ","
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=_separator(content, default), strict=True)
    try:
        header = [tidy(name) for name in next(reader, [])]
        if header and header[0].startswith("Unnamed: ") and len(header) > 1:  # pandas, read and written again
            header[0] = ""
        index = 0 if len(header) > 1 and not header[0] else None
        check_header([name for name in header if name] if any(header) else header, path)
        for cells in reader:
            where = f"{path}, line {first + reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise EarsightError(
                    f"{where}: {len(cells)} values for {len(header)} columns; "
                    "put a value that holds the separator in double quotes"
                )
            for number, (name, cell) in enumerate(zip(header, cells, strict=True)):
                if not name and number != index and cell.strip():
                    raise EarsightError(f"{where}: {tidy(cell)!r} is in column {number + 1}, which has no name")
            yield where, {name: cell.strip() for name, cell in zip(header, cells, strict=True) if name}
    except csv.Error as error:
        raise EarsightError(f"{path}, line {first + reader.line_num}: not a table ({error})") from error


def _separator(content: str, default: str) -> str:
    """What parts a table's columns: that by which most of its header's names are known ones."""

    def known(separator: str) -> int:
        header = next(csv.reader(io.StringIO(content, newline=""), delimiter=separator), [])
        return len({tidy(name) for name in header} & {*COLUMNS})

    try:
        return max((default, *SEPARATORS), key=known)  # the first of equals
    except csv.Error:
        return default


def _check_header(header: list[str], path: Path) -> None:
    if not any(header):
        raise EarsightError(f"{path}: the table is empty; its first line is path,text or path,label")
    for name in header:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name.lower(), COLUMNS, n=1, cutoff=0.5)
            known = f"columns are {', '.join(COLUMNS)}; a table of values over time is for `earsight prepare series`"
            hint = f"did you mean {near[0]}?" if near else known
            raise EarsightError(f"{path}, line 1: unknown column {name!r}; {hint}")
        if header.count(name) > 1:
            raise EarsightError(f"{path}, line 1: column {name} is there twice; leave one")
    if "path" not in header or not {"text", "label"} & set(header):
        raise EarsightError(f"{path}, line 1: columns path and text, or path and label, are needed")


def _row_clip(row: dict[str, str], folder: Path, where: str) -> _Clip:
    if not row["path"]:
        raise EarsightError(f"{where}, column path: no file named")
    if "\0" in row["path"]:
        raise EarsightError(f"{where}, column path: a NUL in {row['path']!r}; save the table as UTF-8")
    named = {name: tidy(row[name]) for name in ("text", "label", "speaker", "group", "split", "id") if name in row}
    text, label = named.get("text"), named.get("label") or None
    if text is None and label is None:
        raise EarsightError(f"{where}, column label: empty; say what is in {row['path']}")
    return _Clip(
        _place(folder, row["path"]),
        where,
        identity=named.get("id") or None,
        start=_seconds(row, "start", where, least=0.0) or 0.0,
        duration=_seconds(row, "duration", where, above=0.0),
        frame_shift=_seconds(row, "frame_shift", where, above=0.0) or DEFAULT_FRAME_SHIFT,
        text=None if label and not text else text,  # an empty text of a clip without label: nothing is said
        label=label,
        speaker=named.get("speaker") or None,
        group=named.get("group") or None,
        split=named.get("split") or None,
        named=row["path"],
    )


def _place(folder: Path, named: str) -> Path:
    """Where the file lies that a table names: below the table, by whatever separates its folders."""
    path = folder / named
    if "\\" in named and not os.path.exists(path) and os.path.exists(other := folder / named.replace("\\", "/")):
        return other
    return path


def _seconds(
    row: dict[str, str], column: str, where: str, least: float = -math.inf, above: float = -math.inf
) -> float | None:
    value = row.get(column)
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError as error:
        hint = f"; write {value.replace(',', '.')}" if re.fullmatch(r"\d+,\d+", value) else ""
        raise EarsightError(f"{where}, column {column}: {value!r} is not a number of seconds{hint}") from error
    if not math.isfinite(seconds) or seconds < least or seconds <= above:
        wanted = "at least 0" if least == 0.0 else "more than 0"
        raise EarsightError(f"{where}, column {column}: {value} s; it must be {wanted}")
    return seconds


# Clips named by a table or a folder


@dataclass(frozen=True)
class _Clip:
    path: Path
    where: str  # "clips.csv, line 3"; empty where the path says it all
    identity: str | None = None
    start: float = 0.0
    duration: float | None = None
    frame_shift: float = DEFAULT_FRAME_SHIFT
    text: str | None = None
    label: str | None = None
    speaker: str | None = None
    group: str | None = None
    split: str | None = None
    named: str = ""  # the path, as the table has it


def _cuts_of(
    clips: list[_Clip], manifest: Path, folder: Path, openers: Openers, failures: Failures | None
) -> Cuts:
    looked: dict[tuple[Path, str], Any] = {}  # many rows may cut parts out of one long file: look into it once
    made = []
    for clip in openers.watch(clips):
        try:
            made.append((clip, _clip_cut(clip, openers, looked)))
        except EarsightError as error:
            message = f"{clip.where}: {error}" if clip.where else str(error)
            if failures is None:
                raise EarsightError(message) from error
            failures.append((clip.identity or clip.path.stem, message))
    cuts: dict[str, tuple[_Clip, MonoCut | MultiCut]] = {}
    for (clip, _), cut in zip(made, _with_unique_ids(made, folder), strict=True):
        other, _ = cuts.setdefault(cut.id, (clip, cut))
        if other is clip:
            continue
        if failures is None:
            place = clip.where or str(manifest)
            raise EarsightError(f"{place}: two clips have the id {cut.id}, see {_place_of(other)}; give each its own")
        same = "" if clip.identity else ", and is the same part of the same file"
        failures.append((cut.id, f"{_place_of(clip)}: {DOUBLE_ID}, {_place_of(other)}{same}"))
    return cut_set([cut for _, cut in cuts.values()], manifest, failures)


def _place_of(clip: _Clip) -> str:
    return clip.where or str(clip.path)


def _clip_cut(clip: _Clip, openers: Openers, looked: dict[tuple[Path, str], Any]) -> MonoCut | MultiCut:
    if not os.path.isfile(clip.path):
        named = f"clip {clip.identity} names " if clip.identity else ""
        if reason := why_missing(clip.named):
            raise EarsightError(f"{named}{clip.named}: {reason}")
        if os.path.isdir(clip.path):
            raise EarsightError(f"{named}{clip.path}, which is a folder; name a file")
        if os.path.islink(clip.path):
            raise EarsightError(f"{named}{clip.path}, a link to {os.readlink(clip.path)}, which is not there; fetch it")
        raise EarsightError(f"{named}{clip.path}, which is not there; correct the path")
    path = kept_name(clip.path)
    medium = openers.medium_of(path, clip.label, clip.text)
    if (path, medium) not in looked:
        looked[path, medium] = _look(path, medium, openers)
    inside = looked[path, medium]
    name = clip.identity or tidy(path.stem)
    said = {
        "start": clip.start,
        "duration": clip.duration,
        "text": clip.text,
        "label": clip.label,
        "speaker": clip.speaker,
        "group": clip.group,
        "supervision_custom": {"split": clip.split} if clip.split else None,
    }
    if medium == "frames":
        return frames_cut(
            name, path, shape=inside.shape, frame_shift=clip.frame_shift, values=inside.values, **said
        )
    if medium == "video":
        return video_cut(
            name,
            path,
            width=inside.width,
            height=inside.height,
            frame_rate=inside.frame_rate,
            num_frames=inside.frames,
            total=inside.duration,
            **said,
        )
    return recording_cut(
        name,
        path,
        sample_rate=inside.sample_rate,
        num_samples=inside.frames,
        channels=inside.channels,
        **said,
    )


def _look(path: Path, medium: str, openers: Openers) -> Any:
    """The FramesHeader, VideoHeader or SoundHeader of a clip's file."""
    if medium == "frames":
        return look_at_frames(path, openers)
    return openers.video(path) if medium == "video" and openers.video else look_at_sound(path, openers)


def _with_unique_ids(made: list[tuple[_Clip, MonoCut | MultiCut]], folder: Path) -> list[MonoCut | MultiCut]:
    """Where clips share a file stem, they take their folders' names too: `left/a.wav` is `left-a`.

    Parts of one file also take their start in milliseconds. Where that makes two names alike, they take their suffix,
    and at last a number. Ids that a table gives stay as they are.
    """
    from lhotse.utils import fastcopy

    taken = {clip.identity for clip, _ in made}
    waiting: dict[_Part, list[int]] = {}  # a part of a file that is listed twice is one clip
    for number, (clip, cut) in enumerate(made):
        if clip.identity is None:
            part = _Part(Path(os.path.abspath(clip.path)), cut.start, cut.duration, _whole(cut))
            waiting.setdefault(part, []).append(number)
    names: dict[int, str] = {}
    for detail in ("stem", "folders", "suffix"):
        candidates = {part: _made_up(part, folder, detail) for part in waiting}
        uses = Counter(candidates.values())
        found = {part: name for part, name in candidates.items() if uses[name] == 1 and name not in taken}
        taken.update(found.values())
        names |= {number: name for part, name in found.items() for number in waiting.pop(part)}
    for part, numbers in waiting.items():
        name = _made_up(part, folder, "suffix")
        if name in taken:
            name = next(f"{name}-{count}" for count in count_from(2) if f"{name}-{count}" not in taken)
        taken.add(name)
        names |= dict.fromkeys(numbers, name)
    cuts = []
    for number, (_, cut) in enumerate(made):
        if (name := names.get(number, cut.id)) != cut.id:
            said = [fastcopy(each, id=name, recording_id=name) for each in cut.supervisions]
            recording = fastcopy(cut.recording, id=name) if cut.recording is not None else None
            cut = fastcopy(cut, id=name, supervisions=said, recording=recording)
        cuts.append(cut)
    return cuts


class _Part(NamedTuple):
    path: Path  # absolute
    start: float
    duration: float
    whole: bool


def _made_up(part: _Part, folder: Path, detail: str) -> str:
    """An id for a clip that has none: its stem, then its folders too, then its suffix too."""
    if detail == "stem":
        return tidy(part.path.stem)
    path, root = part.path if detail == "suffix" else part.path.with_suffix(""), os.path.abspath(folder)
    name = "-".join(path.relative_to(root).parts if path.is_relative_to(root) else path.parts[1:])
    return tidy(name if part.whole else f"{name}-{round(part.start * 1000):07d}")


def _whole(cut: MonoCut | MultiCut) -> bool:
    video, held = video_of(cut), cut.recording or frames_of(cut)
    total = video["duration"] if video else held.duration if held else cut.duration
    return cut.start == 0.0 and math.isclose(cut.duration, total, abs_tol=1e-3)
