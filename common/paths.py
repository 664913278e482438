"""From what a user names to the files that are read, and from those to the names of what is written."""

import errno
import glob
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from .errors import EarsightError


def expand(paths: Sequence[str], suffixes: Collection[str]) -> tuple[list[Path], list[EarsightError]]:
    """Files, folders and globs to files, in the order given and each once; an error for each that gives none.

    A named file is taken whatever its suffix. A folder is searched, with the folders in it, for files with
    one of `suffixes` (lower case, with the dot), sorted by path; names that begin with a dot are passed over, and a
    link to a folder is a folder.
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
    if not glob.has_magic(literal) or ADDRESS.match(path):
        raise EarsightError(f"{path or repr(path)}: {why_missing(path) or 'no such file or folder; check the path'}")
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
    return files_under(folder, suffixes, errors.append)


def files_under(
    folder: Path, suffixes: Collection[str], note: Callable[[EarsightError], None] = lambda error: None
) -> list[Path]:
    """The files in `folder`, at any depth, with one of `suffixes` (lower case, with the dot), sorted by path.

    Names that begin with a dot are passed over. Links to folders are followed, but not into a folder that they lie in.
    `note` gets an error for each folder that cannot be read.
    """

    def refused(error: OSError) -> None:
        reason = f"{error.filename}: this folder cannot be read ({error.strerror}); change its permissions"
        note(EarsightError(reason))

    found = []
    for place, folders, names in os.walk(folder, onerror=refused, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".") and not _leads_back(place, name)]
        found += [Path(place, name) for name in names if not name.startswith(".")]
    return sorted(file for file in found if file.suffix.lower() in suffixes)


def _leads_back(place: str, name: str) -> bool:
    path = os.path.join(place, name)
    if not os.path.islink(path):
        return False
    # Of a folder that is reached by links, where it really lies does not tell by which: its parents do.
    target, parents = os.path.realpath(path), [os.path.abspath(place), *map(str, Path(os.path.abspath(place)).parents)]
    return any(os.path.realpath(parent) == target for parent in parents)


ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def why_missing(path: str) -> str:
    """Why what is named is no file, and what to do, where its name tells; else an empty string."""
    if path == "-":
        return "standard input is not read; write it to a file, and name that"
    if path.lower().startswith("file://"):
        return "an address; leave file:// out"
    if ADDRESS.match(path):
        return "an address, and nothing is fetched; download it, and name the file"
    if re.match(r"[A-Za-z]:[\\/]", path) and os.name != "nt":
        return "a path of Windows, and this is another system; name it as it is found here"
    if "\\" in path and os.name != "nt":
        return "no such file or folder; folders are parted by /, not by \\"
    return ""


def demand_paths(**given: Any) -> None:
    """Raise EarsightError for what cannot be the path of a file or folder; None is for the caller, but as `path`."""
    for name, value in given.items():
        if value is None and name != "path":
            continue
        if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
            raise EarsightError(f"{name}: a {type(value).__name__}, {value!r:.40}; give the path of a file as text")
        if not is_name(value):
            raise EarsightError(f"{name}: {str(value)!r:.80} names no file; give its path")


def keep_inputs(output: str | Path, inputs: Iterable[str | Path | None], option: str = "--output") -> None:
    """Refuse to write over a file that is read.

    Args:
        option: what names the output on the command line.

    Raises:
        EarsightError: the output is one of the inputs, which may be None or names of something else, or none that a
            file can have.
    """
    if not is_name(output):
        raise EarsightError(f"{str(output)!r:.80} names no file; choose another {option}")
    place = os.path.realpath(output)
    if any(given is not None and is_name(given) and os.path.realpath(given) == place for given in inputs):
        raise EarsightError(f"{output}: this command reads it, and would write over it; choose another {option}")


def is_name(path: str | os.PathLike[str]) -> bool:
    """Whether a file may have this name: it is not empty, too long, with a NUL, or of letters that no name can have."""
    try:
        os.lstat(path)
    except ValueError:  # UnicodeEncodeError too
        return False
    except OSError as error:
        return bool(str(path)) and error.errno != errno.ENAMETOOLONG
    return True


def kept_name(path: str | Path) -> Path:
    """An absolute path with the file's own name: its folders' links are resolved, a link that it is itself is not.

    What a link leads to may have no suffix (git-annex, DVC, a hub's cache of blobs), and is named by none.
    """
    return Path(os.path.realpath(os.path.dirname(path) or "."), os.path.basename(path))


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
