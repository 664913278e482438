"""Files share a machine's cores."""

import pytest

from earsight.common import batch_run
from earsight.common.batch_run import share_cores


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
