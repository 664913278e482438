"""`earsight prepare shards`: clips in files of their own, into shards; `common.data.shards` says what those are."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import EarsightError, first_line
from ...files import write_whole
from ..cut_lines import read_lines
from ..cuts import Failures, clip_files, frames_of, video_of
from ..manifest import read_manifest
from ..shards import CUTS, INDEX, fetched, load_frames
from .parts import Parts, manifests_in, progress_bar

if TYPE_CHECKING:
    from lhotse.cut import Cut

FORMATS = ("flac", "wav", "opus", "mp3", "original")
WRITING = ".writing-"  # begins the name of a folder in which a shard is made
BEGUN = re.compile(rf"\.(?:\.\d{{6}}|{re.escape(INDEX)})\..+")  # notes and indexes that a killed run was writing
OURS = re.compile(r"(?:(?:cuts|recording|frames)\.|\.)(\d{6})\..+")  # shards, and the notes that they are whole


def prepare_shards(source: Path, destination: Path, *, shard_size: int = 1000, format: str = "flac", seed: int = 1,
                   progress: bool = True) -> Parts:
    """Shards of `source`, a manifest or a folder of train, dev and test manifests: a folder for each split.

    A shard is there whole or not at all, and the folder's index is written last: a run that is killed leaves nothing
    that can be trained on, and the same command goes on where it stopped. Once more, it checks what is there, and
    writes it anew if it is damaged. Clips of pictures are refused: their embeddings can be prepared first.

    Shards that lhotse or another program has written get their index where they lie: `source` and `destination` are
    their folder.

    Options: `shard_size`, clips in a shard; `format` of the sound (flac and wav hold 16 bits a sample; `original` keeps
    the sources' own format); `seed` of the order in which training clips are dealt out, so that clips of one speaker or
    class do not lie together. Other splits keep their order.
    """
    if format not in FORMATS or shard_size < 1:
        raise EarsightError(f"options format {format!r}, shard_size {shard_size}: format is one of "
                            f"{', '.join(FORMATS)}, and shard_size a number from 1")
    parts = Parts()
    if source.is_dir() and any(source.glob(CUTS)):
        if source.resolve() != destination.resolve():
            raise EarsightError(f"{source}: holds shards already; `earsight prepare shards {source} {source}` writes "
                                "their index")
        parts.cuts["shards"], parts.written["shards"] = _adopt(source), source
        return parts
    for split, path in manifests_in(source).items():
        cuts = list(read_manifest(path, failures=parts.failures))
        for cut in cuts:
            if video_of(cut) is not None:
                raise EarsightError(f"{path}: {cut.id} is a video; `earsight prepare embeddings` first, and make "
                                    "shards of these")
        if split == "train":
            random.Random(seed).shuffle(cuts)
        left_out = _write_split(cuts, destination / split, shard_size, format, progress)
        parts.failures += left_out
        parts.cuts[split] = [cut for cut in cuts if cut.id not in dict(left_out)]
        parts.written[split] = destination / split
    return parts


def _adopt(folder: Path) -> list[Cut]:
    """Write the index of shards that are there; return their clips."""
    if any(folder.glob(".*")):
        raise EarsightError(f"{folder}: not finished; run the `earsight prepare shards` again that began it")
    shards = []
    for cuts in sorted(folder.glob(CUTS)):
        number = cuts.name.split(".")[1]
        files = {field: _described(path) for field in ("cuts", "recording", "frames")
                 for path in folder.glob(f"{field}.{number}.*")}
        shards.append({"clips": sum(1 for _ in read_lines(cuts)), "files": files})
    write_whole(folder / INDEX, json.dumps({"key": "", "left_out": [], "shards": shards}, indent=1))
    return list(read_manifest(folder))


def _described(path: Path) -> tuple[str, int, str]:
    """A file's name, its bytes and their sha256, as the index has them."""
    with path.open("rb") as file:
        return path.name, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


def _write_split(cuts: list[Cut], folder: Path, shard_size: int, format: str, progress: bool) -> Failures:
    """Write the shards that are not there yet, and the index; return the clips that are left out."""
    stored = {"recording": format} if any(cut.has_recording for cut in cuts) else {}
    if any(frames_of(cut) is not None for cut in cuts):
        stored["frames"] = "numpy"
    key, index = _key(cuts, shard_size, format), folder / INDEX
    if (left_out := _there(index, key)) is not None:
        return left_out
    done = _clear(folder, key)
    bar = progress_bar(cuts, folder.name, progress)
    for number in range(-(-len(cuts) // shard_size)):
        chosen = list(islice(bar, shard_size))
        if number not in done:
            write_whole(_note(folder, key, number), json.dumps(_write_shard(chosen, folder, number, stored)))
    next(bar, None)  # full
    notes = [_note(folder, key, number) for number in range(-(-len(cuts) // shard_size))]
    shards = [json.loads(note.read_text(encoding="utf-8")) for note in notes]
    left_out = [each for shard in shards for each in shard.pop("left_out")]
    if len(left_out) < len(cuts):
        write_whole(index, json.dumps({"key": key, "left_out": left_out, "shards": [each for each in shards
                                                                                    if each["clips"]]}, indent=1))
    for note in notes:
        note.unlink()
    return [tuple(each) for each in left_out]


def _there(index: Path, key: str) -> Failures | None:
    """The clips that were left out of shards that are there; None where these are of another key, or damaged."""
    try:
        there = json.loads(index.read_text(encoding="utf-8"))
        files = [file for shard in there["shards"] for file in shard["files"].values()]
        if there["key"] == key and all(list(_described(index.parent / file[0])) == file for file in files):
            return [tuple(each) for each in there["left_out"]]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):  # not there, or no index
        pass
    return None


def _key(cuts: list[Cut], shard_size: int, format: str) -> str:
    """Tells shards of the same clips and settings from others; a file that has changed is another."""
    digest = hashlib.sha256(f"{shard_size} {format}".encode())
    for cut in cuts:
        files = [(path.stat().st_size, path.stat().st_mtime_ns) for path in clip_files(cut)]
        digest.update(json.dumps([cut.to_dict(), files], sort_keys=True).encode())
    return digest.hexdigest()[:16]


def _note(folder: Path, key: str, number: int) -> Path:
    """The file that tells of a shard that it is whole; it is written after the shard."""
    return folder / f".{number:06}.{key}.json"


def _clear(folder: Path, key: str) -> set[int]:
    """The numbers of the shards that are done; what else is left of earlier runs is removed, and the index first."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / INDEX).unlink(missing_ok=True)
        done = {int(path.name.split(".")[1]) for path in folder.glob(f".*.{key}.json")}
        for path in folder.iterdir():
            number = OURS.fullmatch(path.name)
            if path.name.startswith(WRITING):
                shutil.rmtree(path)
            elif BEGUN.fullmatch(path.name):
                path.unlink()
            elif number and not (int(number[1]) in done and (key in path.name or not path.name.startswith("."))):
                path.unlink()
    except OSError as error:
        raise EarsightError(f"{folder}: cannot be written ({error.strerror}); choose another place") from error
    return done


def _write_shard(cuts: list[Cut], folder: Path, number: int, stored: dict[str, str]) -> dict[str, Any]:
    """Write one shard; what the index says of it, and the clips that are left out."""
    from lhotse.shar import SharWriter

    left_out: Failures = []
    files = {}
    try:
        with tempfile.TemporaryDirectory(prefix=WRITING, dir=folder) as temporary:
            with SharWriter(temporary, stored, shard_size=None) as writer:
                for cut in cuts:
                    # Read before it is written, so that what goes wrong then is the disk's.
                    if reason := _unreadable(cut):
                        left_out.append((cut.id, reason))
                    else:
                        writer.write(fetched(cut))
            for path in Path(temporary).iterdir():
                field, _, suffix = path.name.partition(".")
                with path.open("rb") as file:
                    os.fsync(file.fileno())
                files[field] = _described(path.rename(folder / f"{field}.{number:06}.{suffix}"))
    except OSError as error:
        raise EarsightError(f"{folder}: shard {number} cannot be written ({error.strerror or error}); make room, and "
                            "run the same command again: it goes on there") from error
    return {"clips": len(cuts) - len(left_out), "files": files, "left_out": left_out}


def _unreadable(cut: Cut) -> str | None:
    """Why a clip cannot be read, or None."""
    try:
        cut = fetched(cut)
        if hasattr(cut, "tracks"):
            return "is mixed of several clips; save the mix as sound first"
        if not cut.has_recording and frames_of(cut) is None:
            return "has neither sound nor stored frames"
        if cut.has_recording:
            cut.load_audio()
        if frames_of(cut) is not None:
            load_frames(cut)
    except Exception as error:  # each of lhotse's readers raises its own kind
        return f"cannot be read ({first_line(error)})"
    return None
