"""What the C library and Python do with memory that is no longer used."""

import ctypes
import gc
from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt, as malloc.h has them

COLLECTED = 20_000  # objects that Python makes between two looks for cycles among the young ones, in place of 700

_usual = gc.get_threshold()


def collect_seldom() -> None:
    """Have Python look seldom for cycles of objects that nothing needs: what is loaded, and a clip, leave few."""
    gc.set_threshold(COLLECTED)


def collect_as_usual() -> None:
    """The same as often as Python does by itself: of what a training leaves, cycles may hold large tensors."""
    gc.set_threshold(*_usual)


def keep_freed_memory(blocks: int = 16 << 20, spare: int = 32 << 20) -> None:
    """Have glibc keep freed memory for what comes next, in place of handing it back to the system.

    What is handed back costs a system call, and a page fault for each 4 kB of it when it is wanted again: about a
    quarter of a training step on a CPU, and a sixth of the time in which `en-small` reads a clip. Left to itself glibc
    keeps blocks of a size once a larger one has been freed, so that it hung on a model's sizes how fast clips are read.

    Args:
        blocks: bytes; larger ones are handed back.
        spare: bytes that may lie unused at the heap's end.
    """
    with suppress(OSError, AttributeError):  # other C libraries have no mallopt
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(M_MMAP_THRESHOLD, blocks)
        mallopt(M_TRIM_THRESHOLD, spare)
