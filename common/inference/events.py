"""Events, as probabilities that come window by window tell them: one threshold to begin, a lower one to end."""

from collections.abc import Sequence
from dataclasses import dataclass

from .recognition import Segment


@dataclass(frozen=True)
class Begun:
    """An event that goes on.

    Attributes:
        start: seconds.
        label: the class.
        probability: of the window that began it.
    """

    start: float
    label: str
    probability: float


class Hysteresis:
    """Probabilities to events, each class for itself.

    A class is on from `on` until it is less than `off` (Schmitt's trigger).

    Args:
        labels: names of the classes.
        on, off: probabilities.
    """

    def __init__(self, labels: Sequence[str], on: float, off: float):
        self.labels, self.on, self.off = labels, on, off
        self._open: dict[int, list[float]] = {}  # by class: start, and the probabilities of its windows

    def push(self, time: float, probabilities: Sequence[float]) -> list[Begun | Segment]:
        """Take the next window, of which `time` is where what it tells of begins; what begins and ends with it.

        A probability behind those of the classes is that of none of them: where it is more than a half no class is on,
        and else each has its probability among the classes. A segment's probability is the mean over its windows.
        """
        known = 1 - sum(probabilities[len(self.labels):])
        probabilities = [each / known if known >= 0.5 else 0.0 for each in probabilities[:len(self.labels)]]
        found: list[Begun | Segment] = [
            self._closed(k, time) for k in [k for k in self._open if probabilities[k] < self.off]]
        for k, probability in enumerate(probabilities):
            if k in self._open:
                self._open[k].append(float(probability))
            elif probability >= self.on:
                self._open[k] = [time, float(probability)]
                found.append(Begun(time, self.labels[k], float(probability)))
        return found

    def close(self, time: float) -> list[Segment]:
        """The events that still go on when all is over."""
        return [self._closed(k, time) for k in list(self._open)]

    def _closed(self, k: int, time: float) -> Segment:
        start, *values = self._open.pop(k)
        return Segment(start, time, self.labels[k], sum(values) / len(values))
