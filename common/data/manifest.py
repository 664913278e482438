"""Manifests: which clips there are, of sound, frames or video, what is said or shown in each, who speaks.

A manifest is a lhotse CutSet with one supervision a cut. Four forms come in (a lhotse cut manifest, a CSV or
TSV, a folder per class, shards) and one goes out (`.jsonl.gz`); `common.data.corpora.shards` writes shards.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_to_bytes

from ..errors import EarsightError, first_line, require
from ..files import whole_file
from ..paths import kept_name
from .cut_lines import read_lines
from .cuts import Failures, clip_files, cut_set, demand_own_fields, frames_of, label_of, move_along, speaker_of
from .shards import ShardCuts, is_shards, read_index
from .tables_and_folders import TABLE_SUFFIXES, Openers, read_folder, read_table

if TYPE_CHECKING:
    from .cuts import Cuts

COMMENT = 0x10  # the flag of a gzip header that has one
AROUND = 4  # folders in which the files of a manifest that was moved are looked for: its own and those around it


def read_manifest(
    path: str | Path, openers: Openers | None = None, failures: Failures | None = None
) -> Cuts:
    """Read a lhotse cut manifest, a `.csv`/`.tsv` table (see `read_table`), a folder per class, or shards.

    Where the openers know of them, a table of series is one too (`series.corpora`).

    Raises EarsightError for a manifest that is missing, damaged or empty, for two cuts of one id, and for a
    clip that it names and that is not there (file and id). With a list `failures`, such clips are noted there
    (name, reason) and the others go on.
    """
    require("lhotse", "train")
    if is_shards(path):
        return cut_set(list(ShardCuts(read_index(path))), path, failures)
    path = Path(path)
    openers = openers or Openers()
    if not os.path.exists(path):
        raise EarsightError(f"{path}: no such manifest; name a .jsonl.gz, a .csv, a folder per class or shards")
    if (cuts := openers.tables(path, failures)) is not None:
        return cut_set(list(cuts), path, failures)
    if path.is_dir():
        return read_folder(path, openers, failures)
    if path.suffix.lower() in TABLE_SUFFIXES:
        return read_table(path, openers, failures)
    return _read_cuts(path, failures)


def _read_cuts(path: Path, failures: Failures | None) -> Cuts:
    """Read lhotse's own files; the line-by-line form is parsed here so that an error can name its line."""
    from lhotse import CutSet, load_manifest

    if path.name.endswith((".jsonl", ".jsonl.gz")):
        cuts = list(read_lines(path))
    else:
        try:
            cuts = load_manifest(path)
            for cut in list(cuts) if isinstance(cuts, CutSet) else []:
                demand_own_fields(cut)
        except Exception as error:  # lhotse asserts, and its parsers raise their own kinds
            raise EarsightError(
                f"{path}: not a manifest that can be read ({first_line(error)}); "
                "give a lhotse cut manifest (.jsonl.gz), a .csv or a folder per class"
            ) from error
        if not isinstance(cuts, CutSet):
            raise EarsightError(
                f"{path}: holds a {type(cuts).__name__}, not cuts; make cuts of it with `lhotse cut simple`"
            )
        cuts = list(cuts)
    if not cuts:
        raise EarsightError(f"{path}: the manifest is empty; prepare the corpus again")
    before, folder = _written_in(path), kept_name(path).parent
    if before is None and (found := _moved(cuts, folder)):
        before, folder = found
        print(f"warning: {path}: names files in {before}, which are not there; those in {folder} are taken: prepare "
              "the corpus again, and its manifests find what is moved with them", file=sys.stderr, flush=True)
    if before not in (None, folder):
        for cut in cuts:
            move_along(cut, before, folder)
    return cut_set(_with_clips(cuts, path, failures), path, failures)


def _moved(cuts: list[Any], folder: Path) -> tuple[Path, Path] | None:
    """For a manifest in `folder` that does not tell where it was written: where its files were, and where they are.

    Found by the first that is missing, which has the end of its path in common with a file beside the manifest, or
    beside a folder around it: its name and its folder's at least.
    """
    gone = next((clip for cut in cuts for clip in clip_files(cut) if clip.is_absolute() and not os.path.isfile(clip)),
                None)
    if gone is None:
        return None
    for around in [folder, *folder.parents][:AROUND]:
        for count in range(len(gone.parts) - 2, 0 if around == folder else 1, -1):
            if os.path.isfile(around.joinpath(*gone.parts[-count:])):
                return gone.parents[count - 1], around
    return None


def _with_clips(cuts: list[Any], manifest: Path, failures: Failures | None) -> list[Any]:
    missing = {cut.id: clip for cut in cuts for clip in clip_files(cut) if not os.path.isfile(clip)}
    if missing:
        if failures is None:
            name, clip = next(iter(missing.items()))
            more = f" ({len(missing) - 1} more are missing)" if len(missing) > 1 else ""
            raise EarsightError(
                f"{manifest}: clip {name} names {clip}, which is not there{more}; "
                "put the files back or prepare the corpus again"
            )
        failures += [(name, f"{clip} is not there") for name, clip in missing.items()]
    return [cut for cut in cuts if cut.id not in missing]


def describe(path: str | Path) -> str:
    """How much a manifest holds: clips, hours, classes, speakers."""
    cuts = read_manifest(path)
    hours = sum(cut.duration for cut in cuts) / 3600
    classes, speakers = ({of(cut) for cut in cuts} - {None} for of in (label_of, speaker_of))
    counted = [f"{len(cuts)} clips", f"{hours:.2f} h"]
    counted += [f"{len(classes)} classes"] if classes else []
    counted += [f"{len(speakers)} speakers"] if speakers else []
    return ", ".join(counted)


# Writing


def write_manifest(cuts: Iterable[Any], path: str | Path) -> Path:
    """Write cuts to a `.jsonl` or `.jsonl.gz` file, whole or not at all; same cuts, same bytes.

    Files are named by their absolute paths, as lhotse reads them. The comment in gzip's header (RFC 1952) names the
    manifest's folder: `read_manifest` finds the files of a corpus that was moved, or copied, together with it.
    """
    path = Path(path)
    if not path.name.endswith((".jsonl", ".jsonl.gz")):
        raise EarsightError(f"{path}: a manifest is written as .jsonl or .jsonl.gz; choose such a name")
    lines = (_line(_without_memory(cut).to_dict()) for cut in cuts)
    with whole_file(path) as temporary, open(temporary, "wb") as file:
        file.writelines(_packed(lines, kept_name(path).parent) if path.suffix == ".gz" else lines)
    return path


def _line(plain: dict[str, Any]) -> bytes:
    text = json.dumps(plain, ensure_ascii=False)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:  # half of a letter, as other programs escape them
        return json.dumps(plain).encode() + b"\n"


def _packed(lines: Iterable[bytes], folder: Path) -> Iterator[bytes]:
    """A gzip file with a comment, without a name and a time: reproducible bytes."""
    yield b"\x1f\x8b\x08" + bytes([COMMENT, 0, 0, 0, 0, 2, 255]) + quote(os.fsencode(folder)).encode() + b"\0"
    packer, checksum, size = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS), 0, 0
    for line in lines:
        checksum, size = zlib.crc32(line, checksum), size + len(line)
        yield packer.compress(line)
    yield packer.flush()
    yield checksum.to_bytes(4, "little") + (size % (1 << 32)).to_bytes(4, "little")


def _written_in(path: Path) -> Path | None:
    """The folder in which `write_manifest` wrote a manifest; None for those of others."""
    with open(path, "rb") as file:
        head = file.read(10)
        if head[:2] != b"\x1f\x8b" or head[3] != COMMENT:
            return None
        comment, end, _ = file.read(1 << 16).partition(b"\0")
    folder = Path(os.fsdecode(unquote_to_bytes(comment)))
    return folder if end and folder.is_absolute() else None


def _without_memory(cut: Any) -> Any:
    frames = frames_of(cut)
    if frames is not None and frames.is_in_memory:
        raise EarsightError(f"clip {cut.id}: its frames are in memory only; prepare them into a folder")
    return cut
