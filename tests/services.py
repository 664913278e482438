"""A service in a process of its own, for tests that talk to it."""

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from conftest import REPOSITORY

EXAMPLES, FILMS = REPOSITORY / "scripts" / "examples", REPOSITORY / "scripts" / "films"
TRANSCRIPTIONS, CLASSIFICATIONS = "/v1/audio/transcriptions", "/v1/video/classifications"
PATIENCE = 120  # seconds: tests' machines are busy


@dataclass
class Running:
    """What a test knows of a service."""

    process: subprocess.Popen
    url: str
    temporary: Path
    lines: list[str] = field(default_factory=list)  # that it has written to its standard error

    def client(self, verify: ssl.SSLContext | bool = False, **how) -> httpx.Client:
        """No certificates are read unless some are to be verified: that takes longer than most requests."""
        return httpx.Client(base_url=self.url, timeout=PATIENCE, verify=verify, **how)

    def post(self, path: str = TRANSCRIPTIONS, clip: Path = EXAMPLES / "date.mp3", **fields) -> httpx.Response:
        with self.client() as client:
            return client.post(path, files={"file": (clip.name, clip.read_bytes())}, data=fields)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def uploads(self) -> list[str]:
        """The files that it keeps of clients."""
        return [path.name for path in self.temporary.rglob("*") if path.is_file() and path.name != ".lock"]

    def workers(self) -> list[int]:
        """The ids of its processes."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(child) for child in children]

    @contextmanager
    def held(self) -> Iterator[int]:
        """The id of its one worker, which does nothing meanwhile, whatever it has to do."""
        until(lambda: len(self.workers()) == 1)
        (worker,) = self.workers()
        os.kill(worker, signal.SIGSTOP)
        try:
            yield worker
        finally:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGCONT)

    def logged(self) -> list[dict]:
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def until(true: Callable[[], object]) -> None:
    """Wait for it."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@contextmanager
def running(*options: object, model: object = "en-small", **how) -> Iterator[Running]:
    """`earsight serve` on a free port, with one worker unless `options` say otherwise."""
    with tempfile.TemporaryDirectory() as temporary:
        command = [sys.executable, "-m", "earsight", "serve", "--port", "0", "--model", model, "--jobs", 1,
                   "--temporary", temporary, *options]
        environment = {name: value for name, value in os.environ.items() if name != "EARSIGHT_API_KEYS"}
        process = subprocess.Popen(list(map(str, command)), cwd=REPOSITORY, text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env={**environment, **how.pop("env", {})}, **how)
        assert process.stdout is not None and process.stderr is not None
        service = Running(process, "", Path(temporary))
        reader = threading.Thread(target=lambda: service.lines.extend(process.stderr), daemon=True)
        reader.start()
        try:
            said = process.stdout.readline()
            found = re.fullmatch(r"earsight serves at (https?://\S+)\n", said)
            assert found, (said, service.lines)
            service.url = found[1]
            yield service
        finally:
            process.kill()
            process.wait()
            reader.join(PATIENCE)
            process.stdout.close()
