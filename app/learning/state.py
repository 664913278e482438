"""What `learn` remembers from one run to the next, and the time that it was given."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...common.errors import EarsightError
from ...common.files import write_whole
from .frames import Frames
from .sources import Material

LARGEST = 1e9  # minutes


class Clock:
    """The time that was given, counted from here on."""

    def __init__(self, minutes: float):
        if not (isinstance(minutes, int | float) and 0 < minutes < LARGEST):
            raise EarsightError(f"--minutes {minutes!r:.40}: give a number above 0")
        self._end = time.monotonic() + 60 * minutes

    def left(self) -> float:
        """Seconds."""
        return self._end - time.monotonic()


@dataclass(frozen=True)
class State:
    """What was decided before, so that the same command goes on where it was.

    Attributes:
        sources: absolute paths.
        clips: a digest of the clips' names, places and targets.
        views: augmented views of each clip; None: not decided.
    """

    sources: tuple[str, ...] = ()
    clips: str = ""
    views: int | None = None

    @staticmethod
    def read(path: Path) -> State:
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
            views = plain["views"]
            if views is not None and not (isinstance(views, int) and views >= 0):
                raise ValueError(f"views {views!r:.40}")
            return State(tuple(map(str, plain["sources"])), str(plain["clips"]), views)
        except FileNotFoundError:
            return State()
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            raise EarsightError(f"{path}: damaged ({error}); remove it, and learn anew: frames are kept") from error

    def write(self, path: Path) -> None:
        plain = {"sources": self.sources, "clips": self.clips, "views": self.views}
        write_whole(path, json.dumps(plain, ensure_ascii=False, indent=2) + "\n")

    def with_sources(self, sources: Sequence[str | Path], add: bool, output: Path) -> State:
        """With those that are given, beside the ones before where they are to be added."""
        given = tuple(str(Path(source).absolute()) for source in sources)
        if not add:
            return self if given == self.sources else State(given)
        if not self.sources:
            raise EarsightError(f"--add: nothing was learnt in {output} before; leave --add out")
        return replace(self, sources=tuple(dict.fromkeys((*self.sources, *given))))

    def for_clips(self, material: Material) -> State:
        """Without what was decided of other clips."""
        lines = [f"{cut.id}\t{material.target(cut)}\t{cut.start}\t{cut.duration}" for cut in material.cuts]
        clips = hashlib.sha256("\n".join([material.task, *lines]).encode()).hexdigest()
        return self if clips == self.clips else State(self.sources, clips)

    def with_views(self, frames: Frames) -> State:
        return replace(self, views=max(map(len, frames.views.values())) - 1)
