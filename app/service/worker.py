"""A worker: a process that takes tasks from a pipe, one or some side by side, and may be killed at any moment."""

import os
import signal
import sys

from ...common.errors import EarsightError
from ...common.memory import keep_freed_memory
from ...common.signals import end_with_parent
from ...common.steps import Steps, in_step
from ...common.workers import Message, Tell, outcome, packed, read_message, work
from .tasks import TASKS, warm


def main() -> int:
    """Load a model and say so, then do what comes until the pipe ends; see `_do`."""
    end_with_parent()
    keep_freed_memory()
    for number in (signal.SIGINT, signal.SIGTERM):  # the service ends it, by the pipe
        signal.signal(number, signal.SIG_IGN)
    commands, events = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints
    begin = read_message(commands)
    if begin is None:
        return 0
    try:
        warm(**begin)
        event, status = {"ready": True}, 0
    except EarsightError as error:
        event, status = {"failed": str(error)}, 1
    events.write(packed(event))
    events.flush()
    if not status:
        work(commands, events, _do)
    return status


def _do(message: Message, tell: Tell) -> None:
    """Do the message's `tasks`, each a name of TASKS with its arguments, and tell of each under its number, `of`."""
    tasks = message["tasks"]

    def steps(place: int) -> Steps[None]:
        def tell_own(event: Message) -> None:
            tell({"of": place, **event})

        task, arguments = tasks[place]
        tell_own((yield from outcome(TASKS[task](tell_own, **arguments))))

    in_step(steps, range(len(tasks)))


if __name__ == "__main__":
    sys.exit(main())
