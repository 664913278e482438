"""Worker processes: each has its models and its share of the cores, is killed at a limit, and replaced."""

import asyncio
import json
import logging
import os
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...common.errors import EarsightError
from ...common.steps import is_small
from ...common.workers import LAST, LENGTH, packed
from .errors import ApiError
from .pool import Pool
from .settings import KEYS

log = logging.getLogger("earsight.service")

WATCH = 0.1  # seconds between two looks at the workers' memory
GRACE = 1.0  # seconds for a task that nobody waits for any more; then its worker is killed, and another started
HANDFUL = 0.05  # seconds of work that a worker is given at once
SIDE_BY_SIDE = ("transcribe",)  # tasks that gain by it
AGAIN = 1.0  # seconds before a worker is started in the place of one that could not begin


class Task:
    """What a request has a worker do.

    Attributes:
        name, arguments: of one of `tasks.TASKS`.
        short: it may be one of several that a worker does side by side.
        wanted: whether somebody waits for it.
        told: what its worker told of it, or an error in the place of what is told last.
    """

    def __init__(self, name: str, arguments: dict[str, Any], short: bool):
        self.name, self.arguments, self.short, self.wanted = name, arguments, short, True
        self.told: asyncio.Queue[dict[str, Any] | ApiError] = asyncio.Queue()


class Worker:
    """One process.

    Attributes:
        ready: whether it has begun.
        why: it was killed.
        tasks: what it has not done yet of its tasks, by number.
        limit: when it is killed; None while it rests.
    """

    def __init__(self, process: asyncio.subprocess.Process):
        self.process = process
        self.ready, self.why = False, ""
        self.tasks: dict[int, Task] = {}
        self.limit: asyncio.Timeout | None = None
        self._size: int | None = None  # of the message whose head has been read

    async def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        with suppress(ConnectionError):  # `receive` tells that it is gone
            self.process.stdin.write(packed(message))
            await self.process.stdin.drain()

    async def receive(self) -> dict[str, Any] | None:
        """The next event; None where the process has ended. Who waits may leave at any moment, and nothing is lost."""
        assert self.process.stdout is not None
        try:
            size = self._size
            if size is None:
                self._size = size = int(LENGTH.unpack(await self.process.stdout.readexactly(LENGTH.size))[0])
            body = await self.process.stdout.readexactly(size)
            self._size = None
            return json.loads(body)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    def kill(self, why: str) -> None:
        self.why = self.why or why
        with suppress(ProcessLookupError):
            self.process.kill()

    @property
    def memory(self) -> int:
        """Bytes in memory; 0 where the system does not tell, as it does under Linux."""
        try:
            pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


class ProcessPool(Pool):
    """Worker processes of this machine.

    Args:
        model: what each loads before it begins.
        jobs: workers.
        threads: of each.
        max_queue: tasks that wait; one more is refused with 429.
        max_time: seconds for a task; then its worker is killed, and the task refused with 504.
        max_memory: bytes of a worker; then likewise, with 413.
    """

    def __init__(self, model: str, jobs: int, threads: int, max_queue: int, max_time: float, max_memory: float):
        super().__init__(jobs, max_queue)
        self.model, self.threads = model, threads
        self.max_time, self.max_memory = max_time, max_memory
        self.workers: list[Worker] = []
        self._idle: list[Worker] = []
        self._line: deque[Task] = deque()
        self._tasks: set[asyncio.Task] = set()

    @property
    def waiting(self) -> int:
        return len(self._line)

    @property
    def ready(self) -> int:
        return sum(worker.ready for worker in self.workers)

    @property
    def memory(self) -> int:
        return sum(worker.memory for worker in self.workers)

    async def start(self) -> None:
        begun = await asyncio.gather(*(self._begin() for _ in range(self.jobs)), return_exceptions=True)
        for one in begun:
            if isinstance(one, BaseException):
                await self.close()
                raise one
        self._keep(self._watch())

    async def close(self) -> None:
        self.closing = True
        for task in self._tasks:
            task.cancel()
        for worker in self.workers:
            worker.kill("the service ends")
        await asyncio.gather(*(worker.process.wait() for worker in self.workers))

    async def events(self, task: str, arguments: dict[str, Any], patient: bool = False, last: bool = False
                     ) -> AsyncGenerator[dict[str, Any], None]:
        if not patient and not self._idle:
            self.demand_room()
        short = last and task in SIDE_BY_SIDE and is_small(arguments["path"])
        own = Task(task, {**arguments, "threads": self.threads}, short)
        self._line.append(own)
        self._hand_out()
        try:
            while True:
                event = await own.told.get()
                if isinstance(event, ApiError):
                    raise event
                yield event
                if "done" in event:
                    return
        finally:
            self._leave(own)

    def _hand_out(self) -> None:
        """Have workers that rest do what waits."""
        while self._idle and self._line:
            self._keep(self._work(self._idle.pop(), self._handful()))

    def _handful(self) -> list[Task]:
        """The task that has waited longest, and if it is short, as many such behind it as are one worker's share."""
        tasks = [self._line.popleft()]
        most = min(-(-(1 + len(self._line)) // self.jobs), int(HANDFUL / self._usual))
        while self._line and len(tasks) < most and tasks[0].short and self._line[0].short:
            tasks.append(self._line.popleft())
        return tasks

    async def _work(self, worker: Worker, tasks: list[Task]) -> None:
        """Have a worker do tasks side by side. If it is lost, what is left of several is done again, one by one."""
        begun, left = time.monotonic(), dict(enumerate(tasks))
        try:
            async with asyncio.timeout(self.max_time) as worker.limit:
                worker.tasks = left
                await worker.send({"tasks": [(task.name, task.arguments) for task in tasks]})
                while left and (event := await worker.receive()) is not None:
                    place = event.pop("of")
                    if event.keys().isdisjoint(LAST):
                        left[place].told.put_nowait(event)
                        continue
                    task = left.pop(place)
                    if not left:  # before who waits for the last can ask for more
                        self._give(worker)
                    task.told.put_nowait(self._outcome(event, (time.monotonic() - begun) / len(tasks)))
        except TimeoutError:
            worker.kill("time" if any(task.wanted for task in left.values()) else "nobody waits")
        finally:
            worker.limit, waiting = None, [task for task in left.values() if task.wanted]
            if len(tasks) == 1 or self.closing:
                for task in waiting:
                    task.told.put_nowait(self._lost(worker))
            else:
                for task in reversed(waiting):
                    task.short = False
                    self._line.appendleft(task)
            self._hand_out()

    def _outcome(self, event: dict[str, Any], seconds: float) -> dict[str, Any] | ApiError:
        """What is told last of a task.

        Args:
            seconds: that the worker has had it; of several side by side its share.
        """
        self._took(seconds)
        if "done" not in event:
            return _refusal(event)
        event["done"]["took"] = seconds
        return event

    def _leave(self, task: Task) -> None:
        """Nobody waits for a task any more: let it finish if that is soon."""
        task.wanted = False
        with suppress(ValueError):
            self._line.remove(task)
        soon = asyncio.get_running_loop().time() + GRACE
        for worker in self.workers:
            tasks, limit = worker.tasks.values(), worker.limit
            if limit and not limit.expired() and task in tasks and not any(one.wanted for one in tasks):
                limit.reschedule(min(limit.when() or soon, soon))

    def _give(self, worker: Worker) -> None:
        """Have a worker rest until there is something to do."""
        if not worker.why and worker.process.returncode is None:
            self._idle.append(worker)

    async def _begin(self) -> None:
        command = [sys.executable, "-P", "-m", f"{__package__}.worker"]
        environment = {**os.environ, "OMP_NUM_THREADS": str(self.threads)}
        environment.pop(KEYS, None)  # who opens what clients send needs none
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment,
            start_new_session=True)  # a terminal's Ctrl-C is for the service alone, which lets them finish
        worker = Worker(process)
        self.workers.append(worker)
        await worker.send({"model": self.model, "threads": self.threads})
        event = await worker.receive()
        if event is None or "ready" not in event:
            self.workers.remove(worker)
            worker.kill("not ready")
            await process.wait()
            raise EarsightError((event or {}).get("failed", "a worker process ended before it began; "
                                                  "`earsight doctor` may tell why"))
        worker.ready = True
        self._keep(self._replace(worker))
        self._give(worker)
        self._hand_out()

    async def _replace(self, worker: Worker) -> None:
        """Once a worker has ended, start another."""
        await worker.process.wait()
        self.workers.remove(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        log.warning("a worker has ended", extra={"why": worker.why or f"status {worker.process.returncode}"})
        while not self.closing:
            try:
                return await self._begin()
            except EarsightError as error:
                log.error("a worker cannot begin", extra={"why": str(error)})
                await asyncio.sleep(AGAIN)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH)
            for worker in self.workers:
                if worker.memory > self.max_memory:
                    worker.kill("memory")

    def _lost(self, worker: Worker) -> ApiError:
        if worker.why == "time":
            return ApiError(504, f"not done within {self.max_time:g} s; send a part of it", "timeout")
        if worker.why == "memory":
            return ApiError(413, "takes more memory than the server allows; send a part of it", "too_large", "file")
        return ApiError(503, "the process that worked on this ended; try again", "worker_lost",
                        headers={"Retry-After": "1"})

    def _keep(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _refusal(event: dict[str, Any]) -> ApiError:
    if "refused" in event:
        return ApiError(413 if event["limit"] else 400, event["refused"],
                        "too_large" if event["limit"] else "bad_file", "file")
    log.error("a task failed", extra={"why": event["failed"]})
    return ApiError(500, "the server failed on this; its log tells where", "internal_error")
