"""What ten hours cost `earsight transcribe`: times real time, peak memory, whether words stand where they were said.

    python scripts/bench_long.py [--model MODEL] [--manifest FILE] [--rows ROW...] [--hours N]
                                 [--suffix flac|wav|mp3|m4a] [--json FILE]

The rows:
- speech: the example clips, or a manifest's, one behind another with pauses of room noise, read with --format json. The
  words of the last clips are compared with where they are in the clip alone, plus the sample at which it was put.
- silence: the same length of room noise, -80 dBFS, and of digital silence.

What is compared runs in one call of this script, on two cores. The recordings, up to 1.2 GB, lie in the system's folder
for temporary files while they are read.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from bench_speech import CORES, EARSIGHT, REPOSITORY, Row, as_json, as_table, manifest_texts

from earsight.audio.reading import read
from earsight.common.errors import EarsightError
from earsight.common.files import write_whole

EXAMPLES = REPOSITORY / "scripts" / "examples"
CLIPS = ("grid-sentence.wav", "phone-number.ogg")  # which en-small reads without an error
RATE = 16000  # Hz
LAST = 20  # clips whose words' places are compared
MOST = 30  # of a manifest's clips


def main() -> int:
    """Measure the rows that were asked for; 0 even if some of them are left out."""
    names = ("speech", "silence")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="en-small", help="model folder or installed model (default: en-small)")
    parser.add_argument("--rows", nargs="+", choices=names, default=names, metavar="ROW",
                        help=f"only these of {', '.join(names)}")
    parser.add_argument("--manifest", type=Path, metavar="FILE", help="clips in place of the example clips")
    parser.add_argument("--hours", type=float, default=10.0, help="default: 10")
    parser.add_argument("--suffix", default="flac", help="what the recordings are written as (default: flac)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON too")
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):  # children inherit it
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    rows: list[Row] = []
    for name in (name for name in names if name in args.rows):
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            rows += {"speech": speech, "silence": silence}[name](args)
        except EarsightError as error:
            rows.append(Row(name, None, "", detail=f"left out: {error}"))
    print(as_table(rows))
    if args.json:
        write_whole(args.json, as_json(rows, str(args.model)))
    return 0


def speech(args: argparse.Namespace) -> list[Row]:
    """Clips whose places are known to the sample."""
    paths = list(manifest_texts(args.manifest))[:MOST] if args.manifest else [EXAMPLES / name for name in CLIPS]
    clips = [read(path, RATE).samples for path in paths]
    alone = [transcribe(path, args.model)[0] for path in paths]
    places: list[tuple[int, int]] = []  # sample, clip

    def sound() -> Iterator[np.ndarray]:
        rng, done = np.random.default_rng(1), 0
        while done < args.hours * 3600 * RATE:
            pause = 1e-3 * rng.standard_normal(rng.integers(RATE // 2, 3 * RATE)).astype(np.float32)
            clip = int(rng.integers(len(clips)))
            places.append((done + len(pause), clip))
            done += len(pause) + len(clips[clip])
            yield np.concatenate([pause, clips[clip]])

    with tempfile.TemporaryDirectory() as folder:
        path = record(Path(folder) / f"speech.{args.suffix}", sound())
        found, seconds, peak = transcribe(path, args.model)
    words, errors = found["words"], []
    for place, clip in places[-LAST:]:
        for word in alone[clip]["words"]:
            wanted = place / RATE + word["end"]
            near = [abs(other["end"] - wanted) for other in words if other["text"] == word["text"]]
            errors.append(min(near, default=np.inf))
    right = sum(alone[clip]["text"] == line for (_, clip), line in zip(places, found["text"].split("\n")))
    return [Row("speech", found["duration"] / seconds, "x real time", detail=f"{found['duration'] / 3600:.2f} h in "
                f"{seconds:.0f} s; {right} of {len(places)} clips as they are read alone"),
            Row("its peak memory", peak, "MB", 500, smaller_is_better=True, detail="the whole process"),
            Row("ends of its last words", 1000 * float(np.median(errors)), "ms", 50, smaller_is_better=True,
                detail=f"median error of {len(errors)}; the largest {1000 * max(errors):.0f} ms")]


def silence(args: argparse.Namespace) -> list[Row]:
    """Nothing said for hours."""
    rows = []
    for name, level in (("room noise", 1e-4), ("digital silence", 0.0)):
        rng = np.random.default_rng(1)
        minutes = ((level * rng.standard_normal(60 * RATE)).astype(np.float32) for _ in range(round(60 * args.hours)))
        with tempfile.TemporaryDirectory() as folder:
            path = record(Path(folder) / f"silence.{args.suffix}", minutes)
            found, seconds, peak = transcribe(path, args.model)
        rows += [Row(name, found["duration"] / seconds, "x real time", detail=f"{len(found['words'])} words"),
                 Row("its peak memory", peak, "MB", 500, smaller_is_better=True, detail="the whole process")]
    return rows


def record(path: Path, blocks: Iterator[np.ndarray]) -> Path:
    """Write sound in blocks, so that this process stays small too."""
    import soundfile

    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        for block in blocks:
            file.write(block)
    return path


def transcribe(path: str | Path, model: str) -> tuple[dict, float, float]:
    """The transcript, seconds that the process took, and its peak memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen([EARSIGHT, "transcribe", str(path), "--model", model, "--format", "json"],
                               stdout=subprocess.PIPE)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise EarsightError(f"earsight transcribe {path} failed")
    return json.loads(text), time.perf_counter() - start, usage.ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
