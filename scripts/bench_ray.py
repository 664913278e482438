"""How much faster two processes of a Ray cluster on this machine are than one at what `earsight transcribe --ray` does.

    python scripts/bench_ray.py                                        # GRID's test clips, where they are

The two take turns, and the fastest of each counts: neighbours on the same cores only slow them down. "At work" is from
when the first process begins to read, its model loaded, until the last ends, as they tell in what they write: without
the start of the cluster and of its processes, which takes the same whatever there is to do.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from functools import partial
from itertools import cycle, islice
from pathlib import Path

from bench_serve import grid_clips, linked
from bench_speech import CORES, ONE_CLIP, Row, as_json, as_table

from earsight.app.cluster import LOCAL, run_on_ray
from earsight.app.recognisers import transcriber
from earsight.common.batch_run import run_command
from earsight.common.errors import EarsightError
from earsight.common.files import write_whole
from earsight.common.threads import share_machine

WAYS = {"one": 1, "two": 2}  # processes


def measure(args: argparse.Namespace) -> list[Row]:
    """All ways, in turns."""
    paths = args.clip or grid_clips() or [ONE_CLIP]
    paths = [Path(path) for path in islice(cycle(paths), args.clips)]
    whole: dict[str, list[float]] = {way: [] for way in WAYS}
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    with linked(paths) as folder:
        for _ in range(args.repeats):
            for way, jobs in WAYS.items():
                seconds, rate = timed(sorted(Path(folder).iterdir()), args.model, jobs)
                whole[way].append(seconds)
                rates[way].append(rate)
    rate = {way: max(values) for way, values in rates.items()}
    seconds = {way: min(values) for way, values in whole.items()}
    return [
        Row("two processes beside one, at work", rate["two"] / rate["one"], "x", 1.7, 1.9,
            detail=f"{rate['one']:.1f} and {rate['two']:.1f} clips/s; turns "
            + ", ".join(f"{two / one:.2f}" for one, two in zip(rates["one"], rates["two"]))),
        Row("two processes beside one, from nothing", seconds["one"] / seconds["two"], "x",
            detail=f"{seconds['one']:.1f} and {seconds['two']:.1f} s for {len(paths)} clips"),
    ]


def timed(paths: list[Path], model: str, jobs: int) -> tuple[float, float]:
    """A job: seconds from before there is a cluster, and clips a second at work."""
    with tempfile.TemporaryDirectory() as output:
        begun = time.monotonic()
        status = run_command(paths, [], partial(read, model), ".json", Path(output), jobs,
                             spread=partial(run_on_ray, LOCAL))
        seconds = time.monotonic() - begun
        told = [json.loads(path.read_bytes()) for path in Path(output).glob("*.json")]
    if status or len(told) != len(paths):
        raise EarsightError(f"{len(paths) - len(told)} of {len(paths)} clips were not read")
    return seconds, len(told) / (max(each["end"] for each in told) - min(each["begin"] for each in told))


def read(model: str, path: Path) -> str:
    """In a process of the cluster: a clip's text, and when it was begun and read by the machine's clock, as JSON."""
    recogniser = transcriber(model, 1)
    begin = time.time()
    return json.dumps({"text": recogniser.transcribe(path).text, "begin": begin, "end": time.time()})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="en-small", help="model folder or installed model (default: en-small)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON too")
    parser.add_argument("--clip", nargs="+", metavar="FILE", help="other clips than GRID's test clips")
    parser.add_argument("--clips", type=int, default=465, help="how many; some come again (default: 465)")
    parser.add_argument("--repeats", type=int, default=3, help="turns (default: 3)")
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    share_machine()
    try:
        rows = measure(args)
    except EarsightError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(as_table(rows))
    if args.json:
        write_whole(args.json, as_json(rows, args.model))
    return 0


if __name__ == "__main__":
    sys.exit(main())
