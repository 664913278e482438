"""From what a user names to the files that are read, and from those to the names of what is written."""

import glob
import os
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from .errors import EarsightError


def expand(paths: Sequence[str], suffixes: Collection[str]) -> tuple[list[Path], list[EarsightError]]:
    """Files, folders and globs to files, in the order given and each once; an error for each that gives none.

    A named file is taken whatever its suffix. A folder is searched, with the folders in it, for files with
    one of `suffixes` (lower case, with the dot), sorted by path; names that begin with a dot are passed over.
    A glob (`*`, `?`, `[...]`, `**`), tried only when no path has that very name, may name a further suffix:
    `*.dat`.
    """
    files: dict[str, Path] = {}  # by absolute path, so that ./a.wav and a.wav are one
    errors: list[EarsightError] = []
    for path in paths:
        try:
            for file in _expand_one(path, suffixes, errors):
                files.setdefault(os.path.abspath(file), file)
        except EarsightError as error:
            errors.append(error)
    return list(files.values()), errors


def _expand_one(path: str, suffixes: Collection[str], errors: list[EarsightError]) -> list[Path]:
    literal = os.path.expanduser(path)
    if os.path.isdir(literal):
        if found := _search(Path(literal), suffixes, errors):
            return found
        raise EarsightError(f"{path}: holds no file that ends in {_listed(suffixes)}; name another folder")
    if os.path.exists(literal):
        return [Path(literal)]
    if not glob.has_magic(literal):
        raise EarsightError(f"{path or repr(path)}: no such file or folder; check the path")
    wanted = {*suffixes, Path(literal).suffix.lower()} - {""}
    found = []
    for match in sorted(map(Path, glob.glob(literal, recursive=True))):
        if match.is_dir():
            found += _search(match, wanted, errors)
        elif match.suffix.lower() in wanted:
            found.append(match)
    if not found:
        raise EarsightError(f"{path}: matches no file that ends in {_listed(wanted)}; check the pattern")
    return found


def _search(folder: Path, suffixes: Collection[str], errors: list[EarsightError]) -> list[Path]:
    def note(error: OSError) -> None:
        reason = f"{error.filename}: this folder cannot be read ({error.strerror}); change its permissions"
        errors.append(EarsightError(reason))

    found = []
    for place, folders, names in os.walk(folder, onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in names if not name.startswith(".")]
    return sorted(file for file in found if file.suffix.lower() in suffixes)


def _listed(suffixes: Collection[str]) -> str:
    return ", ".join(sorted(suffixes))


def output_names(paths: Sequence[Path], suffix: str) -> dict[Path, str]:
    """A name for the output of each input, no two alike: `a.wav` -> `a.txt`.

    Inputs that share a stem keep their suffix (`a.wav.txt`, `a.flac.txt`), or get as many of their folders in
    front as it takes (`train-a.wav.txt`, `test-a.wav.txt`). Names that differ only in case count as alike,
    because some file systems hold them so. The names depend on nothing but the paths and their order.
    """
    waiting = list(dict.fromkeys(paths))
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for detail in range(2 + max((len(path.parts) for path in waiting), default=0)):
        candidates = {path: _detailed(path, detail) + suffix for path in waiting}
        uses = Counter(name.casefold() for name in candidates.values())
        for path, name in candidates.items():
            if uses[name.casefold()] == 1 and name.casefold() not in taken:
                names[path] = name
        taken |= {names[path].casefold() for path in candidates if path in names}
        waiting = [path for path in waiting if path not in names]
    for path in waiting:  # alike to the root but for case, or for what stands for the folders' separators
        number = 2
        while (name := f"{path.stem}-{number}{suffix}").casefold() in taken:
            number += 1
        names[path] = name
        taken.add(name.casefold())
    return {path: names[path] for path in dict.fromkeys(paths)}


def channel_path(path: Path, channel: int | None) -> Path:
    """What one channel of a recording is called: `call.wav` -> `call-ch1.wav`; None is all of it, by its own name."""
    return path if channel is None else path.with_name(f"{path.stem}-ch{channel}{path.suffix}")


def _detailed(path: Path, detail: int) -> str:
    """The stem, then the name, then the name with one folder in front, with two, ..."""
    if detail == 0:
        return path.stem
    folders = [part for part in path.parts[:-1] if part not in (path.anchor, "..")]
    return "-".join([*folders[len(folders) - min(detail - 1, len(folders)) :], path.name])
