"""Files share a machine's cores, and none waits for another."""

import threading

import pytest

from earsight.common import batch_run
from earsight.common.batch_run import run_as_ready, run_forked, share_cores
from earsight.common.errors import EarsightError
from earsight.common.steps import in_one


@pytest.mark.parametrize("cores, jobs, files, expected", [
    (4, None, 100, (4, 1)),  # many files: one thread each
    (4, None, 1, (1, 4)),  # one file: all threads
    (4, None, 2, (2, 2)),
    (4, 3, 100, (3, 1)),  # the user's number
    (1, None, 100, (1, 1)),
    (4, None, 0, (1, 4)),
])
def test_files_share_the_cores(monkeypatch, cores, jobs, files, expected):
    monkeypatch.setattr(batch_run, "default_jobs", lambda: cores)
    assert share_cores(jobs, files) == expected


def test_what_is_ready_is_given_whatever_others_take():
    gate = threading.Event()

    def work(item):
        if item == 0:
            gate.wait(60)
        if item == 2:
            raise EarsightError("2: broken")
        return item

    found = run_as_ready(range(5), work, 2)
    first = dict(next(found) for _ in range(4))
    assert first.keys() == {1, 2, 3, 4} and str(first[2]) == "2: broken"
    gate.set()
    assert list(found) == [(0, 0)]


def test_a_mistake_of_the_work_ends_it():
    with pytest.raises(ZeroDivisionError):
        list(run_as_ready(range(5), lambda item: 1 // (item - 3), 2))
    with pytest.raises(ZeroDivisionError):  # as one of what asks for it
        list(run_forked(range(5), in_one(str), 1, lambda item: 1 // (item - 3)))
