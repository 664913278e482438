"""Signals come while layers compute, and nothing is written over."""

import subprocess
import sys

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
