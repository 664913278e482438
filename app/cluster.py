"""`--ray`: one function over many files in the processes of a Ray cluster, of this machine or of many.

Ray Data hands tasks of a few files each to actors, no more than two at a time to each, so that what waits is a list of
paths; an actor loads its model with its first file. What an actor had that was lost is read again by another.
"""

import importlib
import io
import logging
import os
import pickle
import secrets
import shutil
import signal
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from ..common.batch_run import default_jobs
from ..common.errors import EarsightError, first_line, require
from ..common.quiet import quiet_stderr
from ..common.signals import ENDING, Stopped, at_sudden_end
from ..common.steps import Item, Result, attempt

LOCAL = "local"
SHARES = 4  # of what is left, for each process: a task has one of them
SMALLEST = 64  # the same of all, the least that is worth a task
LARGEST = 64  # files of a task: what the loss of a process costs at most
ATTEMPTS = 3  # processes that a file may take with it
STORE = 100_000_000  # bytes of shared memory of a cluster of this machine's: paths and transcripts are small
SHORT = 20  # bytes of the path of a folder for temporary files
REACH = 5.0  # seconds for a cluster's address to answer


def run_on_ray(address: str, items: Sequence[Item], work: Callable[[Item], Result], jobs: int
               ) -> Iterator[tuple[Item, Result | EarsightError]]:
    """Yield every item with its result, or the error that it met, each as it is ready.

    What a process prints to its standard error about an item is printed here.

    Args:
        address: "auto", the cluster that this machine is a part of; HOST:PORT of one; or "local", one of this
            machine's alone, which ends with the work.
        items: paths, or what has one (`os.PathLike`), as all machines of the cluster see them.
        work: item -> result, a function that can be pickled, as the items can.
        jobs: processes, each with one core; 0 for all cores that the cluster has.

    Raises:
        EarsightError: Ray is not installed, the cluster does not answer, or it cannot do the work.
    """
    if not items:
        return
    with cluster(address, jobs, "ray.data") as ray:
        cores = int(ray.cluster_resources().get("CPU", 1))
        tasks = balanced(items, min(jobs or cores, len(items)))
        processes = min(jobs or cores, len(tasks))
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False)
        attempts = ray.remote(num_cpus=0, scheduling_strategy=here)(_Attempts).remote()
        rows = [{"task": pickle.dumps([(number, items[number]) for number in task])} for task in tasks]
        results = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            _Worker, fn_constructor_args=(work, os.getcwd(), attempts), batch_size=1, num_cpus=1,
            compute=ray.data.ActorPoolStrategy(size=processes, max_tasks_in_flight_per_actor=2))
        again = 0
        try:
            # Fetching ahead would keep what is done back until the next task is.
            for task in results.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
                done, run = pickle.loads(task["results"][0].as_py())
                again += len(done) * (run > 1)
                for number, result, notes in done:
                    print(notes, end="", file=sys.stderr, flush=True)
                    yield items[number], result
            if again:
                print(f"note: {again} files were read again, since a process that had them or files beside them ended",
                      file=sys.stderr)
        except ray.exceptions.RayError as error:
            raise EarsightError(f"the Ray cluster at {address} failed: {_reason(error)}") from error


def balanced(items: Sequence[Any], processes: int) -> list[list[int]]:
    """The numbers of the items in tasks, each of the same share of the bytes that are left, the largest items first.

    A share that shrinks (guided self-scheduling, Polychronopoulos and Kuck 1987) has few tasks to hand out, and those
    that end the work small, so that no process waits long for another.

    Args:
        items: paths, or what has one.
        processes: that work through them.
    """
    sizes = [_size(item) for item in items]
    left = sum(sizes)
    least = left / (SMALLEST * processes)
    most = max(1, min(LARGEST, len(items) // (SHARES * processes)))
    tasks: list[list[int]] = []
    share = filled = 0.0
    for number in sorted(range(len(items)), key=lambda number: -sizes[number]):
        if not tasks or filled + sizes[number] / 2 > share or len(tasks[-1]) == most:
            tasks.append([])
            left -= filled
            share, filled = max(left / (SHARES * processes), least), 0.0
        tasks[-1].append(number)
        filled += sizes[number]
    return tasks


class _Attempts:
    """Which files take processes with them; an actor beside the command."""

    def __init__(self):
        self.tasks: Counter[int] = Counter()
        self.files: Counter[int] = Counter()

    def begin_task(self, number: int) -> int:
        """How many processes have begun the task of this number."""
        self.tasks[number] += 1
        return self.tasks[number]

    def begin_file(self, number: int, done: int | None) -> int:
        """How many processes have begun this file and not come to its end; the one that asks has done `done`."""
        if done is not None:
            self.files[done] -= 1
        self.files[number] += 1
        return self.files[number]


class _Worker:
    """An actor: one process of the cluster."""

    def __init__(self, work: Callable[[Any], Any], folder: str, attempts: Any):
        self.work, self.folder, self.attempts = work, folder, attempts

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """A task -> for each of its files the number, the result or error, and what was printed; and for the how
        manieth time the task was begun."""
        files = pickle.loads(batch["task"][0])
        run = self._ask("begin_task", files[0][0])
        results, done = [], None
        for number, item in files:
            # Asking for each file takes a tenth of the time of short ones: that waits until the task was lost once.
            ended = self._ask("begin_file", number, done) if run > 1 else 0
            results.append((number, *self._one(item, ended)))
            done = number
        return {"results": [pickle.dumps((results, run))]}

    def _ask(self, question: str, *arguments: int | None) -> int:
        return cast(int, require("ray", "ray").get(getattr(self.attempts, question).remote(*arguments)))

    def _one(self, item: Any, ended: int) -> tuple[Any, str]:
        with redirect_stderr(io.StringIO()) as notes:
            result = self._outcome(item) if ended < ATTEMPTS else EarsightError(
                f"{item}: each of the {ATTEMPTS} processes that read it ended; it takes more memory than there is, or "
                "is damaged")
        return result, notes.getvalue()

    def _outcome(self, item: Any) -> Any:
        try:
            os.chdir(self.folder)
            return attempt(self.work, item)
        except OSError as error:
            return EarsightError(f"{item}: on {socket.gethostname()}: {error}; all machines of a cluster must see the "
                                 "same files at the same place")
        except Exception as error:  # as a fault of a library's: one file, of perhaps a million
            return EarsightError(f"{item}: failed ({type(error).__name__}: {first_line(error)})")


@contextmanager
def cluster(address: str, jobs: int, library: str) -> Iterator[ModuleType]:
    """Ray, connected; a cluster that was begun here ends here.

    Args:
        address: as `run_on_ray` takes it, like `jobs`, for which a cluster of this machine's has cores at least.
        library: of Ray, which is to be there too: "ray.data" or "ray.serve".

    Raises:
        EarsightError: Ray is not installed, or the cluster does not answer.
    """
    # Ray tells its makers what is run, unless it is told not to before it is imported.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_gcs_rpc_server_connect_timeout_s", "30")  # 5 are too few on a busy machine
    if library == "ray.data":  # a thread of it that outlives the end would begin Ray anew
        os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")
    if address == LOCAL and "ray" not in sys.modules:  # likewise
        # It listens beyond this machine, and whoever may talk to it may run programs.
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    ray = require("ray", "ray")
    require(library, "ray")
    folder = None
    if address == LOCAL:
        # Its sockets lie there, and the whole path of one has 107 bytes at most.
        parent = tempfile.gettempdir() if len(os.fsencode(tempfile.gettempdir())) < SHORT else "/tmp"
        folder = Path(tempfile.mkdtemp(prefix="earsight-ray-", dir=parent))
        at_sudden_end.append(lambda: shutil.rmtree(folder, ignore_errors=True))
        begin = {"num_cpus": max(jobs, default_jobs()), "object_store_memory": STORE, "_temp_dir": str(folder),
                 "include_dashboard": False}
    else:
        _demand_answer(address)
        begin = {"address": address}
    _silence(ray)
    # Its own handler of SIGTERM would end the process without a word.
    kept = {number: signal.getsignal(number) for number in ENDING}
    try:
        try:
            with quiet_stderr():
                ray.init(**begin, namespace="earsight", log_to_driver=False, logging_level=logging.CRITICAL)
        except Exception as error:  # Ray raises Exception itself where a part of it does not begin in time
            done = "begun" if address == LOCAL else "joined"
            raise EarsightError(f"{address}: no Ray cluster can be {done} there ({first_line(error)}); `ray status` "
                                "tells of those that run, and --ray local begins one") from error
        for number, handler in kept.items():
            signal.signal(number, handler)
        yield ray
    except Stopped:
        raise  # its end takes longer than there is; it ends with this process
    except BaseException:
        _end(ray, folder)
        raise
    else:
        _end(ray, folder)


def _end(ray: ModuleType, folder: Path | None) -> None:
    ray.shutdown()
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def _silence(ray: ModuleType) -> None:
    """What Ray prints of its own parts: what goes wrong with ours is raised, and told."""
    for part in ("ray.data", "ray.serve"):
        logging.getLogger(part).setLevel(logging.CRITICAL)
    if data := getattr(ray, "data", None):
        context = data.DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
    # It tells of lost processes on the standard output, among the transcripts, and has no option for that.
    setattr(importlib.import_module("ray._private.worker"), "print_to_stdstream", lambda *_, **__: None)


def _demand_answer(address: str) -> None:
    """Ray tries for minutes."""
    host, _, port = address.rpartition(":")
    if host:
        try:
            socket.create_connection((host.strip("[]"), int(port)), REACH).close()
        except (OSError, OverflowError) as error:
            raise EarsightError(f"{address}: no Ray cluster answers there ({error}); `ray start --head` begins one, "
                                "and tells its address") from error


def _size(item: Any) -> int:
    with suppress(OSError):
        return os.path.getsize(item)
    return 0


def _reason(error: BaseException) -> str:
    """The last line of what a worker raised, which is a traceback."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
