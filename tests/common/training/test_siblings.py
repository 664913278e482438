"""A job that loses a process ends, with a word; nothing else ends it meanwhile."""

import subprocess
import sys

JOB = """
import subprocess, sys, time
from types import SimpleNamespace
from earsight.common.training import siblings
siblings.PERIOD, siblings.TELLING = 0.05, 0.2
children = [subprocess.Popen([sys.executable, "-c", code]) for code in sys.argv[1:]]
launcher = SimpleNamespace(procs=children)
siblings.watch_siblings(launcher)
assert children == [] and len(launcher.procs) == len(sys.argv) - 1
watched = launcher.procs
siblings.watch_siblings(launcher)  # of a second stage
assert watched == [] and len(launcher.procs) == len(sys.argv) - 1
for child in launcher.procs:
    child.wait()
time.sleep(1)
"""
LASTING = "import time; time.sleep(60)"


def run(*codes):
    return subprocess.run([sys.executable, "-c", JOB, *codes], capture_output=True, text=True, timeout=50)


def test_a_process_that_hangs_is_ended_when_another_has_died():
    job = run("pass", "raise SystemExit(3)", LASTING)
    assert job.returncode == 1
    assert "error: another process of this job has died (status 3); what it said is above" in job.stderr


def test_others_that_end_well_end_nothing():
    job = run("pass", "pass")
    assert (job.returncode, job.stderr) == (0, "")


def test_a_job_alone_has_nothing_to_watch():
    from earsight.common.training.siblings import watch_siblings

    watch_siblings(None)  # as torchrun's processes have it, and one device
