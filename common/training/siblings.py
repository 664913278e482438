"""The first process of a job watches those that it started: when one dies, the job ends and says so."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from .process import died

PERIOD = 1.0  # seconds from one look to the next
TELLING = 10.0  # seconds in which this process meets the loss itself, tells of it and ends


def watch_siblings(launcher: Any) -> None:
    """Watch the processes of a launcher of Lightning's, `launcher.procs`, in the place of Lightning's own thread.

    That one looks every 5 s and kills all, this process too, which may just be telling what has happened: a job ended
    without a word. It looks at the very list that it was given, and ends when that is empty.
    """
    children = getattr(launcher, "procs", None)
    if not children:
        return
    launcher.procs = list(children)  # which `launcher.kill` goes through
    children.clear()
    threading.Thread(target=_watch, args=(launcher.procs,), name="siblings", daemon=True).start()


def _watch(children: Sequence[subprocess.Popen]) -> None:
    while not (failed := [status for child in children if (status := child.poll())]):
        if all(child.returncode == 0 for child in children):
            return
        time.sleep(PERIOD)
    # Who waits for the dead one is told so by gloo or NCCL, as a rule at once; a collective may hang all the same.
    time.sleep(TELLING)
    for child in children:
        child.kill()
    print(f"error: {died(f'status {failed[0]}')}", file=sys.stderr, flush=True)
    os._exit(1)
