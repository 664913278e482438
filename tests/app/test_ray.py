"""`transcribe` and `classify` in the processes of a Ray cluster, of which one is killed; a stopped job goes on."""

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import REPOSITORY, write_wav
from earsight.app.cluster import ATTEMPTS, balanced, run_on_ray
from earsight.audio.reading import read
from earsight.common.errors import EarsightError

needs_ray = pytest.mark.skipif(not importlib.util.find_spec("ray"), reason="needs Ray: pip install '.[ray]'")
PATIENCE = 600  # seconds: tests' machines are busy
CLIP = REPOSITORY / "scripts" / "examples" / "grid-sentence.wav"


def earsight(*arguments, **how) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-m", "earsight", *map(str, arguments)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **how)


def result_of(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def wait_for(condition, process: subprocess.Popen) -> None:
    while not condition():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)


def workers_of(pid: int) -> list[int]:
    """The actors of a cluster that a process began."""
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        own = [pid] if b"ray::MapWorker" in Path(f"/proc/{pid}/cmdline").read_bytes() else []
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return []
    return own + [worker for child in children for worker in workers_of(child)]


def cluster_processes(temporary: Path) -> list[str]:
    """What runs of a cluster whose folder is in `temporary`."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if str(temporary).encode() in (path / "cmdline").read_bytes():
                found.append(path.name)
        except OSError:
            continue
    return found


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Where paths of sockets are not too long."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t") as folder:
        yield Path(folder)


@needs_ray
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_killed_worker_costs_nothing_and_a_stopped_job_goes_on(tmp_path, short_folder):
    sound = read(CLIP)
    for number in range(24):  # of unequal lengths
        long = (sound.samples if number % 3 else [*sound.samples] * 40)  # there is work left when one is written
        write_wav(tmp_path / f"clips/{number:02}.wav", long, sound.sample_rate)
    (tmp_path / "clips/broken.wav").write_bytes(b"RIFF")
    temporary, out = short_folder, tmp_path / "out"
    command = ("transcribe", tmp_path / "clips", "--model", "en-small", "--format", "json", "--ray", "local", "--jobs",
               "2", "--output", out)
    how = {"env": {**os.environ, "TMPDIR": str(temporary)}}

    def written() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in out.glob("[!.]*.json")}

    stopped = earsight(*command, **how)
    wait_for(written, stopped)
    stopped.send_signal(signal.SIGTERM)
    status, _, err = result_of(stopped)
    before = written()
    assert status == 128 + signal.SIGTERM and 0 < len(before) < 24
    assert f"what is done is in {out}, and the same command goes on" in err.splitlines()[-1]

    going = earsight(*command, **how)
    wait_for(lambda: len(written()) > len(before), going)
    os.kill(workers_of(going.pid)[0], signal.SIGKILL)
    status, printed, err = result_of(going)
    assert status == 1 and printed == "" and f"{len(before)} of 25 files are done already" in err
    assert "broken.wav" in err and "1 of 25 inputs failed" in err and "were read again" in err
    after = written()
    assert {name: after[name] for name in before} == before  # none was done twice

    assert earsight("transcribe", tmp_path / "clips", "--model", "en-small", "--format", "json", "--output",
                    tmp_path / "plain").wait(PATIENCE) == 1
    assert len(after) == 24
    for path in (tmp_path / "plain").glob("*.json"):
        assert (out / path.name).read_text() == path.read_text()
    assert not list(temporary.iterdir()) and not cluster_processes(temporary)


@needs_ray
def test_a_file_that_ends_its_process_is_named_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    def work(path: Path) -> str:
        if path.name == "kills":
            os.kill(os.getpid(), signal.SIGKILL)
        if path.name == "fault":
            raise ZeroDivisionError("by nothing")
        if path.name == "bad":
            raise EarsightError(f"{path}: no sound")
        print(f"warning: {path.name}", file=sys.stderr)
        return path.read_text()

    monkeypatch.chdir(tmp_path)  # relative paths are the command's
    items = [Path(name) for name in ("kills", "fault", "bad", *"abcdefgh")]
    for item in items:
        item.write_text(item.name * 3)
    results = dict(run_on_ray("local", items, work, 2))
    assert {item: results[item] for item in items[3:]} == {item: item.name * 3 for item in items[3:]}
    told = {item.name: str(results[item]) for item in items[:3]}
    assert told["kills"].startswith(f"kills: each of the {ATTEMPTS} processes")
    assert "ZeroDivisionError: by nothing" in told["fault"] and told["bad"] == "bad: no sound"
    out, err = capsys.readouterr()
    assert out == "" and "warning: a\n" in err


@needs_ray
def test_files_before_one_that_ends_its_process_are_read(tmp_path):
    """Those of its task, which are begun as often as it is."""
    def work(path: Path) -> str:
        if path.name == "22":
            os.kill(os.getpid(), signal.SIGKILL)
        return path.name

    items = [tmp_path / str(number) for number in range(40)]
    assert any(len(task) > 3 and task.index(22) > 0 for task in balanced(items, 1) if 22 in task)
    results = dict(run_on_ray("local", items, work, 1))
    assert [item.name for item, result in results.items() if isinstance(result, EarsightError)] == ["22"]
    assert len(results) == 40


def test_tasks_hold_every_item_once_and_end_small(tmp_path):
    sizes = [5000, 10, 10, 400, 400, 10, 2000, 90, 10, 10, 10, 10]
    items = []
    for number, size in enumerate(sizes):
        items.append(tmp_path / str(number))
        items[-1].write_bytes(bytes(size))
    tasks = balanced(items, 1)
    assert sorted(number for task in tasks for number in task) == list(range(len(sizes)))
    assert tasks[0] == [0] and tasks[1] == [6]  # the largest first, each alone
    assert max(sum(sizes[n] for n in task) for task in tasks[2:]) <= sum(sizes) / 4 and max(map(len, tasks)) == 3


def test_tasks_of_like_files_shrink_and_what_is_missing_is_handed_out(tmp_path):
    missing = [tmp_path / str(number) for number in range(3)]
    like = tmp_path / "like"
    like.write_bytes(bytes(100))
    lengths = [len(task) for task in balanced([like] * 200, 2)]
    assert sum(lengths) == 200 and lengths == sorted(lengths, reverse=True) and lengths[0] == 25 and lengths[-1] <= 2
    assert sorted(number for task in balanced(missing, 8) for number in task) == [0, 1, 2]
    assert balanced([tmp_path / "missing"], 8) == [[0]]


@pytest.mark.parametrize("options, told", [
    (("--ray", "clips"), "clips is none of local, auto and HOST:PORT"),
    (("--ray", "ray://host:10001"), "ray://host:10001 is none of"),
])
def test_what_is_no_address_is_told(options, told):
    status, _, err = result_of(earsight("transcribe", CLIP, *options))
    assert status == 2 and told in err


def test_without_ray_the_line_that_installs_it_is_told(tmp_path):
    code = "import sys; sys.modules['ray'] = None; from earsight.app.main import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", code, "transcribe", CLIP, "--ray"], capture_output=True, text=True,
                          env={**os.environ, "TMPDIR": str(tmp_path)})
    assert done.returncode == 1 and "pip install 'earsight[ray]'" in done.stderr and not list(tmp_path.iterdir())


@needs_ray
def test_no_cluster_to_join_is_told():
    status, out, err = result_of(earsight("transcribe", CLIP, "--ray", "auto"))
    assert (status, out) == (1, "") and err.startswith("error: auto: no Ray cluster can be joined")
    assert len(err.splitlines()) == 1


def test_a_cluster_that_does_not_answer_and_what_no_cluster_does_are_told(tmp_path):
    there = importlib.util.find_spec("ray")
    answer = "127.0.0.1:9: no Ray cluster answers" if there else "ray is not installed"
    for options, told in ((("transcribe", CLIP, "--ray", "127.0.0.1:9"), answer),
                          (("transcribe", CLIP, "--ray", "--model", "none"), "none"),
                          (("classify", CLIP, "--ray", "--plot", tmp_path), "--plot draws on this machine alone")):
        status, out, err = result_of(earsight(*options))
        assert (status, out) == (1, "") and err.startswith("error: ") and told in err
        assert len(err.splitlines()) == 1
