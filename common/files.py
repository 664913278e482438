"""Files that are written whole or not at all."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import EarsightError
from .escaping import ESCAPED
from .signals import at_sudden_end

_temporaries: set[Path] = set()  # of this process, being written


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` if the block ends without an error.

    The rename is atomic, and the temporary file is gone in any case, so a reader never meets a half-written
    file and a full disk never costs the previous one. A link stays one: what it leads to is replaced. What is no file,
    as /dev/null or a pipe, is written into.

    Raises:
        EarsightError: nothing can be written there.
    """
    path = Path(path)
    try:
        special = _is_special(path)
        if not special:
            path = Path(os.path.realpath(path)) if path.is_symlink() else path
            path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix,
                                        dir=None if special else path.parent)
        os.close(handle)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise _unwritable(path, error) from error
    temporary = Path(name)
    _temporaries.add(temporary)
    try:
        yield temporary
        if special:
            _copy_into(temporary, path)
            return
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
        _temporaries.discard(temporary)


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Give an empty temporary folder beside `path`; put it in the place of `path` if the block ends without an error.

    Raises:
        EarsightError: there or within the block, nothing can be written; an older folder stays as it was.
    """
    path = Path(os.path.realpath(path)) if os.path.islink(path) else Path(path)
    if os.path.exists(path) and not os.path.isdir(path):
        raise EarsightError(f"{path}: is a file, and a folder is to be written; choose another output")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error
    try:
        _temporaries.add(temporary)
        (folder := temporary / "new").mkdir()
        yield folder
        if path.exists():
            path.rename(temporary / "old")
        folder.rename(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        _temporaries.discard(temporary)


def _is_special(path: Path) -> bool:
    """Whether there is something at a path that is no file: a device, a pipe, a socket.

    Raises:
        EarsightError: it is a folder.
        OSError: as `os.stat`, but for what is not there.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise EarsightError(f"{path}: is a folder, and a file is to be written; choose another output")
    return not stat.S_ISREG(mode)


def _copy_into(source: Path, path: Path) -> None:
    try:
        with open(source, "rb") as file, open(path, "wb") as target:
            shutil.copyfileobj(file, target)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritable(path, error) from error


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(content.encode(errors=ESCAPED) if isinstance(content, str) else content)


def _unwritable(path: Path, error: Exception) -> EarsightError:
    reason = getattr(error, "strerror", None) or error
    return EarsightError(f"{path}: cannot be written ({reason}); choose another output")


def remove_temporaries() -> None:
    """Remove what other threads are writing, for a process that ends without waiting for them."""
    for path in tuple(_temporaries):
        with suppress(OSError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def partial_of(path: str | Path) -> Path:
    """Where what is done of `path` is kept until all of it is: a hidden file beside it."""
    path = Path(path)
    return path.with_name(f".{path.name}.partial.jsonl")


def _umask() -> int:
    # There is no call that reads the umask without setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask


at_sudden_end.append(remove_temporaries)
