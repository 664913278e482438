"""What takes tasks: worker processes of this machine (`processes`), or replicas in a Ray cluster (`ray_pool`)."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from .errors import ApiError

USUAL = 1.0  # seconds that a request takes, until one has been done


class Pool(ABC):
    """Those who work, and the line of the tasks that wait for one of them.

    Args:
        jobs: tasks at a time, at most.
        max_queue: tasks that wait; one more is refused with 429.
    """

    def __init__(self, jobs: int, max_queue: int):
        self.jobs, self.max_queue = jobs, max_queue
        self.closing = False
        self._usual = USUAL

    @property
    @abstractmethod
    def waiting(self) -> int:
        """Tasks that wait for a worker."""

    @property
    @abstractmethod
    def ready(self) -> int:
        """Workers that have begun."""

    @property
    @abstractmethod
    def memory(self) -> int:
        """Bytes that all workers take; 0 where that is not known."""

    @abstractmethod
    async def start(self) -> None:
        """Start the workers and wait until there is one.

        Raises:
            EarsightError: one could not begin, as where the model is damaged.
        """

    @abstractmethod
    async def close(self) -> None:
        """End all workers."""

    @abstractmethod
    def events(self, task: str, arguments: dict[str, Any], patient: bool = False, last: bool = False
               ) -> AsyncGenerator[dict[str, Any], None]:
        """Have a worker do one of `tasks.TASKS`; yield what it tells, and at last `{"done": ...}`.

        Args:
            patient: wait in a full line too: what is asked is part of something that was admitted.
            last: nothing but what it tells last is wanted, so that it may be begun again.

        Raises:
            ApiError: what was asked is refused, or failed.
        """

    async def result(self, task: str, arguments: dict[str, Any], patient: bool = False) -> dict[str, Any]:
        """What a task returns, and as `took` the seconds that a worker had it; see `events`."""
        async with aclosing(self.events(task, arguments, patient, last=True)) as events:
            async for event in events:
                if "done" in event:
                    return event["done"]
        raise AssertionError("the events of a task end with `done`")

    def demand_room(self) -> None:
        """Raise ApiError (429) where a task would find the line full."""
        if self.waiting >= self.max_queue:
            seconds = max(1, round(self._usual * (1 + self.waiting) / self.jobs))
            raise ApiError(429, f"{self.waiting} requests wait already; try again in {seconds} s",
                           "rate_limit_exceeded", headers={"Retry-After": str(seconds)})

    def _took(self, seconds: float) -> None:
        self._usual += 0.1 * (seconds - self._usual)
