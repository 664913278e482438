"""Sound put where its file says that it is heard: what starts late or has holes gets silence for the time between."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from .pieces import Silence

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

# Seconds by which the times in a file may differ from a count of its samples: rounding, jitter of what is live, the
# padding that encoders add. The same as ffmpeg's aresample takes (min_hard_comp).
JITTER = 0.1
OVERLAP = 1.0  # seconds by which sound may come early; more is another clock, as behind a seam of joined streams
LONGEST_GAP = 3600.0  # seconds; a damaged time must not make silence without end


class Timing(NamedTuple):
    """How a file tells time.

    Attributes:
        tick: seconds a unit of its times.
        origin: the time of its first sound in seconds -> the time of the file's start.
        duration: seconds that the file announces; 0 if it does not.
        throughout: whether all times are its own, or only the first.
    """

    tick: float
    origin: Callable[[float], float]
    duration: float
    throughout: bool


class Clock:
    """Puts frames where their file says that they are heard.

    A frame whose time is far from where the one before ended is held until the next has come: what only one frame says
    is damage. What overlaps is given one behind the other; the next gap makes up for it.

    Attributes:
        given: seconds that have been given, from the file's start.
    """

    def __init__(self, timing: Timing):
        self.timing, self.given = timing, 0.0
        self._origin: float | None = None
        self._held: tuple[AudioFrame, float] | None = None

    def in_time(self, frames: "Iterable[AudioFrame | Silence]") -> "Iterator[AudioFrame | Silence]":
        """The frames, all of them and unchanged, with silence before those that come late.

        Silence among the frames stands for what is lost.
        """
        tick, throughout = self.timing.tick, self.timing.throughout
        for frame in frames:
            if isinstance(frame, Silence):
                yield from self._release(None)
                self.given += frame.seconds
                yield frame
                continue
            # Nearly every frame follows on the one before, and there are many: no calls for these.
            if self._held is None and self._origin is not None and (pts := frame.pts) is not None and (
                    not throughout or -OVERLAP <= pts * tick - self._origin - self.given <= JITTER):
                self.given += frame.samples / frame.sample_rate
                yield frame
                continue
            late = self._lateness(frame) if throughout or self._origin is None else 0.0
            if self._held is not None:
                yield from self._release(late)
                late = self._lateness(frame)
            if -OVERLAP <= late <= JITTER:
                self.given += frame.samples / frame.sample_rate
                yield frame
            else:
                self._held = frame, late
                if not throughout:
                    yield from self._release(None)
        yield from self._release(None)

    def _lateness(self, frame: "AudioFrame") -> float:
        """Seconds by which a frame begins after the end of what was given; 0 where no time tells."""
        origin, pts = self._origin, frame.pts
        if pts is None:
            return 0.0
        if origin is None:
            origin = self._origin = self.timing.origin(pts * self.timing.tick)
        return pts * self.timing.tick - origin - self.given

    def _release(self, following: float | None) -> "Iterator[AudioFrame | Silence]":
        """What was held, if anything, now that the next frame's lateness is known; None where there is none."""
        if self._held is None:
            return
        (frame, late), self._held = self._held, None
        length = frame.samples / frame.sample_rate
        if following is None:
            agreed = self._credible(late) and (self.timing.duration > 0 or not self.timing.throughout)
        else:
            following -= length
            agreed = following > late - OVERLAP if late > 0 else following < late + OVERLAP
        if agreed and self._credible(late):
            yield Silence(late)
            self.given += late
        elif agreed and self._origin is not None:  # another clock, from here on
            self._origin += late
        yield frame
        self.given += length

    def _credible(self, late: float) -> bool:
        within = not self.timing.duration or self.given + late <= self.timing.duration + OVERLAP
        return 0 < late <= LONGEST_GAP and within
