"""How well training uses the machine: the loader, two processes, and SpeechBrain's model beside this one.

    python scripts/bench_training.py [--rows ROW...] [--steps N] [--json FILE]

The rows, each measured on two cores in one run, on data that the recipes prepare in data/:
- loader: steps a second fed by the loader, beside the same steps on the same batches held in memory, in turns; for
  configs/an4.yaml (stored frames) and configs/grid.yaml (sound). One thread trains, one worker reads.
- processes: `earsight train fit` in two processes (ddp, gloo) of one thread each, beside one process of one thread, by
  the hours of speech an hour that they log; AN4's recipe, the same batches.
- speechbrain: AN4's recipe model (convolutions over time, three BiLSTM layers, CTC) and SpeechBrain's CRDNN as its CTC
  recipes have it (two blocks of two-dimensional convolutions, three BiLSTM layers, a linear block, CTC), with as many
  parameters and the same stride: steps of each, in turns, on the same batches of frames, with the same optimiser and
  thread; no augmentation and no second loss. SpeechBrain is not among this project's requirements:
  `pip install --no-deps speechbrain hyperpyyaml joblib ruamel.yaml`.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from bench_speech import CORES, REPOSITORY, Row, as_json, as_table

from common.errors import EarsightError, require
from common.files import write_whole

if TYPE_CHECKING:
    import torch

    from common.data import Batch
    from common.module import SequenceModel

AN4, GRID = "configs/an4.yaml", "configs/grid.yaml"
TURNS = 3
CHANNELS = (64, 128)  # of CRDNN's two blocks of convolutions; its LSTMs are made as wide as parameters allow


class Bench:
    """The rows' functions."""

    def __init__(self, args: argparse.Namespace):
        self.args = args

    def loader(self) -> list[Row]:
        """The loader beside batches in memory."""
        rows = []
        for recipe in (AN4, GRID):
            model, data = opened(recipe)
            step = stepper(model)
            fed, cached = [], []
            for _ in range(TURNS):
                batches = iter(data.train_dataloader())
                kept = [next(batches)]  # the worker has started
                step(kept[0])
                began = perf_counter()
                for batch in islice(batches, self.args.steps):
                    step(batch)
                    kept.append(batch)
                fed.append(perf_counter() - began)
                del batches
                began = perf_counter()
                for batch in kept[1:]:
                    step(batch)
                cached.append(perf_counter() - began)
            rows.append(Row(f"loader, {recipe}", sum(cached) / sum(fed), "of the speed from memory", 0.95,
                            detail=f"{1000 * sum(fed) / TURNS / self.args.steps:.0f} and "
                                   f"{1000 * sum(cached) / TURNS / self.args.steps:.0f} ms a step"))
        return rows

    def processes(self) -> list[Row]:
        """Two processes beside one."""
        one, two = (self._hours_per_hour(devices) for devices in (1, 2))
        return [Row("two processes against one", two / one, "x", detail=f"{two:.0f} and {one:.0f} hours an hour")]

    def speechbrain(self) -> list[Row]:
        """SpeechBrain's CRDNN beside this project's model."""
        require("torch", "train")
        model, data = opened(AN4, "--data.auxiliary_labels", "null")
        model.spectrum = None
        batches = list(islice(data.train_dataloader(), self.args.steps))
        hours = sum(batch.seconds for batch in batches) / 3600
        size = sum(p.numel() for p in model.parameters())
        theirs, others = crdnn(model, size)
        ways = {"earsight": stepper(model), "SpeechBrain": theirs}
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(TURNS):
            for name, step in ways.items():
                step(batches[0])
                began = perf_counter()
                for batch in batches:
                    step(batch)
                seconds[name].append(perf_counter() - began)
        ours, theirs = (hours / (min(seconds[name]) / 3600) for name in ways)
        return [Row("hours of speech an hour, AN4's recipe model", ours, "hours/h",
                    detail=f"{size / 1e6:.2f} M parameters, one thread, float32"),
                Row("against SpeechBrain's CRDNN", ours / theirs, "x",
                    detail=f"{theirs:.0f} hours/h; {others / 1e6:.2f} M parameters")]

    def _hours_per_hour(self, devices: int) -> float:
        with tempfile.TemporaryDirectory() as run:
            command = [sys.executable, "-m", "earsight", "train", "fit", "--config", AN4, "--run", run,
                       "--threads", "1", "--trainer.accelerator", "cpu", "--trainer.devices", str(devices),
                       "--trainer.strategy", "ddp" if devices > 1 else "auto",
                       "--trainer.max_steps", str(max(4 * self.args.steps, 40)),
                       "--trainer.limit_val_batches", "0", "--trainer.enable_progress_bar", "false"]
            done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True,
                                  env={**os.environ, "OMP_NUM_THREADS": "1"})
            table = Path(run) / "logs" / "metrics.csv"
            if done.returncode or not table.is_file():
                raise EarsightError(f"the training failed: {(done.stderr.strip() or '?').splitlines()[-1]}")
            with table.open(newline="") as file:
                speeds = [float(row["hours_per_hour"]) for row in csv.DictReader(file) if row.get("hours_per_hour")]
        return median(speeds[1:] or speeds)  # the first batches warm up


def opened(recipe: str, *arguments: str) -> tuple[SequenceModel, object]:
    """A recipe's model in training, and its data."""
    from common.training import open_recipe

    try:
        cli = open_recipe(["--config", recipe, "--threads", "1", *arguments])
    except EarsightError as error:
        raise EarsightError(f"{error} ({recipe}'s header tells how its data are prepared)") from error
    cli.datamodule.trainer = None
    return cli.model.train(), cli.datamodule


def stepper(model: SequenceModel) -> Callable[[Batch], None]:
    """One training step as `earsight train` takes it, without its logs."""
    import torch

    model.log = lambda *_, **__: None
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    return partial(take_step, model, optimizer, lambda batch: model.training_step(batch, 0))


def take_step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, loss: Callable[[Batch], torch.Tensor],
              batch: Batch) -> None:
    import torch

    optimizer.zero_grad(set_to_none=True)
    loss(batch).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def crdnn(model: SequenceModel, size: int) -> tuple[Callable[[Batch], None], int]:
    """A training step of SpeechBrain's model of at most `size` parameters, and how many it has.

    Raises:
        EarsightError: SpeechBrain is not installed.
    """
    import torch

    try:
        from speechbrain.lobes.models.CRDNN import CRDNN
        from speechbrain.nnet.losses import ctc_loss
        from speechbrain.nnet.RNN import LSTM
    except ImportError as error:
        raise EarsightError(f"SpeechBrain cannot be imported ({error}); pip install --no-deps speechbrain hyperpyyaml "
                            "joblib ruamel.yaml") from error

    features, labels, stride = model.normaliser.n_features, len(model.labels), model.encoder.stride

    def build(neurons: int) -> torch.nn.ModuleList:
        body = CRDNN(input_size=features, cnn_blocks=2, cnn_channels=list(CHANNELS), time_pooling=True,
                     time_pooling_size=stride, rnn_class=LSTM, rnn_layers=3, rnn_neurons=neurons, dnn_blocks=1,
                     dnn_neurons=neurons)
        return torch.nn.ModuleList([body, torch.nn.Linear(neurons, labels)])

    def count(neurons: int) -> int:
        return sum(p.numel() for p in build(neurons).parameters())

    neurons = 16
    while count(neurons + 8) <= size:
        neurons += 8
    layers = build(neurons).train()
    optimizer = torch.optim.AdamW(layers.parameters(), lr=1e-4)

    def loss(batch: Batch) -> torch.Tensor:
        shares = batch.frame_lengths / batch.frames.shape[1]  # SpeechBrain has lengths as shares of the longest
        frames = model.normaliser(batch.frames, batch.frame_lengths)
        log_probs = layers[1](layers[0](frames)).log_softmax(dim=-1)
        longest = int(batch.target_lengths.max())
        targets = torch.zeros(len(batch.ids), longest, dtype=torch.int64)
        for row, each in zip(targets, batch.targets.split(batch.target_lengths.tolist())):
            row[:len(each)] = each
        return ctc_loss(log_probs, targets, shares, batch.target_lengths / longest, blank_index=0)

    return partial(take_step, layers, optimizer, loss), count(neurons)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the rows that were asked for; 0 even if some of them are left out."""
    names = ("loader", "processes", "speechbrain")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", choices=names, default=names, metavar="ROW",
                        help=f"only these of {', '.join(names)}")
    parser.add_argument("--steps", type=int, default=40, help="timed steps a turn (default: 40)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON too")
    args = parser.parse_args(arguments)
    os.chdir(REPOSITORY)  # the recipes name their data from there
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    rows: list[Row] = []
    for name in (name for name in names if name in args.rows):
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            rows += getattr(Bench(args), name)()
        except EarsightError as error:
            rows.append(Row(name, None, "", detail=f"left out: {error}"))
    print(as_table(rows))
    if args.json:
        write_whole(args.json, as_json(rows, ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
