"""What a busy neighbour costs: training and transcribing alone and beside a busy process, waiting as ever and briefly.

    python scripts/bench_neighbour.py [--rows ROW...] [--seconds N] [--turns N] [--busy N] [--json FILE]

The rows:
- training: steps a second of a speech model (three BiLSTM layers of 256, CTC) on batches of noise.
- transcribe: seconds of sound a second, of one recording that is cut in its pauses, with a thread a core.
- clip: the same of one short clip, in whose matrix products the threads work together.

Each is measured in a process of its own, with libgomp's and ONNX Runtime's own ways of waiting ("spinning") and with
this program's (`earsight.common.threads`), by turns, on two cores; the figures are medians. A figure means what it says
on a machine that is quiet otherwise.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench_speech import CORES, REPOSITORY, Row, as_json, as_table

from earsight.common.errors import EarsightError
from earsight.common.files import write_whole
from earsight.common.threads import COUNT, OPENMP

# As before this program set anything: libgomp's own count where no policy is named, and ONNX Runtime's default.
WAYS = {"spinning": {"GOMP_SPINCOUNT": "300000", "OMP_WAIT_POLICY": "ACTIVE"}, "brief": {}}
BUSY = "while True: pass"
TIMED = """
import sys
from time import perf_counter
def timed(step, worth, seconds):
    for _ in range(2):
        step()
    done, began = 0, perf_counter()
    while perf_counter() - began < seconds:
        step()
        done += 1
    print(worth * done / (perf_counter() - began))
"""
PROGRAMS = {
    "training": """
import torch
from earsight.common.labels import Labels
from earsight.common.nn.encoder import EncoderSettings
from earsight.common.nn.module import SequenceModel
torch.manual_seed(1)
labels = Labels("characters", ("<blank>", *"abcdefghijklmnopqrstuvwxyz"))
model = SequenceModel(labels.to_dict(), n_features=40, encoder=EncoderSettings())
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
frames, lengths = torch.randn(8, 400, 40), torch.full((8,), 400)
targets, counts = torch.randint(1, 27, (8 * 20,)), torch.full((8,), 20)
def step():
    hidden, times = model.encoder(model.normaliser(frames, lengths), lengths)
    loss = model.head.learn(hidden[-1], times, targets, counts)[1]
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
timed(step, 1, float(sys.argv[1]))
""",
    "transcribe": """
import numpy as np
from earsight.audio.reading import read
from earsight.audio.recognition.recogniser import SpeechRecogniser
from earsight.common.batch_run import default_jobs
reader = SpeechRecogniser("en-small", "ctc", default_jobs())
clip = read("scripts/examples/phone-number.ogg", reader.sample_rate).samples
pause = 1e-4 * np.random.default_rng(1).standard_normal(reader.sample_rate).astype(np.float32)
sound = np.concatenate([clip, pause] * 6)
timed(lambda: reader.transcript_of(sound), len(sound) / reader.sample_rate, float(sys.argv[1]))
""",
    "clip": """
from earsight.audio.reading import read
from earsight.audio.recognition.recogniser import SpeechRecogniser
from earsight.common.batch_run import default_jobs
reader = SpeechRecogniser("en-small", "ctc", default_jobs())
clip = read("scripts/examples/phone-number.ogg", reader.sample_rate).samples
def step():
    reader.transcript(reader.frames_of_samples(clip, reader.sample_rate))
timed(step, len(clip) / reader.sample_rate, float(sys.argv[1]))
""",
}
UNITS = {"training": "steps/s", "transcribe": "x", "clip": "x"}


def main(arguments: list[str] | None = None) -> int:
    """Measure the rows that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", choices=PROGRAMS, default=list(PROGRAMS), metavar="ROW",
                        help=f"only these of {', '.join(PROGRAMS)}")
    parser.add_argument("--seconds", type=float, default=15.0, help="that each measurement lasts (default: 15)")
    parser.add_argument("--turns", type=int, default=3, help="measurements of each kind (default: 3)")
    parser.add_argument("--busy", type=int, default=1, help="busy processes beside it (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON too")
    args = parser.parse_args(arguments)
    if hasattr(os, "sched_setaffinity"):  # children inherit it
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    rows: list[Row] = []
    for name in args.rows:
        try:
            rows += measured(name, args.seconds, args.turns, args.busy)
        except EarsightError as error:
            print(f"error: {name}: {error}", file=sys.stderr)
            return 1
    print(as_table(rows))
    if args.json:
        write_whole(args.json, as_json(rows, "en-small"))
    return 0


def measured(name: str, seconds: float, turns: int, busy: int) -> list[Row]:
    """The speeds of a program alone and in company, both ways, and what they are beside each other."""
    speeds: dict[tuple[str, int], list[float]] = {}
    for _ in range(turns):
        for beside in (0, busy):
            for way in WAYS:
                with busy_processes(beside):
                    speeds.setdefault((way, beside), []).append(speed(name, way, seconds))
    of = {key: median(values) for key, values in speeds.items()}

    def spread(way: str, beside: int) -> str:
        values = speeds[way, beside]
        return f"{min(values):.3g} to {max(values):.3g} in {turns} turns"

    rows = [Row(f"{name} {'beside ' + str(beside) + ' busy' if beside else 'alone'}, {way}", of[way, beside],
                UNITS[name], detail=spread(way, beside)) for beside in (0, busy) for way in WAYS]
    rows += [Row(f"{name} in company against alone, {way}", of[way, busy] / of[way, 0], "", 0.37, 0.45)
             for way in WAYS]
    return [*rows, Row(f"{name} alone, brief against spinning", of["brief", 0] / of["spinning", 0], "", 0.97, 1.0)]


def speed(name: str, way: str, seconds: float) -> float:
    """What a program says of itself, in a fresh process."""
    environment = {key: value for key, value in os.environ.items() if key not in (*OPENMP, COUNT)} | WAYS[way]
    done = subprocess.run([sys.executable, "-c", TIMED + PROGRAMS[name], str(seconds)], env=environment,
                          capture_output=True, text=True, cwd=REPOSITORY)
    try:
        return float(done.stdout.split()[-1])
    except (IndexError, ValueError):
        raise EarsightError((done.stderr.strip() or "it says nothing").splitlines()[-1]) from None


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """So many processes that keep a core busy each."""
    started = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
