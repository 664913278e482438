"""Threads on a shared machine: what the environment gets, and what containers allow."""

import os
import subprocess
import sys

import pytest

from earsight.common import threads
from earsight.common.threads import share_machine, spins, usable_cores


def group(root, lines: str, files: dict[str, str]):
    """A `proc` and a `sys` of control groups."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(lines)
    for name, content in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


@pytest.fixture
def eight_cores(monkeypatch):
    monkeypatch.setattr(threads, "_affinity", lambda: 8)


def test_cores_of_a_container(tmp_path, eight_cores):
    assert usable_cores(tmp_path) == 8  # no control groups
    two = group(tmp_path / "v2", "0::/pod/app\n", {"pod/app/cpu.max": "250000 100000\n", "pod/cpu.max": "max 100000"})
    assert usable_cores(two) == 2
    above = group(tmp_path / "above", "0::/pod/app\n", {"pod/app/cpu.max": "max 100000",
                                                        "pod/cpu.max": "300000 100000"})
    assert usable_cores(above) == 3
    half = group(tmp_path / "half", "0::/\n", {"cpu.max": "50000 100000\n"})
    assert usable_cores(half) == 1
    # Within a container the group's path is the host's, and what is mounted is the group.
    host = group(tmp_path / "host", "0::/kubepods/x\n", {"cpu.max": "400000 100000\n"})
    assert usable_cores(host) == 4
    first = group(tmp_path / "v1", "3:cpuset:/\n2:cpu,cpuacct:/job\n1:memory:/job\n", {
        "cpu,cpuacct/job/cpu.cfs_quota_us": "600000\n", "cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
        "cpu,cpuacct/cpu.cfs_quota_us": "-1\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"})
    assert usable_cores(first) == 6
    broken = group(tmp_path / "broken", "0::/\n", {"cpu.max": "nonsense\n"})
    assert usable_cores(broken) == 8


def test_the_environment_is_told_what_it_does_not_say(monkeypatch, eight_cores):
    monkeypatch.setattr(threads, "usable_cores", lambda: 2)
    given: dict[str, str] = {}
    share_machine(given)
    assert given == {"GOMP_SPINCOUNT": "1000", "OMP_NUM_THREADS": "2"} and not spins(given)
    for own in ({"OMP_WAIT_POLICY": "ACTIVE", "OMP_NUM_THREADS": "5"}, {"GOMP_SPINCOUNT": "7", "OMP_NUM_THREADS": "1"}):
        kept = dict(own)
        share_machine(kept)
        assert kept == own
    assert spins({"OMP_WAIT_POLICY": "active"})
    monkeypatch.setattr(threads, "usable_cores", lambda: 8)
    given = {}
    share_machine(given)
    assert given == {"GOMP_SPINCOUNT": "1000"}  # the libraries count the cores themselves


def test_processes_of_one_training_share_what_a_container_allows(monkeypatch):
    monkeypatch.setattr(threads, "usable_cores", lambda: 4)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    monkeypatch.setattr(threads, "_counted", False)
    assert threads.divide_threads(2) == 0 and os.environ["OMP_NUM_THREADS"] == "4"  # the user's word
    monkeypatch.setattr(threads, "_counted", True)
    assert threads.divide_threads(2) == 2 and os.environ["OMP_NUM_THREADS"] == "2"
    assert threads.divide_threads(9) == 1


def test_the_library_that_torch_brings_hears_of_it():
    if sys.platform != "linux":
        pytest.skip("libgomp is what torch's wheels bring for Linux")
    environment = {k: v for k, v in os.environ.items() if k not in (*threads.OPENMP, "OMP_NUM_THREADS")}
    told = subprocess.run([sys.executable, "-c", "import earsight, torch"], capture_output=True, text=True, check=True,
                          env=environment | {"OMP_DISPLAY_ENV": "verbose"})
    assert "GOMP_SPINCOUNT = '1000'" in told.stderr
