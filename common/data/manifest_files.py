"""The files that a cut manifest names, for what reads whole files; lhotse is not needed."""

import gzip
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import EarsightError, first_line
from ..paths import is_name

SUFFIXES = (".jsonl", ".jsonl.gz")
WITHIN = 0.05  # seconds by which a cut of all of a file may be shorter: of its last frame or packet


def with_manifests(paths: Sequence[Path], refused: list[EarsightError]) -> list[Path]:
    """`paths` with the files of each manifest in its place, each once; what cannot be read so goes to `refused`."""
    files: dict[str, Path] = {}  # by absolute path: a manifest names files so, and a user perhaps not
    for path in paths:
        if path.name.lower().endswith(SUFFIXES):
            try:
                for file in _files(path, refused):
                    files.setdefault(os.path.abspath(file), file)
            except (OSError, EOFError, ValueError, zlib.error) as error:
                refused.append(EarsightError(f"{path}: not a manifest that can be read ({first_line(error)}); give a "
                                             "lhotse cut manifest, as `earsight prepare` writes them"))
        else:
            files.setdefault(os.path.abspath(path), path)
    return list(files.values())


def _files(path: Path, refused: list[EarsightError]) -> Iterator[Path]:
    with gzip.open(path, "rt", encoding="utf-8") if path.name.lower().endswith(".gz") else open(
            path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                cut = json.loads(line)
                file, seconds = _whole(cut)
                name, part = cut["id"], cut["start"] > WITHIN or cut["duration"] < seconds - WITHIN
            except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
                refused.append(EarsightError(f"{path}, line {number}: not a cut of one file; prepare the corpus again"))
                continue
            if part:
                refused.append(EarsightError(f"{path}, line {number}: {name} is a part of {file}, and whole files "
                                             "are read here; `earsight predict` reads parts"))
            elif not is_name(file):
                refused.append(EarsightError(f"{path}, line {number}: {name} is of {str(file)!r:.80}, which no file "
                                             "can be called; prepare the corpus again"))
            else:
                yield file


def _whole(cut: dict[str, Any]) -> tuple[Path, float]:
    """The file that a cut is of, sound, a video or stored frames, and how long that is, in seconds."""
    custom = cut.get("custom") or {}
    if "video" in custom and "recording" not in cut:
        return Path(custom["video"]["path"]), custom["video"]["duration"]
    if "frames" in custom:
        frames = custom["frames"]
        array = frames["array"]
        if array["storage_type"] != "numpy_files":
            raise ValueError(array["storage_type"])
        return Path(array["storage_path"], array["storage_key"]), array["shape"][0] * frames["frame_shift"]
    (source,) = cut["recording"]["sources"]
    if source["type"] != "file":
        raise ValueError(source["type"])
    return Path(source["source"]), cut["recording"]["duration"]
