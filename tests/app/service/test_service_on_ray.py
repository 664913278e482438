"""`serve --ray`: replicas in a Ray cluster do the work, and one that is killed costs nothing."""

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from services import EXAMPLES, Running, running, until

from earsight.app.service.ray_pool import Replica

needs_ray = pytest.mark.skipif(not importlib.util.find_spec("ray"), reason="needs Ray: pip install '.[ray]'")
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


def processes(temporary: Path, title: bytes = b"") -> list[int]:
    """Those of the cluster whose folder is in `temporary`, with a title where one is given."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            ours = str(temporary).encode() in (path / "environ").read_bytes()
            if ours and title in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue
    return found


@pytest.fixture
def service() -> Iterator[tuple[Running, Path]]:
    """With two replicas at most, and the folder of its cluster, whose sockets' paths may not be long."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t") as folder, \
            running("--ray", "local", "--jobs", 2, env={"TMPDIR": folder}) as service:
        yield service, Path(folder)


@needs_ray
@linux
def test_replicas_answer_as_processes_do_and_a_killed_one_is_replaced(service):
    service, folder = service
    with running() as plain:
        assert service.post(response_format="verbose_json").json() == plain.post(response_format="verbose_json").json()
        wrong = [{"model": "none"}, {"clip": Path(__file__)}]  # no such model, no sound
        assert [service.post(**one).json() for one in wrong] == [plain.post(**one).json() for one in wrong]
    assert not service.uploads
    with ThreadPoolExecutor(6) as threads:
        answers = [threads.submit(service.post) for _ in range(24)]
        until(answers[2].done)
        os.kill(processes(folder, b"ray::ServeReplica")[0], signal.SIGKILL)
        assert {(one.result().status_code, one.result().text) for one in answers} == {(200, answers[0].result().text)}
    assert any(line["message"] == "a replica has ended" for line in service.logged())
    with service.client() as client:
        until(lambda: "earsight_workers 2.0" in client.get("/metrics").text)  # it grew while some waited
    assert service.stop() == 0
    until(lambda: not processes(folder))
    assert not list(folder.glob("earsight-ray*"))


def test_a_replica_reads_what_it_is_sent_and_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    where = {"path": "/nowhere/clip.mp3", "name": "date.mp3"}  # of the machine that had the upload
    how = {"model": "en-small", "form": "json", "language": "", "words": False, "segments": False, "longest": 60.0}

    async def told(content: bytes) -> list[dict]:
        replica = Replica("en-small", 1, 60.0, 3e9)
        try:
            return [event async for event in replica.events("transcribe", {**where, **how}, content)]
        finally:
            await replica.pool.close()

    events = asyncio.run(told((EXAMPLES / "date.mp3").read_bytes()))
    assert events[-1]["done"]["text"] == "november twenty third nineteen eighty four" and events[-1]["done"]["took"] > 0
    (refused,) = asyncio.run(told(b"no sound"))
    assert refused["error"]["status"] == 400 and "date.mp3" in refused["error"]["message"]
    assert not list(tmp_path.iterdir())


@needs_ray
def test_a_cluster_that_cannot_be_joined_is_told():
    done = subprocess.run([sys.executable, "-m", "earsight", "serve", "--port", "0", "--ray", "auto"],
                          capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("error: auto: no Ray cluster can be joined")
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1
