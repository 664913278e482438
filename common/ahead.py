"""Work of another thread: items that are made ahead of who takes them, and what is done meanwhile."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

LOOK = 0.1  # seconds between two looks whether to end


def ahead(items: Iterable[Item], count: int, until: Callable[[], bool] | None = None) -> Iterator[Item]:
    """The same items, made in a thread of its own; what it raises is raised here.

    Args:
        count: items that may wait to be taken.
        until: asked now and then, also while nothing comes; the items end once it says so. Its thread, which may be
            waiting for something that never comes, is then left to itself.
    """
    waiting: queue.Queue = queue.Queue(count)
    stopped = threading.Event()

    def put(item: object) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def produce() -> None:
        try:
            for item in items:
                if not put((item, None)):
                    return
            put(None)
        except BaseException as error:  # handed over to the thread that takes
            put((None, error))

    thread = threading.Thread(target=produce, daemon=True, name="ahead")
    thread.start()
    try:
        while (made := taken(waiting, until)) is not None:
            if made[1] is not None:
                raise made[1]
            yield made[0]
    finally:
        stopped.set()
        if until is None:
            thread.join()


@contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[None]:
    """Have a thread do `work`, which raises nothing, while this one does what is within; at its end both are done."""
    thread = threading.Thread(target=work, daemon=True, name="meanwhile")
    thread.start()
    try:
        yield
    finally:
        thread.join()


def taken(waiting: queue.Queue, until: Callable[[], bool] | None = None, patience: float | None = None):
    """The next item of a queue, or None: `until` says so, or nothing came for so many seconds."""
    waited = 0.0
    while until is None or not until():
        try:
            return waiting.get(timeout=None if until is None else LOOK)
        except queue.Empty:
            waited += LOOK
            if patience is not None and waited >= patience:
                return None
    return None
