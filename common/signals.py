"""Signals that come while a processor computes."""

import faulthandler
import sys


def set_signals_apart() -> None:
    """Give signal handlers of the main thread a stack of their own.

    The matrix products of oneDNN, which run LSTM layers on a CPU, let the stack pointer point into the heap
    (uxlfoundation/oneDNN issue 4845; torch 2.11 has it). A handler that ran there, for SIGTERM or a loader's worker
    that ends, would write over the heap, and the process would die of it sooner or later. Python's handlers run on the
    alternate stack where there is one, and `faulthandler` makes one.
    """
    if not faulthandler.is_enabled():
        faulthandler.enable(sys.__stderr__ or sys.stderr)
