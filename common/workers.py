"""Worker processes: what they run, how they are talked to, and those that are forks of a command.

Tasks go to a worker by one pipe, and what it tells comes back by another: JSON objects, each behind its length. No
pickle and no code goes over them. The service's workers are programs of their own, which it kills at limits and
replaces (`app/service/processes.py`); a command's are forks of it, which have its models from their first moment. Both
run `work`.
"""

import gc
import json
import os
import struct
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from signal import SIGKILL, Signals
from threading import Lock
from typing import Any, BinaryIO

from .errors import EarsightError, TooLong
from .signals import end_with_parent
from .steps import Steps, finished, in_one

LENGTH = struct.Struct(">I")
LAST = ("done", "refused", "failed")  # of which the last message of a task has one
TRIES = 2  # of a task whose fork is killed

Message = dict[str, Any]
Tell = Callable[[Message], None]


def packed(message: Message) -> bytes:
    """A message as bytes."""
    body = json.dumps(message).encode()
    return LENGTH.pack(len(body)) + body


def read_message(file: BinaryIO) -> Message | None:
    """The next message; None where the pipe ends."""
    head = file.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    size = LENGTH.unpack(head)[0]
    body = file.read(size)
    return json.loads(body) if len(body) == size else None


def work(commands: BinaryIO, events: BinaryIO, do: Callable[[Message, Tell], None]) -> None:
    """Do what is asked until the pipe ends.

    Args:
        commands: where messages come from.
        events: where what `do` tells goes.
        do: does what a message asks for, and tells what happens on the way and the `outcome` of each task.
    """
    def tell(event: Message) -> None:
        events.write(packed(event))
        events.flush()

    while (message := read_message(commands)) is not None:
        do(message, tell)


def outcome(steps: Steps[Any]) -> Steps[Message]:
    """What is told of a task last.

    One of `done` (its result), `refused` (what is wrong with the input; with `limit`, whether it asks for more than is
    allowed) and `failed` (where, and not what: a message may quote what was said).
    """
    try:
        return {"done": (yield from steps)}
    except EarsightError as error:
        return {"refused": str(error), "limit": isinstance(error, TooLong)}
    except MemoryError:
        return {"refused": "more than the memory allows", "limit": True}
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return {"failed": f"{type(error).__name__} at {os.path.basename(place.filename)}:{place.lineno}"}


def can_fork() -> bool:
    """Whether `Forks` are safe here: elsewhere systems' own libraries do not survive a fork, or there is none."""
    return sys.platform == "linux"


@dataclass(frozen=True)
class _Fork:
    pid: int
    commands: BinaryIO
    events: BinaryIO

    def ask(self, message: Message) -> Message | None:
        """Its answer; None where it has ended."""
        try:
            self.commands.write(packed(message))
            return read_message(self.events)
        except (OSError, ValueError):  # ValueError: closed, since all is over
            return None

    def kill(self) -> None:
        """Have it end; to be followed by `end`."""
        if not self.commands.closed:
            with suppress(ProcessLookupError):
                os.kill(self.pid, SIGKILL)

    def end(self) -> int:
        """Kill it; its exit status, or the negative number of the signal that had ended it before."""
        if self.commands.closed:
            return 0
        self.kill()
        status = 0
        with suppress(ChildProcessError):
            status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.commands.close()
        self.events.close()  # who waits for an answer meets the end of the pipe now, and lets go of it
        return status


class Forks:
    """Forks of this process that do tasks one at a time each; a context manager. Ask them from as many threads.

    What computes in threads of its own must not have begun: a fork has none of them. They end with this process, even
    where that is killed.

    Args:
        count: of forks.
        do: task -> outcome, plain types; whatever it holds was loaded before.
    """

    def __init__(self, count: int, do: Callable[[Message], Any]):
        self._do, self._closed = do, False
        self._forking = Lock()  # no fork gets an end of another's pipes, which would then not end with that
        self._forks: set[_Fork] = set()
        self._idle: SimpleQueue[_Fork] = SimpleQueue()
        gc.freeze()  # what there is will be needed: no fork looks through it for what is not
        for _ in range(count):
            self._idle.put(self._fork())

    def __enter__(self) -> "Forks":
        return self

    def __exit__(self, *_: Any) -> None:
        self._closed = True
        forks = tuple(self._forks)
        for fork in forks:  # all at once: to give back what each has of memory takes milliseconds
            fork.kill()
        for fork in forks:
            fork.end()
        gc.unfreeze()

    def ask(self, message: Message, name: str, tries: int = TRIES) -> Any:
        """What `do` makes of a message. A fork that is killed meanwhile is replaced, and the task done again.

        Args:
            name: of what it is about, for errors.
            tries: how many forks may be killed by it, the last of which is told.

        Raises:
            EarsightError: `do` raised it, or so many forks were killed one after the other.
            RuntimeError: `do` raised anything else; the fork has printed what.
        """
        answer, status = None, 0
        for _ in range(tries):
            if self._closed:  # no fork will be idle again
                break
            fork = self._idle.get()
            if (answer := fork.ask(message)) is not None:
                self._idle.put(fork)
                break
            self._forks.discard(fork)
            status = fork.end()
            if self._closed:
                break
            with self._forking:
                self._idle.put(self._fork())
        if answer is None:
            how = Signals(-status).name if status < 0 else f"status {status}"
            remedy = ("fewer --jobs take less memory" if status == -SIGKILL else
                      "convert it with another program, or leave it out")
            raise EarsightError(f"{name}: the process that read it ended, twice ({how}); {remedy}")
        if "refused" in answer:
            raise EarsightError(answer["refused"])
        if "failed" in answer:
            raise RuntimeError(answer["failed"])
        return answer["done"]

    def _fork(self) -> _Fork:
        (its_commands, commands), (events, its_events) = os.pipe(), os.pipe()
        parent = os.getpid()
        with warnings.catch_warnings():
            # From 3.12 on: threads here, that of the signals and those that ask, only wait, and hold no lock meanwhile.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if not pid:
            try:
                end_with_parent()
                if os.getppid() == parent:  # else it ended before that
                    self._be_one(its_commands, its_events, commands, events)
            finally:
                os._exit(1)
        os.close(its_commands)
        os.close(its_events)
        fork = _Fork(pid, os.fdopen(commands, "wb", buffering=0), os.fdopen(events, "rb"))
        self._forks.add(fork)
        if self._closed:
            fork.end()
        return fork

    def _be_one(self, commands: int, events: int, *others: int) -> None:
        """What a fork does.

        Args:
            commands, events: its ends of its pipes.
            others: the others' ends.
        """
        for fork in self._forks:  # its files themselves may be locked, by a thread that there is not here
            others += (fork.commands.fileno(), fork.events.fileno())
        for handle in others:
            os.close(handle)

        @in_one
        def steps(message: Message) -> Any:
            try:
                return self._do(message)
            except Exception as error:
                if not isinstance(error, EarsightError | MemoryError):
                    traceback.print_exc()
                raise

        work(os.fdopen(commands, "rb"), os.fdopen(events, "wb"),
             lambda message, tell: tell(finished(outcome(steps(message)))))
