"""`earsight transcribe --jobs N` reads in processes of its own: the same output, and nobody is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

from conftest import REPOSITORY, tone, write_hours, write_wav

EXAMPLES = REPOSITORY / "scripts" / "examples"
CLIPS = ["command-telephone.wav", "date.mp3", "grid-sentence.wav"]
SOON = 6.0  # seconds; a fraction of one as a rule
PATIENCE = 120


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "earsight", "transcribe", "--model", "en-small", *map(str, arguments)],
                          cwd=REPOSITORY, capture_output=True, timeout=PATIENCE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Clips of several kinds, one long enough to be cut, one that is damaged, one of silence."""
    folder = tmp_path_factory.mktemp("clips")
    for number, name in enumerate(CLIPS * 2):
        (folder / f"{number}-{name}").write_bytes((EXAMPLES / name).read_bytes())
    (folder / "damaged.wav").write_bytes((folder / "2-grid-sentence.wav").read_bytes()[:9000])
    write_wav(folder / "silence.wav", np.zeros(16000))
    sound, rate = soundfile.read(EXAMPLES / "command-telephone.wav")
    soundfile.write(folder / "long.wav", np.tile(np.concatenate([sound, np.zeros(rate)]), 6), rate)
    return folder


@pytest.mark.parametrize("form", ["txt", "json", "tsv"])
def test_the_output_is_that_of_one_job(form, folder):
    one, two = (run(folder, "--format", form, "--jobs", jobs) for jobs in (1, 2))
    assert two.stdout == one.stdout and two.stdout.count(b"\n") > 5
    assert two.stderr == one.stderr and b"damaged.wav" in two.stderr and two.returncode == one.returncode == 1


def test_the_files_are_those_of_one_job(folder, tmp_path):
    for jobs in (1, 2):
        assert run(folder, "--format", "srt", "--output", tmp_path / str(jobs), "--jobs", jobs).returncode == 1
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / jobs).iterdir()} for jobs in ("1", "2"))
    assert one == two and len(one) == 8


@pytest.fixture(scope="module")
def hours(tmp_path_factory):
    """Four recordings of hours, which are links to one, and a short clip before them."""
    folder = tmp_path_factory.mktemp("hours")
    write_hours(folder / "b.wav", 4)
    write_wav(folder / "a.wav", tone(440, 1.0))
    for name in "cde":
        (folder / f"{name}.wav").symlink_to("b.wav")
    yield folder
    (folder / "b.wav").unlink()


def children(process):
    """Of all its threads: one that replaces another may be a fork of another's."""
    found = []
    for path in Path(f"/proc/{process.pid}/task").glob("*/children"):
        with suppress(OSError):  # a thread that has ended meanwhile
            found += map(int, path.read_text().split())
    return found


def until(true, process=None):
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end and (process is None or process.poll() is None)
        time.sleep(0.02)


def begun(hours, output):
    """A command that has read the short clip, and some of two long ones."""
    process = subprocess.Popen(
        [sys.executable, "-m", "earsight", "transcribe", "--model", "en-small", hours, "--output", output, "--jobs",
         "2"], cwd=REPOSITORY, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    partials = [output / f".{name}.txt.partial.jsonl" for name in "bc"]
    until(lambda: all(partial.exists() and partial.read_bytes().count(b"\n") >= 3 for partial in partials), process)
    return process, partials


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_all_and_what_was_heard_is_kept(number, hours, tmp_path):
    process, partials = begun(hours, tmp_path)
    workers = children(process)
    assert len(workers) == 2
    process.send_signal(number)
    told = time.monotonic()
    try:
        _, errors = process.communicate(timeout=PATIENCE)
        assert time.monotonic() - told < SOON
    finally:
        process.kill()
    until(lambda: not any(os.path.exists(f"/proc/{worker}") for worker in workers))
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
    if number != signal.SIGKILL:
        assert errors == (f"error: stopped by {number.name}; what was heard is kept in {tmp_path}, and the same "
                          "command goes on\n")
    assert sorted(os.listdir(tmp_path)) == sorted(["a.txt", *(partial.name for partial in partials)])
    for partial in partials:
        assert all(json.loads(line) for line in partial.read_text().splitlines(keepends=True) if line.endswith("\n"))


def test_a_worker_that_is_killed_is_replaced_and_its_file_read_on(hours, tmp_path):
    process, partials = begun(hours, tmp_path)
    try:
        before = children(process)
        sizes = [partial.stat().st_size for partial in partials]
        os.kill(before[0], signal.SIGKILL)
        until(lambda: len(children(process)) == 2 and before[0] not in children(process), process)
        until(lambda: all(partial.stat().st_size > size + 1000 for partial, size in zip(partials, sizes)), process)
    finally:
        process.kill()
        process.communicate()


def test_a_terminals_interrupt_is_told_once(hours, tmp_path):
    """Ctrl-C goes to all processes of the terminal's group."""
    process = subprocess.Popen([sys.executable, "-m", "earsight", "transcribe", "--model", "en-small", hours, "--jobs",
                                "2"], cwd=REPOSITORY, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               start_new_session=True)
    assert process.stdout.readline().startswith(str(hours))
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (130, "error: stopped by SIGINT\n")
