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
from ...common.workers import LAST, LENGTH, packed
from .errors import ApiError
from .pool import Pool
from .settings import KEYS

log = logging.getLogger("earsight.service")

WATCH = 0.1  # seconds between two looks at the workers' memory
GRACE = 1.0  # seconds for a task that nobody waits for any more; then its worker is killed, and another started
AGAIN = 1.0  # seconds before a worker is started in the place of one that could not begin


class Worker:
    """One process."""

    def __init__(self, process: asyncio.subprocess.Process):
        self.process = process
        self.ready = False
        self.why = ""  # it was killed
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
        self._line: deque[asyncio.Future[Worker]] = deque()
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

    async def events(self, task: str, arguments: dict[str, Any], patient: bool = False
                     ) -> AsyncGenerator[dict[str, Any], None]:
        if not patient and not self._idle:
            self.demand_room()
        worker = await self._take()
        begun, finished = time.monotonic(), False
        try:
            await worker.send({"task": task, "arguments": {**arguments, "threads": self.threads}})
            while True:
                try:
                    async with asyncio.timeout(begun + self.max_time - time.monotonic()):
                        event = await worker.receive()
                except TimeoutError:
                    worker.kill("time")
                    raise ApiError(504, f"not done within {self.max_time:g} s; send a part of it", "timeout") from None
                if event is None:
                    raise _lost(worker)
                finished = not event.keys().isdisjoint(LAST)
                if finished:
                    _demand_done(event)
                    event["done"]["took"] = time.monotonic() - begun
                    break
                yield event
        finally:
            if finished:
                self._took(time.monotonic() - begun)
                self._give(worker)
            else:
                self._keep(self._abandon(worker))
        yield event

    async def _take(self) -> Worker:
        if self._idle:
            return self._idle.pop()
        future = asyncio.get_running_loop().create_future()
        self._line.append(future)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():  # given in the same moment
                self._give(future.result())
            raise
        finally:
            with suppress(ValueError):
                self._line.remove(future)

    def _give(self, worker: Worker) -> None:
        """To who has waited longest, or to rest."""
        if worker.why or worker.process.returncode is not None:
            return
        while self._line:
            future = self._line.popleft()
            if not future.done():
                future.set_result(worker)
                return
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

    async def _abandon(self, worker: Worker) -> None:
        """A task that nobody waits for: let it finish if that is soon."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                while (event := await worker.receive()) is not None:
                    if not event.keys().isdisjoint(LAST):
                        return self._give(worker)
        worker.kill("nobody waits")

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH)
            for worker in self.workers:
                if worker.memory > self.max_memory:
                    worker.kill("memory")

    def _keep(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _demand_done(event: dict[str, Any]) -> None:
    if "refused" in event:
        raise ApiError(413 if event["limit"] else 400, event["refused"], "too_large" if event["limit"] else "bad_file",
                       "file")
    if "failed" in event:
        log.error("a task failed", extra={"why": event["failed"]})
        raise ApiError(500, "the server failed on this; its log tells where", "internal_error")


def _lost(worker: Worker) -> ApiError:
    if worker.why == "memory":
        return ApiError(413, "takes more memory than the server allows; send a part of it", "too_large", "file")
    return ApiError(503, "the process that worked on this ended; try again", "worker_lost",
                    headers={"Retry-After": "1"})
