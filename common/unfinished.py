"""A folder of outputs that a job began and did not end: what is there of it need not be done again."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .errors import EarsightError
from .files import write_whole

MARK = ".unfinished"  # in the folder, as long as an output is missing


@dataclass(frozen=True)
class Job:
    """One function over files, the same each time that it is begun.

    Attributes:
        folder: of its outputs.
        names: by input, the name of its output there.
        what: what is done, and how. A job that does something else, or has other inputs, begins anew.
    """

    folder: Path
    names: Mapping[Path, str]
    what: str

    def begin(self) -> list[Path]:
        """Mark the folder as this job's, and return the inputs whose outputs are missing.

        Outputs are written whole or not at all (`files.write_whole`): one that is no older than the mark, nor than its
        input, is this job's, and done.

        Raises:
            EarsightError: the folder cannot be written.
        """
        import hashlib

        mark, key = self.folder / MARK, hashlib.sha256(repr((self.what, list(self.names.items()))).encode()).hexdigest()
        try:
            if not mark.exists() or mark.read_bytes() != key.encode():
                write_whole(mark, key)
        except OSError as error:
            raise EarsightError(f"{mark}: cannot be read ({error.strerror}); choose another output") from error
        begun = _written(mark)
        return [path for path, name in self.names.items()
                if _written(self.folder / name) < max(begun, _written(path))]

    def end(self) -> None:
        """Take the mark away, once every output is there."""
        (self.folder / MARK).unlink(missing_ok=True)


def _written(path: Path) -> int:
    """When, in nanoseconds since 1970; 0 where there is no such file."""
    with suppress(OSError):
        return path.stat().st_mtime_ns
    return 0
