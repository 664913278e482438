"""Kinetics and what is annotated like it: a CSV of labels and times in web videos, and clips cut by these times."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

from ...common.data.corpora.parts import SPLITS, Parts, split_named
from ...common.data.cuts import DOUBLE_ID
from ...common.data.tables_and_folders import table_rows
from ...common.errors import EarsightError
from .files import Clip, add_clips, videos_by_stem

COLUMNS = ("label", "youtube_id", "time_start", "time_end")


def prepare_kinetics(source: Path, destination: Path, *, videos: str = "", progress: bool = True) -> Parts:
    """Clips that a CSV with the columns label, youtube_id, time_start, time_end and split describes.

    `source` is such a CSV, or a folder that holds one or more. A clip is called ID_000012_000022.mp4 (or another
    format) after its video and the seconds it was cut at, and lies anywhere below the CSV (beside it, in SPLIT/,
    SPLIT/LABEL/, LABEL/). Without a column split a CSV is of the split that it is called after. Annotated clips that
    are not there are left out and counted, as broken ones are. A clip's group is its video.

    Options: `videos`: the folder of the clips, where they lie elsewhere.
    """
    parts = Parts()
    rows = {}
    for table in _tables(source):
        for name, split, label, video in _annotations(table, source):
            if name in rows:
                parts.failures.append((name, f"{table}: {DOUBLE_ID}"))
            else:
                rows[name] = split, label, video
    folder = Path(videos) if videos else source if source.is_dir() else source.absolute().parent
    if not folder.is_dir():
        raise EarsightError(f"{folder}: no such folder of videos; correct the option videos")
    if not videos and folder.name == "annotations":
        folder = folder.parent
    found = videos_by_stem(folder, parts)
    parts.failures += [(name, f"not there in {folder}") for name in rows if name not in found]
    clips = [Clip(split, found[name], label, video) for name, (split, label, video) in rows.items() if name in found]
    add_clips(parts, clips, "Kinetics", progress)
    return parts


def _tables(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    tables = sorted(path for path in source.rglob("*.csv") if not path.name.startswith("."))
    if not tables:
        raise EarsightError(f"{source}: no .csv of annotations there; name one, or the folder that holds them")
    return tables


def _annotations(table: Path, source: Path) -> Iterator[tuple[str, str, str, str]]:
    """Yield the name, the split, the label and the video of each clip in a CSV."""
    columns: list[str] = []
    rows = table_rows(table, lambda header, path: columns.extend(header))
    first = next(rows, None)
    missing = [name for name in COLUMNS if name not in columns]
    if missing == ["label"] and table != source:  # a test part whose labels are kept back
        warnings.warn(f"{table}: has no column label, so its clips are left out", stacklevel=2)
        return
    if missing:
        raise EarsightError(f"{table}, line 1: columns {', '.join(COLUMNS)} are needed; {missing[0]} is not there")
    for where, row in [first, *rows] if first else []:
        split = split_named(row.get("split") or table.stem)
        if split not in SPLITS:
            raise EarsightError(f"{where}: split {split!r} is not one of {', '.join(SPLITS)}; add a column split")
        if not row["label"] or not row["youtube_id"]:
            raise EarsightError(f"{where}: no label or no youtube_id; complete the line or remove it")
        try:
            start, end = (int(float(row[name])) for name in ("time_start", "time_end"))
        except (ValueError, OverflowError) as error:
            times = f"{row['time_start']!r} and {row['time_end']!r}"
            raise EarsightError(f"{where}: times {times} are not seconds; correct them") from error
        yield f"{row['youtube_id']}_{start:06d}_{end:06d}", split, row["label"], row["youtube_id"]
