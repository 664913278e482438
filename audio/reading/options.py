"""What of a sound file is read, where it holds more than one voice or is damaged."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...common.errors import EarsightError


@dataclass(frozen=True)
class ReadingOptions:
    """How a sound file is read.

    Attributes:
        track: which sound track, from 1; None is the first that is not silent throughout.
        channels: "mix", their mean; a number from 1, that channel alone; or "split", each for itself, which is for
            whoever calls the readers: they read one at a time.
        damaged: "refuse" a file that is damaged or cut short, or "skip" what is damaged: silence stands in its place.
        quiet: print no warnings, as for a file that has been read before.
        longest: seconds; of a longer file no more than that is decoded, and `common.errors.TooLong` raised. None for
            no limit.

    Raises:
        EarsightError: a value is none of these.
    """

    track: int | None = None
    channels: str | int = "mix"
    damaged: str = "refuse"
    quiet: bool = False
    longest: float | None = None

    def __post_init__(self) -> None:
        if self.track is not None and not _counts(self.track):
            raise EarsightError(f"track: {self.track!r} is not a whole number from 1; leave it out for the first track")
        if not (isinstance(self.channels, str) and self.channels in ("mix", "split") or _counts(self.channels)):
            raise EarsightError(f"channels: {self.channels!r} is none of mix, split and a number from 1; choose one")
        if not (isinstance(self.damaged, str) and self.damaged in ("refuse", "skip")):  # nor an array
            raise EarsightError(f"damaged: {self.damaged!r} is neither refuse nor skip; choose one")

    @property
    def channel(self) -> int | None:
        """The one channel that is read; None for all."""
        return self.channels if isinstance(self.channels, int) else None

    @property
    def skip(self) -> bool:
        return self.damaged == "skip"

    def warn(self, path: Path, text: str) -> None:
        """One line for the user about a file."""
        if not self.quiet:
            print(f"warning: {path}: {text}", file=sys.stderr, flush=True)


WHOLE = ReadingOptions()


def _counts(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
