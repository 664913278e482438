"""How much memory training from shards takes: an epoch over many hours of noise, read from shards.

    python scripts/bench_shards.py --hours 100 --folder /tmp/bench-shards

The clips, 2 to 18 seconds each, are parts of one recording of noise under ids of their own; `earsight prepare shards`
writes each of them into the shards, so that all hours are stored and read. The folder keeps them for the next time.
"""

import argparse
import json
import random
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parent.parent
SAMPLE_RATE = 8000
MFCC = {"sample_rate": SAMPLE_RATE, "n_fft": 256, "window_length": 200, "hop_length": 80, "high_frequency": None}
RECORDING = 1800  # seconds
TEXTS = ("one two", "three", "four five six", "seven")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=100)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/bench-shards"))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--batch-duration", type=float, default=120, help="seconds (default: 120)")
    args = parser.parse_args()
    manifests = args.folder / "manifests"
    write_manifests(manifests, args.hours)
    started = time.time()
    subprocess.run([sys.executable, "-m", "earsight", "prepare", "shards", str(manifests), str(args.folder / "shards")],
                   check=True, cwd=REPOSITORY)
    print(f"prepare shards: {time.time() - started:.0f} s (hardly any if they were there)")
    started = time.time()
    peak, workers = (bytes / 2**20 for bytes in train(args.folder, args.workers, args.batch_duration))
    print(f"{args.hours:g} h, batches of {args.batch_duration:g} s, one epoch: {time.time() - started:.0f} s; peak "
          f"resident memory: main process {peak:.0f} MiB, each worker at most {workers:.0f} MiB")


def write_manifests(folder: Path, hours: float) -> None:
    from earsight.common.data.cuts import recording_cut
    from earsight.common.data.manifest import write_manifest

    folder.mkdir(parents=True, exist_ok=True)
    noise = folder / "noise.wav"
    if not noise.exists():
        samples = np.random.default_rng(1).normal(0, 100, RECORDING * SAMPLE_RATE)
        with wave.open(str(noise), "wb") as file:
            file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", "not compressed"))
            file.writeframes(samples.astype("<i2").tobytes())
    rng, cuts, seconds = random.Random(1), [], 0.0
    while seconds < hours * 3600:
        duration = round(rng.uniform(2, 18), 2)
        cuts.append(recording_cut(
            f"noise-{len(cuts):06}", noise, sample_rate=SAMPLE_RATE, num_samples=RECORDING * SAMPLE_RATE,
            start=round(rng.uniform(0, RECORDING - duration), 2), duration=duration, text=rng.choice(TEXTS)))
        seconds += duration
    write_manifest(cuts, folder / "train.jsonl.gz")
    write_manifest(cuts[:8], folder / "dev.jsonl.gz")


def train(folder: Path, workers: int, batch_duration: float) -> tuple[int, int]:
    """Train one epoch; the peak resident memory of the main process and of the largest worker, bytes."""
    command = [sys.executable, "-m", "earsight", "train", "fit", "--run", str(folder / "run"),
               "--data", "earsight.audio.data.SpeechData", "--data.train", str(folder / "shards/train"),
               "--data.validation", str(folder / "shards/dev"), "--data.sample_rate", str(SAMPLE_RATE),
               "--data.batch_duration", str(batch_duration), "--data.workers", str(workers),
               "--model", "earsight.audio.model.SpeechModel", "--model.mfcc_changes", json.dumps(MFCC),
               "--model.encoder.hidden", "16", "--model.encoder.layers", "1", "--model.encoder.channels", "16",
               "--model.encoder.stride", "3", "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu",
               "--trainer.enable_progress_bar", "false", "--threads", "1"]
    process = subprocess.Popen(command, cwd=REPOSITORY)
    peaks: dict[int, int] = {}
    while process.poll() is None:
        for pid in [process.pid, *children(process.pid)]:
            peaks[pid] = max(peaks.get(pid, 0), peak_memory(pid))
        time.sleep(0.2)
    if process.returncode:
        sys.exit(process.returncode)
    return peaks.pop(process.pid), max(peaks.values(), default=0)


def children(pid: int) -> list[int]:
    """The processes that `pid` has started itself."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:  # it has just ended
        return []


def peak_memory(pid: int) -> int:
    """The most memory that a process has held at a time, bytes, shared pages counted in full."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


if __name__ == "__main__":
    main()
