"""A job over many files that is stopped, or in which some fail, goes on with what is missing."""

import os
from pathlib import Path

import pytest

from earsight.common.batch_run import run_command
from earsight.common.errors import EarsightError
from earsight.common.signals import Stopped
from earsight.common.steps import attempt
from earsight.common.unfinished import MARK

NAMES = ("a", "b", "c", "d")


class Runs:
    """A command over four files, of which "b" cannot be read while `broken`, and which is stopped at `stop_at`."""

    def __init__(self, folder: Path):
        self.paths = [folder / f"{name}.in" for name in NAMES]
        for path in self.paths:
            path.write_text(path.stem)
            os.utime(path, (1e9, 1e9))
        self.output, self.broken, self.stop_at = folder / "out", False, None
        self.done: list[str] = []

    def __call__(self, job: str = "job") -> int:
        self.done = []
        return run_command(self.paths, [], self.work, ".txt", self.output, 1, spread=self.spread, job=job)

    def spread(self, items, work, jobs):
        for item in reversed(items):  # in any order
            if item.stem == self.stop_at:
                raise Stopped(15)
            yield item, attempt(work, item)

    def work(self, path: Path) -> str:
        self.done.append(path.stem)
        if self.broken and path.stem == "b":
            raise EarsightError(f"{path}: broken")
        return path.read_text()


@pytest.fixture
def runs(tmp_path) -> Runs:
    return Runs(tmp_path)


def test_a_job_that_was_stopped_does_what_is_left_and_then_begins_anew(runs, capsys):
    runs.stop_at = "b"
    with pytest.raises(Stopped, match="what is done is in .*, and the same command goes on"):
        runs()
    assert runs.done == ["d", "c"] and (runs.output / MARK).exists()
    runs.stop_at = None
    assert runs() == 0 and runs.done == ["b", "a"]
    assert "2 of 4 files are done already" in capsys.readouterr().err
    assert sorted(path.name for path in runs.output.iterdir()) == [f"{name}.txt" for name in NAMES]
    assert runs() == 0 and len(runs.done) == 4


def test_files_that_failed_are_tried_again_and_no_others(runs):
    runs.broken = True
    assert runs() == 1 and len(runs.done) == 4
    runs.broken = False
    assert runs() == 0 and runs.done == ["b"]
    assert (runs.output / "b.txt").read_text() == "b\n" and not (runs.output / MARK).exists()


@pytest.mark.parametrize("change", ["job", "files", "input", "output"])
def test_what_is_of_another_job_or_older_than_its_input_is_done_again(runs, change):
    runs.broken = True
    runs()
    expected = {"job": "dcba", "files": "cba", "input": "cb", "output": "db"}[change]
    if change == "files":  # names of outputs may then be other files' than before
        runs.paths = runs.paths[:3]
    elif change == "input":
        os.utime(runs.paths[2], (4e9, 4e9))
    elif change == "output":
        (runs.output / "d.txt").unlink()
    assert runs("another" if change == "job" else "job") == 1 and "".join(runs.done) == expected


def test_without_an_output_results_are_printed_in_the_order_given(runs, capsys):
    assert run_command(runs.paths, [], runs.work, ".txt", None, 1, spread=runs.spread, job="job") == 0
    assert [line.rpartition(" ")[2] for line in capsys.readouterr().out.splitlines()] == list(NAMES)
