"""Threads on a shared machine: how many there are, and how long they look out for work before they sleep.

A thread of OpenMP that waits for the others spins: it asks over and over whether there is more to do. On a machine of
its own that costs nothing. Beside a busy process it keeps the core from the very thread that it waits for, and a
training runs at a twentieth of its speed. `scripts/bench_neighbour.py` measures both.
"""

import math
import os
from collections.abc import MutableMapping
from pathlib import Path

SPINS = "1000"  # rounds of libgomp's wait: with 500 a training alone is slower, with 2000 one in company
OPENMP = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")  # by which users say how threads wait
COUNT = "OMP_NUM_THREADS"

_counted = False  # whether COUNT is this program's own word


def share_machine(environment: MutableMapping[str, str] = os.environ) -> None:
    """Tell the libraries how to wait and how many threads to take, where the environment does not say so already.

    They look into the environment when they are loaded, so this comes before that; processes that are started later
    inherit it. torch's wheels bring libgomp, which knows GOMP_SPINCOUNT. They count cores by the process's affinity:
    told is only what a container allows less than that.
    """
    global _counted
    if not any(environment.get(name) for name in OPENMP):
        environment["GOMP_SPINCOUNT"] = SPINS
    if not environment.get(COUNT) and usable_cores() < _affinity():
        environment[COUNT] = str(usable_cores())
        _counted = True


def divide_threads(processes: int) -> int:
    """The threads of each of several processes of one training, or 0 where that is others' business.

    Lightning divides the cores that it sees, which are a machine's and not a container's.
    """
    if not _counted or processes < 1:
        return 0
    threads = max(1, usable_cores() // processes)
    os.environ[COUNT] = str(threads)
    return threads


def spins(environment: MutableMapping[str, str] = os.environ) -> bool:
    """Whether the user wants ONNX Runtime's threads, which OpenMP's variables do not reach, to spin too."""
    return environment.get("OMP_WAIT_POLICY", "").lower() == "active"


def usable_cores(root: Path = Path("/")) -> int:
    """The cores that this process may keep busy: by its affinity, and by what its control groups allow in a second.

    Args:
        root: where `proc` and `sys` are.
    """
    return max(1, math.floor(min([_affinity(), *_quotas(root)])))


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quotas(root: Path) -> list[float]:
    """Seconds of CPU a second that this process's control groups, and those above them, allow.

    Version 2 has `cpu.max` ("MAX PERIOD", "max" for none), version 1 two files (docs.kernel.org, cgroup-v2.rst and
    scheduler/sched-bwc.rst). In a container the path of the group may be the host's, and its files be at the top.
    """
    found = []
    for mount, group in _groups(root):
        own = mount / group.lstrip("/")
        for folder in (own, *own.parents):
            if folder != mount and mount not in folder.parents:
                break
            try:
                if (folder / "cpu.max").is_file():
                    limit, period = (folder / "cpu.max").read_text().split()
                else:
                    limit, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
                if limit != "max" and int(limit) > 0:
                    found.append(int(limit) / int(period))
            except (OSError, ValueError, ZeroDivisionError):
                continue  # no limit is told here
    return found


def _groups(root: Path) -> list[tuple[Path, str]]:
    """Where the control groups of CPU time are mounted, and this process's group in each."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    mounts = root / "sys/fs/cgroup"
    groups = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:
            groups.append((mounts, group))
        elif "cpu" in controllers.split(","):
            groups.append((mounts / controllers if (mounts / controllers).is_dir() else mounts / "cpu", group))
    return groups
