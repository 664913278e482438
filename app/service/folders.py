"""The folder of uploads: gone with the service, and if that was killed, with the next one that begins."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISDIR

from ...common.errors import EarsightError
from ...common.signals import at_sudden_end

PREFIX = "earsight-serve-"
LOCK = ".lock"  # held by the service whose folder it is


@contextmanager
def upload_folder(place: Path | None) -> Iterator[Path]:
    """A new folder, for this user alone, under `place` or the system's folder for such; removed at the end.

    Raises:
        EarsightError: nothing can be written there.
    """
    place = place or Path(tempfile.gettempdir())
    _sweep(place)
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        lock = os.open(folder / f"{LOCK}.new", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.rename(folder / f"{LOCK}.new", folder / LOCK)  # nobody meets one that is not held
    except OSError as error:
        raise EarsightError(f"{place}: uploads cannot be kept there ({error.strerror}); choose another --temporary"
                            ) from error

    def remove() -> None:
        shutil.rmtree(folder, ignore_errors=True)

    at_sudden_end.append(remove)
    try:
        yield folder
    finally:
        at_sudden_end.remove(remove)
        remove()
        os.close(lock)


def _sweep(place: Path) -> None:
    """Remove the folders of services that are no more, if they were this user's: others may write there too."""
    for lock in place.glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError):  # another service's
            stat = os.lstat(lock.parent)
            if not S_ISDIR(stat.st_mode) or stat.st_uid != os.getuid():
                continue
            handle = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
            finally:
                os.close(handle)
