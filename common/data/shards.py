"""Shards: a data set as numbered tar files (lhotse's Shar format), on a disk or in an object store.

A folder of shards holds `cuts.000000.jsonl.gz` (the clips), `recording.000000.tar` and `frames.000000.tar` (their sound
and their stored frames, as far as they have them), the same with 000001, and so on; and `shards.json`, which is written
last and tells what belongs to it, each file's size and its digest. `earsight prepare shards` makes it.

Only the clips' descriptions are gone through to make batches. A clip's data are read from its place in the tar file
by whoever needs them, a loader's worker as a rule. So shards train as any manifest does: the same batches whatever the
number of processes and workers, each clip once in an epoch, and a run that goes on skips without reading sound.

A file that is not local is fetched when it is first needed, once for all processes of a machine, into a folder in
TMPDIR, where the last KEPT bytes of tar files stay. Of several machines each one fetches all shards, because a batch is
divided over all processes.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import random
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypeVar, cast

import numpy as np

from ..errors import EarsightError, first_line
from ..files import whole_file
from .cut_lines import read_lines
from .cuts import custom_of

if TYPE_CHECKING:
    from lhotse.cut import Cut

AnyCut = TypeVar("AnyCut", bound="Cut")

INDEX = "shards.json"
CUTS = "cuts.*.jsonl.gz"
KEPT = 16 * 2**30  # bytes of tar files that are not local; the clips that are shuffled lie in far fewer
MOST = 1 << 40  # clips of a shard
MEND = "copy this file again, or run `earsight prepare shards` again"


class ShardFile(NamedTuple):
    """One file of a shard: a path, a URL, or `pipe:` and a command that writes it; its bytes and their sha256."""

    source: str
    size: int
    digest: str


@dataclass(frozen=True)
class Shard:
    """The clips' descriptions, the files of their data by field (`recording`, `frames`), and how many clips."""

    cuts: ShardFile
    fields: dict[str, ShardFile]
    clips: int


# Finding them


def is_shards(source: str | Path) -> bool:
    """Whether `source` names shards: a folder that holds some, a URL, or `pipe:` and the beginning of a command."""
    return _remote(str(source)) or os.path.isfile(Path(source) / INDEX) or any(Path(source).glob(CUTS))


def _remote(source: str) -> bool:
    return source.startswith("pipe:") or "://" in source


def read_index(source: str | Path) -> list[Shard]:
    """The shards of a folder: of a path, of a URL, or of a command to which `/` and a file's name are added.

    Raises:
        EarsightError: the folder is not whole, or a file of it is missing or has another size (looked at where files
            are local; others are checked when they are fetched).
    """
    path = f"{source}/{INDEX}"
    if not _remote(path) and not Path(path).exists():
        raise EarsightError(f"{source}: these shards are not whole, {INDEX} is missing: `earsight prepare shards` "
                            "writes it last; run it again, and it goes on where it stopped (shards of another program: "
                            f"`earsight prepare shards {source} {source}`)")
    try:
        with _open_source(path) as file:
            index = json.load(file)
        shards = [Shard(fields=(files := {field: ShardFile(f"{source}/{name}", size, digest)
                                          for field, (name, size, digest) in shard["files"].items()}),
                        cuts=files.pop("cuts"), clips=shard["clips"]) for shard in index["shards"]]
        if wrong := next((each.clips for each in shards if not 0 <= each.clips < MOST), None):
            raise ValueError(f"{wrong!r:.40} clips")
    except EarsightError:
        raise
    except Exception as error:  # no such file, a command that fails, no JSON: each raises its own kind
        raise EarsightError(f"{path}: cannot be read ({first_line(error)}); {MEND}") from error
    for shard in shards:
        for file in (shard.cuts, *shard.fields.values()):
            if not _remote(file.source):
                _check_size(file, os.path.getsize(file.source) if os.path.isfile(file.source) else None)
    return shards


def _check_size(file: ShardFile, size: int | None) -> None:
    if size is None:
        raise EarsightError(f"{file.source}: this part of a shard is missing; {MEND}")
    if size != file.size:
        raise EarsightError(f"{file.source}: cut short or changed, {size} bytes of {file.size}; {MEND}")


# Going through the clips


class ShardCuts:
    """The clips of shards, one after the other and without their data; see `fetched`.

    Args:
        parts: shards, and lists of other clips, which count as shards of their own.
        seed: of the parts' order in each `epoch`; None keeps the order given.
    """

    def __init__(self, parts: Sequence[Shard | list[Cut]], seed: int | None = None):
        self.parts = list(parts)
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return sum(part.clips if isinstance(part, Shard) else len(part) for part in self.parts)

    def __iter__(self) -> Iterator[Cut]:
        order = list(self.parts)
        if self.seed is not None:
            random.Random(f"{self.seed} {self.epoch}").shuffle(order)
        for part in order:
            yield from _cuts(part) if isinstance(part, Shard) else part


def _cuts(shard: Shard) -> Iterator[Cut]:
    with _opened(shard.cuts) as file:
        count = 0
        for cut in read_lines(shard.cuts.source, file):
            cut.custom = {**(cut.custom or {}), "shard": shard.fields}
            count += 1
            yield cut
    if count != shard.clips:
        raise EarsightError(f"{shard.cuts.source}: {count} clips of {shard.clips}; {MEND}")


# Reading a clip's data


def fetched(cut: AnyCut) -> AnyCut:
    """A cut of shards with its data, in memory; any other cut as it is.

    Raises:
        EarsightError: its shard is missing, cut short or damaged.
    """
    custom = custom_of(cut)
    fields = custom.get("shard")
    if fields is None:
        return cut
    from lhotse.utils import fastcopy

    cut = fastcopy(cut, custom={name: value for name, value in custom.items() if name != "shard"})
    for field, file in fields.items():
        manifest = _member(ShardFile(*file), cut.id)
        if manifest is not None:
            setattr(cut, field, manifest)
    return cut


def load_frames(cut: Any) -> np.ndarray:
    """A cut's stored frames (time, feature), of shards too; each of lhotse's readers raises its own kind of error."""
    return fetched(cut).load_frames()


def _member(file: ShardFile, name: str) -> Any:
    """A clip's recording or array, with its bytes; None where this clip has none."""
    from lhotse.serialization import deserialize_item
    from lhotse.shar.utils import fill_shar_placeholder

    try:
        parts = _members(file)[name]
        if ".nodata" in parts:
            return None
        (suffix, place), = ((suffix, place) for suffix, place in parts.items() if suffix != ".json")
        with _opened(file) as handle:
            manifest = deserialize_item(json.loads(_part(handle, *parts[".json"])))
            fill_shar_placeholder(manifest, _part(handle, *place), f"data{suffix}")
        return manifest
    except KeyError:
        raise EarsightError(f"{file.source}: holds nothing of clip {name}; {MEND}") from None
    except Exception as error:  # lhotse asserts, and its parsers raise their own kinds
        raise EarsightError(f"{file.source}: damaged at clip {name} ({first_line(error)}); {MEND}") from error


def _part(handle: BinaryIO, offset: int, size: int) -> bytes:
    handle.seek(offset)
    return handle.read(size)


@lru_cache(maxsize=64)
def _members(file: ShardFile) -> dict[str, dict[str, tuple[int, int]]]:
    """By clip, where its members lie in a tar file: offset and size by suffix, `.json` for what describes the data."""
    members: dict[str, dict[str, tuple[int, int]]] = {}
    with _opened(file) as handle, tarfile.open(fileobj=handle, mode="r:") as tar:
        for member in tar:
            name, dot, suffix = member.name.rpartition(".")
            members.setdefault(name, {})[dot + suffix] = member.offset_data, member.size
    return members


# Files that are not local


def _opened(file: ShardFile) -> BinaryIO:
    """A file of a shard, ready to be read; its size is right."""
    if _remote(file.source):
        return _fetched(file)
    try:
        handle = open(file.source, "rb")
    except OSError as error:
        raise EarsightError(f"{file.source}: cannot be read ({error.strerror}); {MEND}") from error
    _check_size(file, os.fstat(handle.fileno()).st_size)
    return handle


def _fetched(file: ShardFile) -> BinaryIO:
    folder = Path(tempfile.gettempdir()) / f"earsight-shards-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    kind = ".jsonl.gz" if file.source.endswith(".gz") else ".tar"
    path = folder / f"{file.digest}{kind}"
    with open(folder / ".lock", "a") as lock:
        # A byte of its own for each file: others are fetched at the same time.
        fcntl.lockf(lock, fcntl.LOCK_EX, 1, int(file.digest[:12], 16))
        with suppress(FileNotFoundError):
            os.utime(path)
            return path.open("rb")  # what is open can be read to its end, even if it makes room for another
        handle = _fetch(file, path)
        _make_room(folder)
        return handle


def _fetch(file: ShardFile, path: Path) -> BinaryIO:
    digest = hashlib.sha256()
    with whole_file(path) as temporary:
        try:
            with _open_source(file.source) as stream, open(temporary, "wb") as copy:
                while block := stream.read(1 << 20):
                    digest.update(block)
                    copy.write(block)
        except EarsightError:
            raise
        except Exception as error:  # a full disk, a network, a command: each raises its own kind
            raise EarsightError(f"{file.source}: cannot be fetched into {path.parent} ({first_line(error)})") from error
        _check_size(file, temporary.stat().st_size)
        if digest.hexdigest() != file.digest:
            raise EarsightError(f"{file.source}: damaged, its sha256 is not the one in {INDEX}; {MEND}")
        return open(temporary, "rb")


def _make_room(folder: Path) -> None:
    """Remove the tar files that nobody has read for longest."""
    kept = 0
    for used, size, path in sorted(((stat.st_mtime_ns, stat.st_size, path) for path in folder.glob("[!.]*.tar")
                                    if (stat := _stat(path))), reverse=True):
        kept += size
        if kept > KEPT:
            path.unlink(missing_ok=True)


def _stat(path: Path) -> os.stat_result | None:
    with suppress(FileNotFoundError):  # another process has removed it
        return path.stat()
    return None


def _open_source(source: str) -> BinaryIO:
    """A path, a URL or a `pipe:` command, as lhotse opens it."""
    from lhotse.serialization import open_best

    try:
        return cast(BinaryIO, open_best(source, "rb"))
    except ValueError as error:  # a URL, and nothing that opens it
        raise EarsightError(f"{source}: cannot be opened; pip install 'smart_open[all]' for object stores and the web "
                            f"({first_line(error)})") from error
