"""Signals come while layers compute, and nothing is written over; processes end at once where that may be."""

import subprocess
import sys

import pytest

from conftest import REPOSITORY

BOTHERED = """
import os, signal, threading, time
import torch
from earsight.common.signals import set_signals_apart

set_signals_apart()
torch.set_num_threads(1)
got = []
signal.signal(signal.SIGUSR1, lambda *_: got.append(1))
layer, frames = torch.nn.LSTM(192, 192, batch_first=True), torch.randn(16, 150, 192)
end = time.monotonic() + 3

def bother():
    while time.monotonic() < end:
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.002)

thread = threading.Thread(target=bother)
thread.start()
while thread.is_alive():
    layer(frames)[0].sum().backward()
print(len(got))
"""


def test_signals_leave_the_memory_of_a_layer_at_work_alone():
    done = subprocess.run([sys.executable, "-c", BOTHERED], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr  # without `set_signals_apart` it dies of a corrupted heap
    assert int(done.stdout) > 10


@pytest.mark.parametrize("more, ends", [("", "at once"), ("import torch", "by itself"),
                                        ("threading.Thread(target=threading.main_thread().join).start()", "by itself")])
def test_the_end_is_not_waited_for_where_nobody_needs_it(more, ends):
    code = f"""
import atexit, sys, threading, time
from earsight.common.signals import end_at_once

class Last:
    def __del__(self, write=sys.stdout.write, flush=sys.stdout.flush):  # as modules are taken apart
        write(" by itself"), flush()

last = Last()
atexit.register(print, " at exit", end="")
{more}
sys.stdout.write("printed")
status = end_at_once(3)
atexit.register(print, " later", end="")
sys.exit(status)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3 and not done.stderr
    assert done.stdout == ("printed at exit" if ends == "at once" else "printed later at exit by itself")


def test_who_measures_the_program_sees_its_end():
    done = subprocess.run([sys.executable, "-m", "cProfile", "-m", "earsight", "--version"], cwd=REPOSITORY,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "function calls" in done.stdout
