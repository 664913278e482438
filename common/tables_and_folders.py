"""Clips listed in a CSV or TSV, or laid out as a folder per class, made into cuts."""

from __future__ import annotations

import csv
import difflib
import io
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from common.cuts import DEFAULT_FRAME_SHIFT, Failures, cut_set, frames_cut, recording_cut
from common.errors import EarsightError, first_line, require

if TYPE_CHECKING:
    from lhotse import CutSet
    from lhotse.cut import Cut

COLUMNS = (
    "path", "text", "label", "start", "duration", "speaker", "group", "split", "frame_shift", "id",
)
TABLE_SUFFIXES = (".csv", ".tsv")
CLIP_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aif", ".aiff", ".npy")


class SoundHeader(Protocol):
    """What a manifest says of a sound file; `audio.reading.SoundInfo` is one."""

    @property
    def sample_rate(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def frames(self) -> int: ...


@dataclass(frozen=True)
class Openers:
    """How a table's or a folder's clips are looked into; `audio.corpora.OPENERS` knows every format."""

    sound: Callable[[Path], SoundHeader] | None = None  # None: lhotse reads the header
    frames: Callable[[Path], np.ndarray] | None = None  # for frames in other files than .npy
    suffixes: tuple[str, ...] = CLIP_SUFFIXES  # what counts as a clip in a folder per class
    watch: Callable[[list[Any]], Iterable[Any]] = iter  # wraps the list of clips: a progress bar


def read_table(
    path: str | Path, openers: Openers | None = None, failures: Failures | None = None
) -> CutSet:
    """Read a table with the header `path,text` or `path,label`, and any of the optional columns.

    `start` and `duration` (seconds) cut a part out of the clip; `frame_shift` (seconds) goes with frames;
    `id`, `speaker`, `group`, `split` name things. Paths are relative to the table's folder. The split is kept
    as the supervision's custom field `split`. An error names the file, the line and the column. With a list
    `failures`, clips that cannot be used are noted there and the others go on.
    """
    path = Path(path)
    require("lhotse", "train")
    clips = [_row_clip(row, path.parent, where) for where, row in _rows(path)]
    if not clips:
        raise EarsightError(f"{path}: the table has a header and no rows; add a line for each clip")
    return _cuts_of(clips, path, path.parent, openers or Openers(), failures)


def read_folder(
    path: str | Path, openers: Openers | None = None, failures: Failures | None = None
) -> CutSet:
    """Read `path/LABEL/*.wav` (any sound, or .npy frames, at any depth): the folder's name is the label."""
    path = Path(path)
    require("lhotse", "train")
    openers = openers or Openers()
    labels = sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))
    clips = [
        _Clip(clip, where="", label=folder.name)
        for folder in labels
        for clip in sorted(folder.rglob("*"))
        if clip.suffix.lower() in openers.suffixes and not clip.name.startswith(".")
    ]
    if not clips:
        raise EarsightError(
            f"{path}: no clips found; a folder per class holds {path.name}/LABEL/clip.wav (or .npy frames)"
        )
    return _cuts_of(clips, path, path, openers, failures)


# Tables


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each row with the words that say where it stands."""
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise EarsightError(f"{path}: not UTF-8 text ({error.reason}); save the table as UTF-8") from error
    except OSError as error:
        raise EarsightError(f"{path}: cannot be read ({error.strerror})") from error
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header, path)
        for cells in reader:
            where = f"{path}, line {reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise EarsightError(
                    f"{where}: {len(cells)} values for {len(header)} columns; "
                    "put a value that holds the separator in double quotes"
                )
            yield where, {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    except csv.Error as error:
        raise EarsightError(f"{path}, line {reader.line_num}: not a table ({error})") from error


def _check_header(header: list[str], path: Path) -> None:
    if not any(header):
        raise EarsightError(f"{path}: the table is empty; its first line is path,text or path,label")
    for name in header:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name.lower(), COLUMNS, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"columns are {', '.join(COLUMNS)}"
            raise EarsightError(f"{path}, line 1: unknown column {name!r}; {hint}")
        if header.count(name) > 1:
            raise EarsightError(f"{path}, line 1: column {name} is there twice; leave one")
    if "path" not in header or not {"text", "label"} & set(header):
        raise EarsightError(f"{path}, line 1: columns path and text, or path and label, are needed")


def _row_clip(row: dict[str, str], folder: Path, where: str) -> _Clip:
    if not row["path"]:
        raise EarsightError(f"{where}, column path: no file named")
    text, label = row.get("text"), row.get("label") or None
    if text is None and label is None:
        raise EarsightError(f"{where}, column label: empty; say what is in {row['path']}")
    return _Clip(
        folder / row["path"],
        where,
        identity=row.get("id") or None,
        start=_seconds(row, "start", where, least=0.0) or 0.0,
        duration=_seconds(row, "duration", where, above=0.0),
        frame_shift=_seconds(row, "frame_shift", where, above=0.0) or DEFAULT_FRAME_SHIFT,
        text=None if label and not text else text,  # an empty text of a clip without label: nothing is said
        label=label,
        speaker=row.get("speaker") or None,
        group=row.get("group") or None,
        split=row.get("split") or None,
    )


def _seconds(
    row: dict[str, str], column: str, where: str, least: float = -math.inf, above: float = -math.inf
) -> float | None:
    value = row.get(column)
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError as error:
        raise EarsightError(f"{where}, column {column}: {value!r} is not a number of seconds") from error
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


def _cuts_of(
    clips: list[_Clip], manifest: Path, folder: Path, openers: Openers, failures: Failures | None
) -> CutSet:
    looked: dict[Path, Any] = {}  # many rows may cut parts out of one long file: look into it once
    made = []
    for clip in openers.watch(clips):
        try:
            made.append((clip, _clip_cut(clip, openers, looked)))
        except EarsightError as error:
            message = f"{clip.where}: {error}" if clip.where else str(error)
            if failures is None:
                raise EarsightError(message) from error
            failures.append((clip.identity or clip.path.stem, message))
    return cut_set(_with_unique_ids(made, folder), manifest, failures)


def _clip_cut(clip: _Clip, openers: Openers, looked: dict[Path, Any]) -> Cut:
    if not clip.path.is_file():
        named = f"clip {clip.identity} names " if clip.identity else ""
        raise EarsightError(f"{named}{clip.path}, which is not there; correct the path")
    path = clip.path.resolve()
    if path not in looked:
        looked[path] = _look(path, openers)
    inside = looked[path]
    said = {
        "start": clip.start,
        "duration": clip.duration,
        "text": clip.text,
        "label": clip.label,
        "speaker": clip.speaker,
        "group": clip.group,
        "supervision_custom": {"split": clip.split} if clip.split else None,
    }
    name = clip.identity or path.stem
    if isinstance(inside, _Array):
        return frames_cut(
            name, path, shape=inside.shape, frame_shift=clip.frame_shift, values=inside.values, **said
        )
    return recording_cut(
        name,
        path,
        sample_rate=inside.sample_rate,
        num_samples=inside.frames,
        channels=inside.channels,
        **said,
    )


@dataclass(frozen=True)
class _Array:
    shape: tuple[int, ...]
    values: np.ndarray | None  # None: the .npy file itself is referred to


@dataclass(frozen=True)
class _Header:
    sample_rate: int
    channels: int
    frames: int


def _look(clip: Path, openers: Openers) -> _Array | SoundHeader:
    if clip.suffix.lower() == ".npy":
        return _Array(npy_shape(clip), None)
    if clip.suffix.lower() == ".mfc":
        if openers.frames is None:
            raise EarsightError(f"{clip}: .mfc frames are read by `earsight prepare csv` only")
        values = openers.frames(clip)
        return _Array(values.shape, values)
    if openers.sound is not None:
        return openers.sound(clip)
    from lhotse import Recording

    try:
        recording = Recording.from_file(clip)
    except Exception as error:  # one kind a backend
        raise EarsightError(f"{clip}: not sound that can be read here; convert it to wav or flac") from error
    return _Header(recording.sampling_rate, recording.num_channels, recording.num_samples)


def npy_shape(path: str | Path) -> tuple[int, ...]:
    """The shape of an `.npy` file of frames, (time, feature), from its header. Nothing pickled is opened."""
    path = Path(path)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise EarsightError(
            f"{path}: not an array that can be read ({first_line(error)}); "
            "save frames (time, feature) with numpy.save(path, frames.astype('float32'))"
        ) from error
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise EarsightError(
            f"{path}: shape {array.shape} of {array.dtype}; frames are numbers of shape (time, feature)"
        )
    return array.shape


def _with_unique_ids(made: list[tuple[_Clip, Cut]], folder: Path) -> list[Cut]:
    """Where clips share a file stem, they take their folders' names too: `left/a.wav` is `left-a`.

    Parts of one file also take their start in milliseconds. Ids that a table gives stay as they are.
    """
    from collections import Counter

    from lhotse.utils import fastcopy

    counts = Counter(cut.id for _, cut in made)
    cuts = []
    for clip, cut in made:
        if counts[cut.id] > 1 and clip.identity is None:
            path = clip.path.resolve().with_suffix("")
            root = folder.resolve()
            name = "-".join(path.relative_to(root).parts if path.is_relative_to(root) else path.parts[1:])
            if not _whole(cut):
                name += f"-{round(cut.start * 1000):07d}"
            said = [fastcopy(each, id=name, recording_id=name) for each in cut.supervisions]
            recording = fastcopy(cut.recording, id=name) if cut.has_recording else None
            cut = fastcopy(cut, id=name, supervisions=said, recording=recording)
        cuts.append(cut)
    return cuts


def _whole(cut: Cut) -> bool:
    total = cut.recording.duration if cut.has_recording else cut.custom["frames"].duration
    return cut.start == 0.0 and math.isclose(cut.duration, total, abs_tol=1e-3)
