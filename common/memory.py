"""What the C library does with memory that is no longer used."""

import ctypes
from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt, as malloc.h has them


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
