"""`earsight transcribe` of long files: a bar with the time left, lines as they are ready, going on after a stop."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from ...common.batch_run import BAR_FROM
from ...common.files import partial_of
from ...common.inference.recognition import Transcript, Utterance
from ...common.paths import output_names
from ...common.steps import Steps
from ..reading import ReadingOptions, announced_duration
from .recogniser import SpeechRecogniser

if TYPE_CHECKING:
    from tqdm import tqdm

LONG = 60.0  # seconds of sound; less is read before a bar would help


@dataclass(frozen=True)
class Clip:
    """A file, and what of it is read."""

    path: Path
    options: ReadingOptions

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)


class LongFiles:
    """Transcribes files one by one for a command, several at a time from threads; a context manager.

    Args:
        clips: all that is read, by name: a file's path, or what one of its channels is called.
        output: folder of the outputs, beside which it is noted how far each is; None for none.
        suffix: of the outputs.
        finish: what is done to transcripts last, to an utterance's or a whole one.
        write: transcript -> text; given, each utterance is printed when it is ready.
    """

    def __init__(self, clips: Mapping[Path, Clip], output: Path | None, suffix: str,
                 finish: Callable[[Transcript], Transcript], write: Callable[[Transcript], str] | None = None):
        names = output_names(list(clips), suffix) if output else {}
        self._clips = clips
        self._journals = {path: partial_of(output / name) for path, name in names.items()} if output else {}
        self._finish, self._write, self._lock = finish, write, Lock()
        self._bar = _bar([clip.path for clip in clips.values()])

    def __enter__(self) -> "LongFiles":
        return self

    def __exit__(self, *_) -> None:
        if self._bar is not None:
            self._bar.close()

    def transcribing(self, recogniser: SpeechRecogniser, name: Path) -> Steps[Transcript]:
        """The steps in which one of the clips is read."""
        done, printed, bar = 0.0, 0, self._bar

        def heard(utterance: Utterance) -> None:
            nonlocal printed
            text = self._write(self._finish(utterance.transcript)) if self._write else ""
            if text:
                printed += 1
                self._print(text)

        def progress(seconds: float) -> None:
            nonlocal done
            if bar is not None:
                with self._lock:
                    bar.update(min(seconds - done, bar.total - bar.n))  # headers may be wrong
            done = seconds

        clip = self._clips[name]
        steps = recogniser.transcribing(clip.path, self._journals.get(name), heard, progress, clip.options)
        transcript = self._finish((yield from steps))
        if self._write and not printed:
            self._print("")
        return transcript

    def _print(self, text: str) -> None:
        if self._bar is None:
            print(text, flush=True)
        else:
            self._bar.write(text, file=sys.stdout)


def _bar(paths: Sequence[Path]) -> "tqdm | None":
    """A bar over all sound, where there is enough of it in few files; many have a bar that counts files."""
    if len(paths) >= BAR_FROM or not sys.stderr.isatty():
        return None
    seconds = sum(announced_duration(path) or 0.0 for path in paths)
    if seconds < LONG:
        return None
    from tqdm import tqdm

    form = "{percentage:3.0f}% of {desc}|{bar}| {elapsed} done, {remaining} left"
    return tqdm(total=seconds, desc=f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min",
                bar_format=form, file=sys.stderr)
