"""Signals: a command ends soon after it is told to, and its children with it; what computes is not disturbed."""

import atexit
import ctypes
import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE = 1.5  # seconds that a command has to leave by itself
INSISTS = 1.0  # seconds after which a second signal is one; a terminal and a wrapper may each send the first
WORKER_GRACE = 8  # seconds that a worker goes on after SIGTERM, for a batch that its process still wants
FIRST = "EARSIGHT_FIRST_PROCESS"  # its id, in the environment of those that it starts

PR_SET_PDEATHSIG = 1  # prctl.h


class Stopped(BaseException):
    """A signal told this process to end. No `Exception`: nobody who passes over a bad clip passes over this.

    Attributes:
        number: of the signal.
        more: what the user may want to know.
    """

    def __init__(self, number: int, more: str = ""):
        super().__init__(f"stopped by {signal.Signals(number).name}{more and '; '}{more}")
        self.number, self.more = number, more

    @property
    def status(self) -> int:
        """The exit status by which shells know it."""
        return 128 + self.number


@dataclass
class _State:
    """Of this process."""

    watching: bool = False
    launched: bool = False  # by another process of this program, for a share of its work
    number: int = 0  # of the signal that came first
    at: float = 0.0  # and when
    grace: float = GRACE
    deferred: bool = False
    said: bool = False  # that the process ends, and why


_state = _State()
at_sudden_end: list[Callable[[], None]] = []  # what a process does that does not wait for its threads


@contextmanager
def ending_when_told() -> Iterator[None]:
    """Have SIGINT, SIGTERM and SIGHUP raise `Stopped` in the main thread, and end the process if that does not help.

    Python runs a handler between two of its own instructions, so a thread that waits for others, or a long call of a
    library, would put the end off: a thread of its own learns of the signal at once, and allows GRACE.
    """
    if _state.watching or threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    # A signal that is ignored, as nohup has it, stays so.
    before = {number: signal.getsignal(number) for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN}
    _state.__init__(watching=True, launched=_state.launched)
    watch = threading.Thread(target=_watch, args=(reading,), daemon=True, name="ending")
    watch.start()
    for number in before:
        signal.signal(number, on_signal)
    wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    # Where Python drops a `Stopped`, as in a `__del__` or a callback, the thread that watches ends the process.
    unraisable = sys.unraisablehook
    sys.unraisablehook = lambda what: None if isinstance(what.exc_value, Stopped) else unraisable(what)
    try:
        yield
    finally:
        sys.unraisablehook = unraisable
        if not _state.number:  # else the interpreter's own end is watched too
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.write(writing, b"\0")
            watch.join()
            os.close(writing)
            _state.watching = False


def on_signal(number: int, _: FrameType | None) -> None:
    """The handler: notes the signal, and raises `Stopped` unless that is deferred."""
    first, _state.number = not _state.number, _state.number or number
    if first and not _state.deferred:
        raise Stopped(number)


def watching() -> bool:
    """Whether `ending_when_told` is around."""
    return _state.watching


def told() -> int:
    """The signal that told this process to end; 0 for none."""
    return _state.number


def told_for() -> float:
    """Seconds since then."""
    return time.monotonic() - _state.at if _state.at else 0.0


@contextmanager
def grace(seconds: float, deferred: bool = False) -> Iterator[None]:
    """Allow more time for what must be saved.

    Args:
        deferred: nothing is raised; what runs asks `told`, and ends where that is best.
    """
    kept = _state.grace, _state.deferred
    _state.grace, _state.deferred = seconds, deferred
    try:
        yield
    finally:
        _state.grace, _state.deferred = kept
        if _state.number:  # what was saved is saved; what is left is to leave
            _state.grace = told_for() + kept[0]


def allow(seconds: float) -> None:
    """Within `grace`: allow at least so much time."""
    _state.grace = max(_state.grace, seconds)


def leave(status: int) -> int:
    """End a process that was told to, or return the status where it was not and no thread would be waited for.

    What is to be said has been said. The interpreter's own end is not waited for: it waits for every thread, and takes
    seconds where torch is loaded.
    """
    _state.said = True
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    if _state.number:
        atexit._run_exitfuncs()  # loggers and loaders
        _end(status)
    elif _state.watching and any(not thread.daemon for thread in threading.enumerate()
                                 if thread is not threading.main_thread()):
        _end(status)
    return status


def end_at_once(status: int) -> int:
    """End a process whose work is done, or return the status where its end is somebody's work yet.

    The interpreter's own end takes every module and model apart that the system is about to take back: a tenth of the
    time of a whole process that reads one clip. It is left to it where there is a thread to wait for, torch, whose
    helpers know no other end, or who measures the program.
    """
    awaited = any(not thread.daemon and thread is not threading.main_thread() for thread in threading.enumerate())
    if awaited or "torch" in sys.modules or sys.getprofile() or sys.gettrace():
        return status
    atexit._run_exitfuncs()
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def end_with_first() -> None:
    """End with the process that launched this one for a share of its work; call it first of all.

    Lightning's launcher starts the command line once more for each further device, and tells it its rank.
    """
    first = os.environ.get(FIRST)
    if first and os.environ.get("LOCAL_RANK", "0") != "0" and "TORCHELASTIC_RUN_ID" not in os.environ:
        _state.launched = True
        end_with_parent()
        if os.getppid() != int(first):  # it ended before that
            os._exit(1)
    else:
        os.environ[FIRST] = str(os.getpid())


def is_launched() -> bool:
    """Whether another process of this program launched this one for a share of its work."""
    return _state.launched


def end_with_parent(number: int = signal.SIGKILL) -> None:
    """Have the system end this process when the one that started it ends. Linux only; elsewhere nothing is done."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").prctl(PR_SET_PDEATHSIG, number)


def set_worker_signals() -> None:
    """In a loader's worker: end with its process, and some seconds after a SIGTERM that the whole group got.

    Its process may be saving its place, and wants one more batch.
    """
    end_with_parent()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, lambda *_: signal.alarm(WORKER_GRACE))


def set_signals_apart() -> None:
    """Give signal handlers of the main thread a stack of their own.

    The matrix products of oneDNN, which run LSTM layers on a CPU, let the stack pointer point into the heap
    (uxlfoundation/oneDNN issue 4845; torch 2.11 has it). A handler that ran there, for SIGTERM or a loader's worker
    that ends, would write over the heap, and the process would die of it sooner or later. Python's handlers run on the
    alternate stack where there is one, and `faulthandler` makes one.
    """
    if not faulthandler.is_enabled():
        faulthandler.enable(sys.__stderr__ or sys.stderr)


def _watch(reading: int) -> None:
    """Wait for a signal, then for the end."""
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while (byte := pipe.read(1)) and byte != b"\0" and byte[0] not in ENDING:
            pass
        if not byte or byte == b"\0":
            return
        number, _state.at = byte[0], time.monotonic()
        threading.Thread(target=_end_if_insisted, args=(pipe.fileno(), number), daemon=True).start()
        while told_for() < _state.grace:
            time.sleep(0.05)
    if not _state.said and not _state.launched:
        os.write(2, f"error: {Stopped(number)}\n".encode())
    _end(128 + number)


def _end_if_insisted(reading: int, number: int) -> None:
    while byte := os.read(reading, 1):
        if byte[0] in ENDING and told_for() > INSISTS:
            _end(128 + number)


def _end(status: int) -> None:
    """Without waiting for any thread. What was printed is flushed already; nothing half-written is left."""
    for clean in at_sudden_end:
        clean()
    os._exit(0 if is_launched() else status)


def _forget() -> None:
    """A fork, as a loader's worker is one, leaves its parent's signals to its parent."""
    if _state.watching:
        signal.set_wakeup_fd(-1)
        for number in ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                # No SIG_IGN, which a program that it becomes would inherit.
                signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else lambda *_: None)
        _state.__init__(launched=_state.launched)


os.register_at_fork(after_in_child=_forget)
