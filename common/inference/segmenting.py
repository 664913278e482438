"""Where a long recording is cut: in the pauses that the model's own blanks show.

A model looks through the recording in windows, and where it finds nothing but blanks for long enough is a pause. Pauses
part the recording into utterances, which the model then reads one by one, as it reads clips: one that was trained on
sentences reads sentences best, each normalised over itself. What it reads of an utterance is its signal, or what was
made of that, once, in the windows. Places are output frames, integers from the recording's start.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

# How long recordings are cut, in seconds; chosen on clips of the development parts of AN4 and GRID, one behind another.
CORE, CONTEXT = 8.0, 1.0
PAUSE, MARGIN, OVERLAP, BRIEF = 0.45, 0.66, 1.0, 0.25

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Cutting:
    """How to cut; all in output frames.

    Attributes:
        core: of the windows; what a window says of its core counts.
        context: what a window holds beside its core, on each side.
        pause: blanks that part utterances, at least.
        margin: blanks that an utterance keeps at each end; less where half the pause is, or where it is mute.
        longest: of an utterance. Where no pause comes in time, it is cut in the longest run of blanks of its second
            half.
        overlap: how far the parts on both sides of such a cut are read beyond it.
        brief: labels on fewer frames than this, all of them faint, are no utterance: as a rule a noise in a pause.
        faint: dB, as levels are given.
    """

    core: int
    context: int
    pause: int
    margin: int
    longest: int
    overlap: int
    brief: int
    faint: float = -12.0


def cutting(longest: float, shift: float, core: float = CORE) -> Cutting:
    """How recordings are cut for a model whose training clips are up to `longest` seconds, an output frame every
    `shift` seconds; `core` seconds are the windows' cores."""
    return Cutting(*(max(1, round(seconds / shift)) for seconds in (
        core, CONTEXT, PAUSE, MARGIN, longest, min(OVERLAP, longest / 4), BRIEF)))


@dataclass(frozen=True)
class Stretch:
    """An utterance's place: what is read, and the part of it whose words count; the rest is the neighbours'."""

    start: int
    end: int
    first: int
    last: int

    @property
    def next_start(self) -> int:
        """Where the next stretch starts if it follows at once: as far before `last` as this one goes beyond it."""
        return 2 * self.last - self.end


class Cutter:
    """Turns a recording's levels into stretches as they come.

    Args:
        cutting: how.
        first, start: the last stretch's `last` and `next_start`; both 0 at the recording's start. A cutter that is made
            with them goes on as the one before would have.
    """

    def __init__(self, cutting: Cutting, first: int = 0, start: int = 0):
        self.cutting, self.first, self.start = cutting, first, start
        self._levels = np.zeros(0, dtype=np.float32)  # from `first` on

    def push(self, levels: np.ndarray, last: bool = False) -> list[Stretch]:
        """Take the next frames' levels (time,), -inf where blank, NaN where mute; return the stretches certain by now.

        Args:
            levels: dB, 0 for what is loud in the recording thereabouts (or throughout, where that is not known).
            last: the recording ends here.
        """
        self._levels = np.concatenate([self._levels, levels])
        found = []
        while (spoken := self._spoken(last)) is not None:
            begin, end = spoken
            if end - begin > self.cutting.longest + self.cutting.overlap:
                found.append(self._cut_without_pause(begin))
                continue
            levels = self._levels[begin:end]
            end = min(end + self._behind(end), len(self._levels))
            if np.isfinite(levels).sum() >= self.cutting.brief or levels.max() >= self.cutting.faint:
                found.append(Stretch(self.start, self.first + end, self.first, self.first + end))
            self._move(self.first + end)
        return found

    def _spoken(self, last: bool) -> tuple[int, int] | None:
        """Where the next utterance's labels begin and end, if that is certain; what is silent before is dropped."""
        c = self.cutting
        speech = np.flatnonzero(np.isfinite(self._levels))
        silent = int(speech[0]) if len(speech) else len(self._levels)
        mute = np.flatnonzero(np.isnan(self._levels[:silent]))
        drop = max(silent - c.margin, int(mute[-1]) + 1 if len(mute) else 0)
        if drop > 0:
            self._move(self.first + drop)
            speech -= drop
        if not len(speech):
            return None
        begin, end = int(speech[0]), int(speech[-1]) + 1
        pauses = np.flatnonzero(np.diff(speech) > c.pause)
        if len(pauses):
            end = int(speech[pauses[0]]) + 1
        certain = len(pauses) or last or len(self._levels) - end >= max(c.pause, 2 * c.margin)
        return (begin, end) if certain or end - begin > c.longest + c.overlap else None

    def _behind(self, end: int) -> int:
        """How much of the pause at `end` belongs to the utterance before it."""
        levels = self._levels[end:end + 2 * self.cutting.margin]
        speech, mute = np.flatnonzero(np.isfinite(levels)), np.flatnonzero(np.isnan(levels))
        room = min(self.cutting.margin, int(speech[0]) // 2) if len(speech) else self.cutting.margin
        return min(room, int(mute[0])) if len(mute) else room

    def _cut_without_pause(self, begin: int) -> Stretch:
        c = self.cutting
        half = begin + c.longest // 2
        blank = ~np.isfinite(self._levels[half:begin + c.longest])
        edges = np.flatnonzero(np.diff(blank, prepend=False, append=False)).reshape(-1, 2)
        if len(edges):
            run = edges[np.diff(edges, axis=1).argmax()]
            cut = half + int(run.sum()) // 2
        else:
            cut = half + len(blank) // 2
        cut += self.first
        stretch = Stretch(self.start, cut + c.overlap, self.first, cut)
        self._move(cut)
        self.start = stretch.next_start
        return stretch

    def _move(self, first: int) -> None:
        self._levels = self._levels[first - self.first:]
        self.first = self.start = first


def stretches(blocks: Iterable[np.ndarray], look: "Look", unit: int, kept_unit: int, cutting: Cutting, pool: Executor,
              ahead: int, first: int = 0, start: int = 0, progress: Callable[[int], None] = lambda place: None
              ) -> Iterator[tuple[Stretch, np.ndarray]]:
    """Cut a recording that comes in blocks; yield each stretch with its part of what is kept. Memory is bounded.

    Args:
        blocks: the signal (time, ...) from its start, split anyhow.
        look: a window -> its levels (output frame,) as `Cutter.push` takes them, and what is kept of its core (time,
            ...), the signal or what was made of it.
        unit, kept_unit: places of the signal, and of what is kept, an output frame.
        pool: what `look` runs in, on up to `ahead` windows at a time.
        first, start: where to go on; see `Cutter`. The windows are the same wherever it starts.
        progress: is told the output frame up to which the recording has been looked through.
    """
    cutter = Cutter(cutting, first, start)
    skip = start // cutting.core
    place = skip * cutting.core  # of the next window's core
    held = Held(place * kept_unit)
    every = windows(blocks, cutting.core * unit, cutting.context * unit, skip)
    for window, (levels, kept) in in_order(pool, look, every, ahead):
        lead, count = window.lead // unit, -(-len(window.core) // unit)
        levels = levels[lead:lead + count]  # a frontend may give a frame less
        levels = np.pad(levels, (0, count - len(levels)), constant_values=-np.inf)
        held.add(kept)
        for stretch in cutter.push(levels[max(first - place, 0):], window.last):
            yield stretch, held.cut(stretch.start * kept_unit, stretch.end * kept_unit)
        held.drop(cutter.start * kept_unit)
        place += count
        progress(place)


@dataclass(frozen=True, eq=False)
class Window:
    """A core of signal, and with it `lead` places of context before, and as many behind where there are some."""

    signal: np.ndarray
    lead: int
    core: np.ndarray
    last: bool


Look = Callable[[Window], tuple[np.ndarray, np.ndarray]]  # see `stretches`


def windows(blocks: Iterable[np.ndarray], core: int, context: int, skip: int) -> Iterator[Window]:
    """A signal that comes in blocks as windows whose cores join, from core number `skip` on."""
    held, place, blocks = Held(0), skip * core, iter(blocks)
    at_end = False
    while True:
        while not at_end and held.end <= place + core + context:
            if (block := next(blocks, None)) is None:
                at_end = True
            else:
                held.add(block)
                held.drop(place - context)
        if held.end <= place:
            return
        lead = min(context, place)
        last = at_end and held.end <= place + core
        yield Window(held.cut(place - lead, place + core + context), lead, held.cut(place, place + core), last)
        if last:
            return
        place += core
        held.drop(place - context)


class Held:
    """The part of a signal that is still needed: what comes is added behind, what is done with is dropped in front."""

    def __init__(self, start: int):
        self.start, self.end = start, start
        self._signal: np.ndarray | None = None

    def add(self, block: np.ndarray) -> None:
        self._signal = block if self._signal is None else np.concatenate([self._signal, block])
        self.end += len(block)

    def cut(self, start: int, end: int) -> np.ndarray:
        """From `start` up to, not including, `end`, both counted from the signal's start."""
        assert self._signal is not None  # nothing can be cut before something was added
        return self._signal[start - self.start:max(end - self.start, 0)]

    def drop(self, start: int) -> None:
        """Forget what is before `start`."""
        if start > self.start and self._signal is not None:
            self._signal = self._signal[start - self.start:]
            self.start = min(start, self.end)


def in_order(pool: Executor, work: Callable[[Item], Result], items: Iterable[Item], ahead: int
             ) -> Iterator[tuple[Item, Result]]:
    """Each item with its result, in order; up to `ahead` of them are in work at a time, and no more are held."""
    waiting: deque = deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(work, item)))
            while waiting and (len(waiting) > ahead or waiting[0][1].done()):
                item, future = waiting.popleft()
                yield item, future.result()
        while waiting:
            item, future = waiting.popleft()
            yield item, future.result()
    finally:
        for _, future in waiting:
            future.cancel()
