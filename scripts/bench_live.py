"""How soon `earsight listen` tells words and whole utterances, what a stream costs, and whether its finals are what
`earsight transcribe` says.

    python scripts/bench_live.py                # GRID's test clips, where they are
    python scripts/bench_live.py --paced        # takes as long as the clips last

The clips come as if they were said, 50 ms at a time, with pauses of noise as loud as a clip's own quietest frames
between them. Times are beside those of the words in GRID's alignments. With --paced a process gets the clips by a pipe
in real time, and it counts when its lines arrive, which other processes may put off; else when the sound was there that
was read, and the processor's time that this took from then on, as where no other process is in the way.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import redirect_stdout
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from statistics import median

import numpy as np
from bench_speech import EARSIGHT, GRID, Row, as_json, as_table

from earsight.app.recognisers import transcriber
from earsight.audio.live.pcm import as_pcm
from earsight.audio.live.reader import LiveReader
from earsight.audio.live.reading import read_sound
from earsight.audio.live.telling import Teller
from earsight.audio.reading import read
from earsight.common.errors import EarsightError
from earsight.common.files import write_whole

RATE = 16000  # Hz
PIECE = 0.05  # seconds
UNITS = 25000  # of GRID's alignments, a second
NO_WORDS = ("sil", "sp")
SETTLED = 10.0  # seconds of the stream, behind which the processor's time counts


@dataclass(frozen=True)
class Clip:
    """A clip in the stream; times in seconds from the stream's start."""

    begin: float
    end: float
    speech: float  # the first word's start
    silence: float  # the last word's end
    samples: np.ndarray


def stream_of(names: list[str], pause: float) -> tuple[np.ndarray, list[Clip]]:
    """Clips one behind another with pauses before, between and behind them."""
    rng, parts, clips, place = np.random.default_rng(1), [], [], 0.0
    for name in names:
        samples = read(GRID / "s1" / f"{name}.mp4", RATE).samples
        frames = np.square(samples[: len(samples) // 320 * 320].reshape(-1, 320)).mean(axis=1) ** 0.5
        level = np.percentile(frames, 5)
        noise = (level * rng.standard_normal(round(pause * RATE))).astype(np.float32)
        lines = (GRID / "align" / "s1" / f"{name}.align").read_text().split("\n")
        words = [line.split() for line in lines if line and line.split()[2] not in NO_WORDS]
        place += pause
        clips.append(Clip(place, place + len(samples) / RATE, place + int(words[0][0]) / UNITS,
                          place + int(words[-1][1]) / UNITS, samples))
        place += len(samples) / RATE
        parts += [noise, samples]
    rng = np.random.default_rng(2)
    return np.concatenate([*parts, 1e-4 * rng.standard_normal(round(2 * RATE)).astype(np.float32)]), clips


def computed(stream: np.ndarray, model: str) -> tuple[list[tuple[float, dict]], float]:
    """What `earsight listen` prints of a stream, each line with the stream's time at which it can; share of a core."""
    recogniser, reader, lines = transcriber(model, 1), LiveReader(RATE), []
    read_sound(recogniser, stream[:RATE], RATE, final=False)
    size, spent, free = round(PIECE * RATE), 0.0, 0.0
    for place in range(0, len(stream), size):
        reader.take(stream[place:place + size])
        now = max((place + size) / RATE, free)
        while (wanted := reader.wanted()) is not None:
            begun = time.process_time()
            update = reader.heard(read_sound(recogniser, wanted.samples, RATE, wanted.final))
            took = time.process_time() - begun
            spent, now = spent + took, now + took
            out = io.StringIO()
            with redirect_stdout(out):
                Teller("jsonl", None).tell(update)
            lines += [(now, json.loads(line)) for line in out.getvalue().splitlines()]
        free = now
    return lines, spent * RATE / len(stream)


def paced(stream: np.ndarray, model: str) -> tuple[list[tuple[float, dict]], float]:
    """Pipe a stream in real time; each line with the stream's time at which it came, and the share of a core."""
    command = [EARSIGHT, "listen", "-", "--rate", str(RATE), "--model", model, "--format", "jsonl"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        lines: list[tuple[float, dict]] = []
        time.sleep(3)  # the model is loaded
        begun = time.monotonic()

        def collect() -> None:
            assert process.stdout is not None
            lines.extend((time.monotonic() - begun, json.loads(line)) for line in process.stdout)

        thread = threading.Thread(target=collect)
        thread.start()
        size, before = round(PIECE * RATE), (0.0, 0.0)
        for place in range(0, len(stream), size):
            # A piece comes when it is over.
            time.sleep(max(begun + (place + size) / RATE - time.monotonic(), 0))
            process.stdin.write(as_pcm(stream[place:place + size]))
            process.stdin.flush()
            if not before[0] and place >= SETTLED * RATE:
                before = time.monotonic(), cpu_of(process.pid)
        share = (cpu_of(process.pid) - before[1]) / (time.monotonic() - before[0])
        process.stdin.close()
        thread.join()
        if process.wait():
            raise EarsightError("earsight listen failed")
    return lines, share


def cpu_of(pid: int) -> float:
    """Seconds of processor that a process has had, user's and system's."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(args: argparse.Namespace) -> list[Row]:
    """All rows."""
    names = (GRID / "splits" / f"{args.split}.txt").read_text().split()[:: args.every][: args.clips]
    stream, clips = stream_of(names, args.pause)
    lines, share = (paced if args.paced else computed)(stream, args.model)
    finals = [(at, line) for at, line in lines if line["type"] == "final"]
    first, last, early, same, settled, kept = [], [], 0, 0, 0, 0
    recogniser = transcriber(args.model, 1)
    for k, clip in enumerate(clips):
        until = clips[k + 1].begin if k + 1 < len(clips) else len(stream) / RATE + 60
        own = [(at, line) for at, line in lines if clip.begin - 0.5 <= line["end"] < until - 0.5]
        shown = [at for at, line in own if line["text"]]
        early += any(at < clip.speech for at in shown)
        first += [at - clip.speech for at in shown if at >= clip.speech][:1]
        told = [(at, line) for at, line in own if line["type"] == "final"]
        last += [told[-1][0] - clip.silence] if told else []
        text = " ".join(line["text"] for _, line in told)
        same += text == recogniser.transcript_of(clip.samples).text.replace("\n", " ")
        black = [line["settled"] for _, line in own if line["type"] == "partial" and line["settled"]]
        words = black[-1].split() if black else []
        settled += len(words)
        kept += sum(block.size for block in SequenceMatcher(None, words, text.split()).get_matching_blocks())
    spans = [recogniser.transcript_of(stream[round(line["start"] * RATE):round(line["end"] * RATE)])
             .text.replace("\n", " ") == line["text"] for _, line in finals]
    what = f"{len(clips)} clips of GRID's {args.split} part, {args.pause:g} s of noise between them"
    return [
        Row("first partial word behind the first word's start", median(first), "s", 0.5, 0.3, True,
            f"p90 {np.percentile(first, 90):.2f} s; {what}"),
        Row("final behind the last word's end", median(last), "s", 0.8, 0.5, True,
            f"p90 {np.percentile(last, 90):.2f} s"),
        Row("processor of one stream", 100 * share, "% of a core", 15, 8, True),
        Row("finals that `transcribe` of their stretch says", 100 * float(np.mean(spans)), "%", 100, 100,
            detail=f"{len(finals)} finals"),
        Row("clips whose finals are what `transcribe` of the whole clip says", 100 * same / len(clips), "%"),
        Row("clips in whose pause before a word was shown", 100 * early / len(clips), "%"),
        Row("settled words that the final has", 100 * kept / max(settled, 1), "%", detail=f"{settled} words"),
    ]


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="Measure `earsight listen`.")
    parser.add_argument("--model", default="en", help="model folder or installed model (default: en)")
    parser.add_argument("--split", choices=("train", "dev", "test"), default="test", help="of GRID (default: test)")
    parser.add_argument("--clips", type=int, default=30, help="at most (default: 30)")
    parser.add_argument("--every", type=int, default=5, help="take each Nth clip (default: 5)")
    parser.add_argument("--pause", type=float, default=1.5, help="seconds between clips (default: 1.5)")
    parser.add_argument("--paced", action="store_true", help="pipe the clips to a process in real time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON too")
    args = parser.parse_args()
    if not GRID.is_dir():
        print(f"error: needs the recordings in {GRID}", file=sys.stderr)
        return 1
    rows = measure(args)
    print(as_table(rows))
    if args.json:
        write_whole(args.json, as_json(rows, args.model))
    return 0


if __name__ == "__main__":
    sys.exit(main())
