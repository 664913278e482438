"""Manifests: which clips there are, what is said or shown in each, who speaks.

A manifest is a lhotse CutSet with one supervision a cut. Three forms come in (a lhotse cut manifest, a CSV or
TSV, a folder per class) and one goes out (`.jsonl.gz`). A clip is a recording, or frames (time, feature)
in an `.npy` file, kept as the cut's temporal array `frames`.
"""

from __future__ import annotations

import csv
import difflib
import gzip
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from common.errors import EarsightError, require
from common.files import whole_file

if TYPE_CHECKING:
    from lhotse import CutSet
    from lhotse.cut import Cut

DEFAULT_FRAME_SHIFT = 0.01  # seconds, where nobody says otherwise
COLUMNS = (
    "path", "text", "label", "start", "duration", "speaker", "group", "split", "frame_shift", "id",
)
TABLE_SUFFIXES = (".csv", ".tsv")
CLIP_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aif", ".aiff", ".npy")
DOUBLE_ID = "another clip has this id too"
Failures = list[tuple[str, str]]  # clips that could not be used: name, reason


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


# Reading


def read_manifest(
    path: str | Path, openers: Openers | None = None, failures: Failures | None = None
) -> CutSet:
    """Read a lhotse cut manifest, a `.csv`/`.tsv` table (see `read_table`) or a folder per class.

    Raises EarsightError for a manifest that is missing, damaged or empty, for two cuts of one id, and for a
    clip that it names and that is not there (file and id). With a list `failures`, such clips are noted there
    (name, reason) and the others go on.
    """
    require("lhotse", "train")
    path = Path(path)
    openers = openers or Openers()
    if not path.exists():
        raise EarsightError(f"{path}: no such manifest; name a .jsonl.gz, a .csv or a folder per class")
    if path.is_dir():
        return read_folder(path, openers, failures)
    if path.suffix.lower() in TABLE_SUFFIXES:
        return read_table(path, openers, failures)
    return _read_cuts(path, failures)


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


def _read_cuts(path: Path, failures: Failures | None) -> CutSet:
    """Read lhotse's own files; the line-by-line form is parsed here so that an error can name its line."""
    from lhotse import CutSet, load_manifest

    if path.name.endswith((".jsonl", ".jsonl.gz")):
        cuts = list(_json_lines(path))
    else:
        try:
            cuts = load_manifest(path)
        except Exception as error:  # lhotse asserts, and its parsers raise their own kinds
            raise EarsightError(
                f"{path}: not a manifest that can be read ({_first_line(error)}); "
                "give a lhotse cut manifest (.jsonl.gz), a .csv or a folder per class"
            ) from error
        if not isinstance(cuts, CutSet):
            raise EarsightError(
                f"{path}: holds a {type(cuts).__name__}, not cuts; make cuts of it with `lhotse cut simple`"
            )
        cuts = list(cuts)
    if not cuts:
        raise EarsightError(f"{path}: the manifest is empty; prepare the corpus again")
    return _cut_set(_with_clips(cuts, path, failures), path, failures)


def _json_lines(path: Path) -> Iterator[Any]:
    from lhotse.cut import Cut
    from lhotse.serialization import deserialize_item

    opened = gzip.open if path.suffix == ".gz" else open
    number = 0
    try:
        with opened(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                item = json.loads(line)
                if not isinstance(item, dict):
                    raise EarsightError(f"{path}, line {number}: not a cut; give a lhotse cut manifest")
                cut = deserialize_item(item)
                if not isinstance(cut, Cut):
                    raise EarsightError(
                        f"{path}, line {number}: holds a {type(cut).__name__}, not a cut; "
                        "make cuts of it with `lhotse cut simple`"
                    )
                yield cut
    except EarsightError:
        raise
    except OSError as error:
        raise EarsightError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # damaged gzip, JSON or fields: each parser raises its own kind
        raise EarsightError(
            f"{path}, line {number + (number == 0)}: damaged ({type(error).__name__}: {_first_line(error)}); "
            "prepare the corpus again"
        ) from error


def _with_clips(cuts: list[Any], manifest: Path, failures: Failures | None) -> list[Any]:
    missing = {cut.id: clip for cut in cuts for clip in clip_files(cut) if not clip.is_file()}
    if missing and failures is None:
        name, clip = next(iter(missing.items()))
        more = f" ({len(missing) - 1} more are missing)" if len(missing) > 1 else ""
        raise EarsightError(
            f"{manifest}: clip {name} names {clip}, which is not there{more}; "
            "put the files back or prepare the corpus again"
        )
    if missing:
        failures += [(name, f"{clip} is not there") for name, clip in missing.items()]
    return [cut for cut in cuts if cut.id not in missing]


def clip_files(cut: Any) -> list[Path]:
    """The local files that hold a cut's sound or frames; empty for what lies in memory or elsewhere."""
    files = []
    for part in [track.cut for track in getattr(cut, "tracks", [])] or [cut]:
        recording = getattr(part, "recording", None)
        if recording is not None:
            files += [Path(source.source) for source in recording.sources if source.type == "file"]
        frames = (getattr(part, "custom", None) or {}).get("frames")
        if frames is not None and frames.array.storage_type == "numpy_files":
            files.append(Path(frames.array.storage_path) / frames.array.storage_key)
    return files


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
    return _cut_set(_with_unique_ids(made, folder), manifest, failures)


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
            f"{path}: not an array that can be read ({_first_line(error)}); "
            "save frames (time, feature) with numpy.save(path, frames.astype('float32'))"
        ) from error
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise EarsightError(
            f"{path}: shape {array.shape} of {array.dtype}; frames are numbers of shape (time, feature)"
        )
    return array.shape


# Making cuts


def recording_cut(
    identity: str,
    path: str | Path,
    *,
    sample_rate: int,
    num_samples: int,
    channels: int = 1,
    start: float = 0.0,
    duration: float | None = None,
    text: str | None = None,
    speaker: str | None = None,
    label: str | None = None,
    group: str | None = None,
    language: str | None = None,
    supervision_custom: dict[str, Any] | None = None,
    custom: dict[str, Any] | None = None,
) -> Cut:
    """A cut of the sound file `path` (kept as an absolute path): all of it, or a part given in seconds.

    One channel makes a MonoCut. Several make a MultiCut of all of them, so that whoever loads it mixes them
    down as `audio.reading` does, and no channel is picked silently.
    """
    from lhotse import AudioSource, MonoCut, MultiCut, Recording

    path = Path(path).resolve()
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
    channel = 0 if channels == 1 else list(range(channels))
    said = _supervision(
        identity, duration, text, speaker, label, group, language, supervision_custom, channel
    )
    return (MonoCut if channels == 1 else MultiCut)(
        id=identity,
        start=start,
        duration=duration,
        channel=channel,
        recording=recording,
        supervisions=[said],
        custom=custom,
    )


def frames_cut(
    identity: str,
    path: str | Path,
    *,
    shape: tuple[int, ...],
    frame_shift: float = DEFAULT_FRAME_SHIFT,
    values: np.ndarray | None = None,
    start: float = 0.0,
    duration: float | None = None,
    text: str | None = None,
    speaker: str | None = None,
    label: str | None = None,
    group: str | None = None,
    language: str | None = None,
    supervision_custom: dict[str, Any] | None = None,
    custom: dict[str, Any] | None = None,
) -> Cut:
    """A cut of frames (time, feature) in the `.npy` file `path`; `cut.load_frames()` loads its part of them.

    `values`, where given, are held in memory instead of being read from `path`.
    """
    from lhotse import MonoCut
    from lhotse.array import Array, TemporalArray

    path = Path(path).resolve()
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
        supervisions=[
            _supervision(identity, duration, text, speaker, label, group, language, supervision_custom)
        ],
        custom={**(custom or {}), "frames": frames},
    )


def _part(path: Path, start: float, duration: float | None, total: float) -> tuple[float, float]:
    """The part of a clip in seconds, which must lie inside it (a millisecond of rounding is forgiven)."""
    if start >= total:
        raise EarsightError(f"{path}: start {start:g} s is past the clip's end, {total:g} s")
    if duration is None:
        return start, round(total - start, 8)
    if start + duration > total + 1e-3:
        raise EarsightError(f"{path}: {start:g} s + {duration:g} s is past the clip's end, {total:g} s")
    return start, round(min(duration, total - start), 8)


def _supervision(
    identity: str,
    duration: float,
    text: str | None,
    speaker: str | None,
    label: str | None,
    group: str | None,
    language: str | None,
    custom: dict[str, Any] | None,
    channel: int | list[int] = 0,
) -> Any:
    from lhotse import SupervisionSegment

    custom = dict(custom or {})
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


def _cut_set(cuts: list[Any], manifest: Path, failures: Failures | None) -> CutSet:
    from lhotse import CutSet

    unique: dict[str, Any] = {}
    for cut in cuts:
        if unique.setdefault(cut.id, cut) is cut:
            continue
        if failures is None:
            raise EarsightError(f"{manifest}: two clips have the id {cut.id}; give each its own")
        failures.append((cut.id, DOUBLE_ID))
    return CutSet.from_cuts(unique.values())


# Writing


def write_manifest(cuts: Iterable[Any], path: str | Path) -> Path:
    """Write cuts to a `.jsonl` or `.jsonl.gz` file, whole or not at all; same cuts, same bytes."""
    path = Path(path)
    if not path.name.endswith((".jsonl", ".jsonl.gz")):
        raise EarsightError(f"{path}: a manifest is written as .jsonl or .jsonl.gz; choose such a name")
    with whole_file(path) as temporary, open(temporary, "wb") as file:
        # No file name and no time in the gzip header: reproducible bytes.
        packed = gzip.GzipFile("", "wb", fileobj=file, mtime=0) if path.suffix == ".gz" else file
        for cut in cuts:
            packed.write(json.dumps(_without_memory(cut).to_dict(), ensure_ascii=False).encode() + b"\n")
        if packed is not file:
            packed.close()
    return path


def _without_memory(cut: Any) -> Any:
    frames = (getattr(cut, "custom", None) or {}).get("frames")
    if frames is not None and frames.is_in_memory:
        raise EarsightError(f"clip {cut.id}: its frames are in memory only; prepare them into a folder")
    return cut


# Looking at a cut


def describe(path: str | Path) -> str:
    """How much a manifest holds: clips, hours, speakers."""
    cuts = read_manifest(path)
    speakers = {speaker_of(cut) for cut in cuts} - {None}
    hours = sum(cut.duration for cut in cuts) / 3600
    return f"{len(cuts)} clips, {hours:.2f} h" + (f", {len(speakers)} speakers" if speakers else "")


def text_of(cut: Any) -> str | None:
    """What is said, or None."""
    return cut.supervisions[0].text if cut.supervisions else None


def label_of(cut: Any) -> str | None:
    """The class, or None."""
    return _custom_of(cut, "label")


def speaker_of(cut: Any) -> str | None:
    """Who speaks, or None."""
    return cut.supervisions[0].speaker if cut.supervisions else None


def group_of(cut: Any) -> str | None:
    """What must not be split between training and test besides the speaker (a source recording), or None."""
    return _custom_of(cut, "group")


def _custom_of(cut: Any, key: str) -> str | None:
    if not cut.supervisions:
        return None
    value = (cut.supervisions[0].custom or {}).get(key)
    return None if value is None else str(value)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
