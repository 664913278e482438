"""`earsight serve --ray`: the service's workers as replicas of a deployment of Ray Serve, on any machine of a cluster.

HTTP, keys and limits stay where the command runs. Ray Serve hands the tasks to replicas that have a place, starts more
while some wait and ends those that rest. A replica is a worker process (`processes`) and who watches it, so that limits
of time and memory hold there too.
"""

import asyncio
import logging
import secrets
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from ...common.errors import EarsightError, require
from .errors import ApiError
from .pool import Pool
from .processes import ProcessPool

log = logging.getLogger("earsight.service")

PLACE = "Replica"  # the deployment's name
AT_ONCE = 2  # tasks at a replica: the next is there when one is done
TRIES = 3  # replicas that a task may lose, of which nothing has been told
LOOK = 1.0  # seconds between two looks at how many replicas there are
UP, DOWN = 2.0, 120.0  # seconds that tasks wait, or replicas rest, before there are more or fewer
BEGIN = 300.0  # seconds in which the first replica has to be there: its machine may have to be started


class Replica:
    """An actor: one worker process, wherever Ray puts it.

    Args:
        model: as `ProcessPool`'s, like `threads`, `max_time` and `max_memory`.
    """

    def __init__(self, model: str, threads: int, max_time: float, max_memory: float):
        self.pool = ProcessPool(model, 1, threads, 1, max_time, max_memory)
        self.starting: asyncio.Task | None = None

    async def begin(self) -> str:
        """Start the worker, once. What is wrong, as where the model is damaged; else ""."""
        self.starting = self.starting or asyncio.get_running_loop().create_task(self.pool.start())
        try:
            await asyncio.shield(self.starting)
        except EarsightError as error:
            return str(error)
        return ""

    async def events(self, task: str, arguments: dict[str, Any], content: bytes | None
                     ) -> AsyncGenerator[dict[str, Any], None]:
        """See `Pool.events`; what is refused is told as `error`.

        Args:
            content: of the file at the path in `arguments`; None where that is seen from here.
        """
        if fault := await self.begin():
            yield {"error": {"status": 503, "message": fault, "code": "worker_lost"}}
            return
        with tempfile.TemporaryDirectory(prefix="earsight-replica-") as folder:
            if content is not None:
                path = Path(folder, Path(arguments["path"]).name)
                await asyncio.to_thread(path.write_bytes, content)
                arguments = {**arguments, "path": str(path)}
            try:
                async with aclosing(self.pool.events(task, arguments, patient=True)) as events:
                    async for event in events:
                        yield event
            except ApiError as error:
                yield {"error": {"status": error.status, "message": error.message, "code": error.code,
                                 "param": error.param, "headers": error.headers}}


class RayPool(Pool):
    """Replicas in a cluster.

    Args:
        ray: Ray, connected.
        model, threads, max_queue, max_time, max_memory: as `ProcessPool`'s.
        jobs: replicas, at most; there are so many only while so many tasks are there.
        shared: the replicas see the paths of this machine.
    """

    def __init__(self, ray: ModuleType, model: str, jobs: int, threads: int, max_queue: int, max_time: float,
                 max_memory: float, shared: bool):
        super().__init__(jobs, max_queue)
        self.ray, self.serve, self.shared = ray, require("ray.serve", "ray"), shared
        self.name = f"earsight-{secrets.token_hex(4)}"
        scaling = {"min_replicas": 1, "max_replicas": jobs, "target_ongoing_requests": 1.0, "upscale_delay_s": UP,
                   "downscale_delay_s": DOWN}
        self._deployment = self.serve.deployment(
            Replica, name=PLACE, autoscaling_config=scaling, max_ongoing_requests=AT_ONCE,
            ray_actor_options={"num_cpus": threads}).bind(model, threads, max_time, max_memory)
        self._handle: Any = None
        self._under = self._ready = 0
        self._watching: asyncio.Task | None = None

    @property
    def waiting(self) -> int:
        return max(0, self._under - self._ready)

    @property
    def ready(self) -> int:
        return self._ready

    @property
    def memory(self) -> int:
        return 0

    async def start(self) -> None:
        try:
            await asyncio.to_thread(self._run)
            async with asyncio.timeout(BEGIN):
                fault = await self._handle.begin.remote()
        except TimeoutError:
            await self.close()
            raise EarsightError(f"no replica began within {BEGIN:g} s; `ray status` tells which cores are free"
                                ) from None
        except Exception as error:  # Ray Serve raises RuntimeError where a deployment cannot begin
            await self.close()
            raise EarsightError(f"the service cannot begin in the Ray cluster ({error})") from error
        if fault:
            await self.close()
            raise EarsightError(fault)
        self._look()
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def close(self) -> None:
        self.closing = True
        if self._watching:
            self._watching.cancel()
        with suppress(Exception):  # the cluster may be gone
            await asyncio.to_thread(self.serve.delete, self.name)

    async def events(self, task: str, arguments: dict[str, Any], patient: bool = False, last: bool = False
                     ) -> AsyncGenerator[dict[str, Any], None]:
        if not patient and self._under >= self._ready:
            self.demand_room()
        content = None
        if "path" in arguments and not self.shared:
            content = await asyncio.to_thread(Path(arguments["path"]).read_bytes)
        told = False
        self._under += 1
        try:
            for left in reversed(range(TRIES)):
                stream = self._handle.events.options(stream=True).remote(task, arguments, content)
                try:
                    async for event in stream:
                        _demand_done(event)
                        told = True
                        if "done" in event:
                            self._took(event["done"]["took"])
                        yield event
                    return
                except self.ray.exceptions.RayError as error:
                    log.warning("a replica has ended", extra={"why": type(error).__name__})
                    if told or not left:
                        raise ApiError(503, "the process that worked on this ended; try again", "worker_lost",
                                       headers={"Retry-After": "1"}) from error
                finally:
                    stream.cancel()  # nothing, where it has ended
        finally:
            self._under -= 1

    def _run(self) -> None:
        self.serve.start(proxy_location="Disabled", logging_config={"log_level": "ERROR"})
        self._handle = self.serve.run(self._deployment, name=self.name, route_prefix=None)

    def _look(self) -> None:
        states = self.serve.status().applications[self.name].deployments[PLACE].replica_states
        self._ready = states.get("RUNNING", 0)

    async def _watch(self) -> None:
        while True:
            began = time.monotonic()
            try:
                await asyncio.to_thread(self._look)
            except Exception as error:  # the cluster is gone: nothing is ready until it answers again
                self._ready = 0
                log.error("the Ray cluster does not answer", extra={"why": type(error).__name__})
            await asyncio.sleep(max(0.0, began + LOOK - time.monotonic()))


def _demand_done(event: dict[str, Any]) -> None:
    if "error" in event:
        raise ApiError(**event["error"])
