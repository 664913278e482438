"""What was heard of a long recording so far, beside the output to come, so that a job that was stopped can go on."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from common.errors import EarsightError
from common.recognition import Reading, Transcript, Utterance, Word
from common.segmenting import Stretch


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
        """Make it ready for `add`, and return what is there; a line that was not written whole does not count.

        Raises:
            EarsightError: it cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self.path, "a+b")
            self._file.seek(0)
            lines = [line for line in self._file.read().splitlines(keepends=True) if line.endswith(b"\n")]
            if not lines or _parsed(lines[0]) != self.key:
                lines = [json.dumps(self.key).encode() + b"\n"]
                self._file.truncate(0)
                self._file.write(lines[0])
            else:
                self._file.truncate(sum(map(len, lines)))
            self._file.flush()
        except OSError as error:
            raise EarsightError(f"{self.path}: cannot be written ({error.strerror}); choose another output") from error
        return list(_entries(lines[1:]))

    def add(self, place: Stretch, utterance: Utterance) -> None:
        """Note one more utterance; a process that is killed then does not take it along."""
        try:
            self._file.write(json.dumps({"place": asdict(place), "utterance": asdict(utterance)}).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise EarsightError(f"{self.path}: cannot be written ({error.strerror}); make room and start again") from error

    def close(self) -> None:
        """The file stays."""
        if self._file:
            self._file.close()


def _entries(lines: list[bytes]) -> Iterator[tuple[Stretch, Utterance]]:
    for line in lines:
        if (entry := _parsed(line)) is None:  # damaged: all from here on is read again
            return
        plain = entry["utterance"]
        transcript = plain["transcript"]
        transcript["words"] = tuple(Word(**word) for word in transcript["words"])
        transcript["n_best"] = tuple(Reading(**reading) for reading in transcript["n_best"])
        yield Stretch(**entry["place"]), Utterance(plain["start"], plain["end"], Transcript(**transcript))


def _parsed(line: bytes) -> dict | None:
    try:
        return json.loads(line)
    except ValueError:
        return None
