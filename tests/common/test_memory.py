"""Freed memory is kept for what comes next, and Python looks seldom for what could be freed."""

import gc
import os
import subprocess
import sys

import pytest

from conftest import REPOSITORY
from earsight.common.memory import COLLECTED, collect_as_usual, collect_seldom

# Blocks each larger than the one before, of which glibc by itself takes every one from the system anew.
PROBE = """
import resource, sys
import numpy as np
from earsight.common.memory import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
begun = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for size in range(200_000, 4_000_000, 50_000):
    np.ones(size, np.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - begun)
"""


@pytest.mark.skipif("CS_GNU_LIBC_VERSION" not in os.confstr_names, reason="of glibc alone")
def test_blocks_are_taken_from_what_was_freed():
    kept, left = (int(subprocess.run([sys.executable, "-c", PROBE, how], cwd=REPOSITORY, capture_output=True, text=True,
                                     check=True).stdout) for how in ("kept", "left"))
    assert kept < 4_000_000 / 4096 * 2 < left


def test_cycles_are_looked_for_seldom_or_as_usual():
    usual = gc.get_threshold()
    try:
        collect_seldom()
        assert gc.get_threshold()[0] == COLLECTED > usual[0]
        collect_as_usual()
        assert gc.get_threshold() == usual
    finally:
        gc.set_threshold(*usual)
