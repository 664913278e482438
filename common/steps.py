"""Work on several items side by side: each takes a step before any takes the next.

A step's code and weights stay in a core's caches meanwhile: with eight clips at a time, `en-small` reads each in four
fifths of the time that it needs for one alone.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeAlias, TypeVar

from .errors import EarsightError

Item = TypeVar("Item")
Result = TypeVar("Result")
Steps: TypeAlias = Generator[None, None, Result]  # rests after each step but the last, and returns the result

_RESTS = object()


def attempt(work: Callable[[Item], Result], item: Item) -> Result | EarsightError:
    """What `work` gives of an item, or the error that it met."""
    try:
        return work(item)
    except EarsightError as error:
        return error
    except MemoryError:
        return EarsightError(f"{item}: too long for this machine's memory; split it")


def in_step(work: Callable[[Item], Steps[Result]], items: Sequence[Item]) -> list[Result | EarsightError]:
    """What the steps of each item lead to, or the error that it met."""
    outcomes: list[Any] = [_RESTS] * len(items)
    steps = [work(item) for item in items]
    while resting := [place for place, outcome in enumerate(outcomes) if outcome is _RESTS]:
        for place in resting:
            outcomes[place] = attempt(lambda _, place=place: _next(steps[place]), items[place])
    return outcomes


def finished(steps: Steps[Result]) -> Result:
    """What the steps lead to, taken without a rest."""
    while (outcome := _next(steps)) is _RESTS:
        pass
    return outcome


def _next(steps: Steps[Any]) -> Any:
    """The result that the next step ends with, or _RESTS."""
    try:
        next(steps)
    except StopIteration as end:
        return end.value
    return _RESTS
