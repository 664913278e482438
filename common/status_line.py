"""One line on a terminal that changes in place, below what is printed."""

import shutil
import sys
import time
from typing import TextIO

EVERY = 0.1  # seconds from one change to the next, at least
DIM, PLAIN, REST = "\x1b[2m", "\x1b[0m", "\x1b[K"  # ECMA-48: faint, normal, erase to the end of the line


class StatusLine:
    """On the standard error, where that is a terminal; elsewhere nothing is shown."""

    def __init__(self, stream: TextIO | None = None):
        self._stream = stream or sys.stderr
        self.seen = self._stream.isatty()
        self._shown, self._at = False, 0.0

    def show(self, head: str, text: str = "", faint: str = "") -> None:
        """Show a head, and the end of a text of which the last part may yet change, as far as it fits."""
        if not self.seen or time.monotonic() - self._at < EVERY:
            return
        self._at = time.monotonic()
        room = max(shutil.get_terminal_size().columns - len(head) - 2, 0)
        text = f"{text} " if text and faint else text
        cut = max(len(text) + len(faint) - room, 0)
        self._stream.write(f"\r{head} {text[cut:]}{DIM}{faint[max(cut - len(text), 0):]}{PLAIN}{REST}")
        self._stream.flush()
        self._shown = True

    def clear(self) -> None:
        """Take the line away, so that something can be printed in its place."""
        if self._shown:
            self._stream.write(f"\r{REST}")
            self._stream.flush()
            self._shown, self._at = False, 0.0
