"""A worker: a process that takes one task at a time from a pipe, and may be killed at any moment."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from ...audio.reading import TooLong
from ...common.errors import EarsightError
from ...common.signals import end_with_parent
from .messages import packed, read_message
from .tasks import TASKS, warm


def main() -> int:
    """Say that the models are there, then work until the pipe ends.

    A message to it is a name of TASKS with its arguments; its own are events of the task, then one of `done`, `refused`
    (with `limit`: it asks for more than is allowed) and `failed`.
    """
    end_with_parent()
    for number in (signal.SIGINT, signal.SIGTERM):  # the service ends it, by the pipe
        signal.signal(number, signal.SIG_IGN)
    commands, events = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints

    def tell(event: dict[str, Any]) -> None:
        events.write(packed(event))
        events.flush()

    begin = read_message(commands)
    if begin is None:
        return 0
    try:
        warm(**begin)
    except EarsightError as error:
        tell({"failed": str(error)})
        return 1
    tell({"ready": True})
    while (message := read_message(commands)) is not None:
        tell(_outcome(message, tell))
    return 0


def _outcome(message: dict[str, Any], tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    try:
        return {"done": TASKS[message["task"]](tell, **message["arguments"])}
    except TooLong as error:
        return {"refused": str(error), "limit": True}
    except EarsightError as error:
        return {"refused": str(error), "limit": False}
    except MemoryError:
        return {"refused": "more than the memory allows", "limit": True}
    except Exception as error:
        # Where, and not what: a message may quote what was said.
        place = traceback.extract_tb(error.__traceback__)[-1]
        return {"failed": f"{type(error).__name__} at {os.path.basename(place.filename)}:{place.lineno}"}


if __name__ == "__main__":
    sys.exit(main())
