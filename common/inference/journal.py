"""What was heard of a long recording so far, beside the output to come, so that a job that was stopped can go on."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import EarsightError
from .recognition import Reading, Transcript, Utterance, Word
from .segmenting import Stretch


class Journal:
    """A JSON line that says what is read and how (the key), then one for each utterance, in order.

    Args:
        path: the file; made when `open` is called.
        key: plain types. A file with another key is of something else, and is written anew.
    """

    def __init__(self, path: Path, key: dict):
        self.path, self.key = path, json.loads(json.dumps(key))
        self._file: BinaryIO | None = None

    def open(self) -> list[tuple[Stretch, Utterance]]:
        """Make it ready for `add`, and return what is there; a line that was not written whole or is damaged does not
        count, nor do those behind it.

        Raises:
            EarsightError: it cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self.path, "a+b")
            self._file.seek(0)
            lines = self._file.read().splitlines(keepends=True)
            if lines and _plain(lines[0]) == self.key:
                heard = list(_restored(lines[1:]))
                self._file.truncate(sum(map(len, lines[:1 + len(heard)])))
            else:
                heard = []
                self._file.truncate(0)
                self._write(self.key)
        except OSError as error:
            raise EarsightError(f"{self.path}: cannot be written ({error.strerror}); choose another output") from error
        return heard

    def add(self, place: Stretch, utterance: Utterance) -> None:
        """Note one more utterance; a process that is killed then does not take it along."""
        try:
            self._write({"place": asdict(place), "utterance": asdict(utterance)})
        except OSError as error:
            raise EarsightError(f"{self.path}: cannot be written ({error.strerror}); make room and start again"
                                ) from error

    def _write(self, plain: dict) -> None:
        assert self._file is not None  # `open` was called
        self._file.write(json.dumps(plain).encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        """The file stays."""
        if self._file:
            self._file.close()


def _restored(lines: Iterable[bytes]) -> Iterator[tuple[Stretch, Utterance]]:
    """What the lines hold, up to the first that is none of ours."""
    for line in lines:
        try:
            entry = _plain(line)
            plain = entry["utterance"]
            transcript = plain["transcript"]
            transcript["words"] = tuple(Word(**word) for word in transcript["words"])
            transcript["n_best"] = tuple(Reading(**reading) for reading in transcript["n_best"])
            heard = Stretch(**entry["place"]), Utterance(plain["start"], plain["end"], Transcript(**transcript))
        except (LookupError, TypeError):
            return
        yield heard


def _plain(line: bytes) -> Any:
    """A line's object; None where it was not written whole."""
    try:
        return json.loads(line) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        return None
