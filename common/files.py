"""Files that are written whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import EarsightError

_temporaries: set[Path] = set()  # of this process, being written


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` if the block ends without an error.

    The rename is atomic, and the temporary file is gone in any case, so a reader never meets a half-written
    file and a full disk never costs the previous one.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise EarsightError(f"{path}: cannot be written ({error.strerror}); choose another output") from error
    temporary = Path(name)
    _temporaries.add(temporary)
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
        _temporaries.discard(temporary)


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def remove_temporaries() -> None:
    """Remove what other threads are writing, for a process that ends without waiting for them."""
    for path in tuple(_temporaries):
        with suppress(OSError):
            path.unlink()


def partial_of(path: str | Path) -> Path:
    """Where what is done of `path` is kept until all of it is: a hidden file beside it."""
    path = Path(path)
    return path.with_name(f".{path.name}.partial.jsonl")


def _umask() -> int:
    # There is no call that reads the umask without setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
