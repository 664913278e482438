"""What `earsight listen` says of what it hears: text or JSON lines, a line on the terminal, a file of subtitles."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...common.errors import EarsightError
from ...common.files import write_whole
from ...common.formats.subtitles import Cue, cues, srt_of, vtt_of
from ...common.inference.recognition import Word, plain_words
from ...common.status_line import StatusLine
from .reader import Update

METER = 20  # characters of the level meter
QUIETEST = -60.0  # dB of full scale, where it begins
FORMS = {".srt": srt_of, ".vtt": vtt_of}


class Teller:
    """Prints, and writes.

    Args:
        form: "txt", a line an utterance when it is over; or "jsonl", an object a reading that changed something.
        subtitles: .srt or .vtt file; None for none.
    """

    def __init__(self, form: str, subtitles: Path | None):
        self.form, self._line = form, StatusLine()
        self._subtitles = Subtitles(subtitles) if subtitles else None
        self._before, self._level = ("", ""), QUIETEST

    def hear(self, samples: np.ndarray) -> None:
        """Take note of how loud sound is that has come."""
        if len(samples):
            self._level = 10 * float(np.log10(np.square(samples).mean() + 1e-12))

    def show(self, settled: Sequence[Word], partial: str) -> None:
        """Renew the terminal's line."""
        fixed = " ".join(word.text for word in settled)
        full = round(METER * min(max(1 - self._level / QUIETEST, 0), 1))
        self._line.show(f"[{'#' * full:{METER}}]", fixed, partial[len(fixed):].strip())

    def tell(self, update: Update) -> None:
        """Tell what a reading changed."""
        if update.words is None:
            if self.form == "jsonl" and (update.fixed, update.partial) != self._before:
                self._print(json.dumps({"type": "partial", "start": round(update.start, 3), "end": round(update.end, 3),
                                        "settled": update.fixed, "text": update.partial}, ensure_ascii=False))
            self._before = update.fixed, update.partial
            return
        self._before = "", ""
        if not update.words:
            return
        if self._subtitles:
            self._subtitles.add(update.words, update.end)
        self._print(update.partial if self.form == "txt" else json.dumps(
            {"type": "final", "start": round(update.start, 3), "end": round(update.end, 3), "text": update.partial,
             "confidence": round(update.confidence, 4), "words": plain_words(update.words)}, ensure_ascii=False))

    def settle(self, words: Sequence[Word], end: float) -> None:
        """Take the words of the utterance under way that are settled, to `end` in seconds."""
        if self._subtitles:
            self._subtitles.show(words, end)

    def close(self) -> None:
        """Take the terminal's line away."""
        self._line.clear()

    def _print(self, text: str) -> None:
        self._line.clear()
        print(text, flush=True)


class Subtitles:
    """A file of subtitles that grows: written whole each time, so that whoever reads it never meets half of it.

    Raises:
        EarsightError: its name is of no known format, or it cannot be written.
    """

    def __init__(self, path: Path):
        if path.suffix.lower() not in FORMS:
            raise EarsightError(f"{path}: subtitles are written as .srt or .vtt; name such a file")
        self.path, self._write = path, FORMS[path.suffix.lower()]
        self._cues: list[Cue] = []
        self._shown: list[str] = []
        self._save(self._cues)

    def add(self, words: Sequence[Word], end: float) -> None:
        """An utterance that is over."""
        self._cues += cues(words, end)
        self._shown = []
        self._save(self._cues)

    def show(self, words: Sequence[Word], end: float) -> None:
        """The words so far of one that is not."""
        texts = [word.text for word in words]
        if texts and texts != self._shown:
            self._shown = texts
            self._save([*self._cues, *cues(words, end)])

    def _save(self, every: Sequence[Cue]) -> None:
        write_whole(self.path, self._write(every) + "\n")
