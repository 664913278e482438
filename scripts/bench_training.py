"""How well training uses the machine: the loader, two processes, SpeechBrain's models beside this one, and a GPU.

    python scripts/bench_training.py [--rows ROW...] [--steps N] [--json FILE]

The rows, each measured in one run; all but gpu on two cores, on data that the recipes prepare in data/:
- loader: steps a second fed by the loader, beside the same steps on the same batches held in memory, in turns; for
  configs/an4.yaml (stored frames) and configs/grid.yaml (sound). One thread trains, one worker reads. The batches in
  memory are met a second time, and oneDNN keeps what it compiled for their shapes, which in a training seldom come
  back; ONEDNN_PRIMITIVE_CACHE_CAPACITY=0 takes that advantage from them.
- processes: `earsight train fit` in two processes (ddp, gloo) of one thread each, beside one process of one thread, by
  the hours of speech an hour that they log; AN4's recipe, the same batches.
- speechbrain: AN4's recipe model (convolutions over time, three BiLSTM layers, CTC) and SpeechBrain's CRDNN as its CTC
  recipes have it (two blocks of two-dimensional convolutions, three BiLSTM layers, a linear block, CTC), with as many
  parameters and the same stride: steps of each, in turns, on the same batches of frames, with the same optimiser and
  thread; no augmentation and no second loss. Beside these, SpeechBrain's LSTM block in this project's shape, under two
  of its convolutions: it has no layer normalisation, and reads a clip's padding first in its backward direction.
  SpeechBrain is not among this project's requirements: `pip install --no-deps speechbrain hyperpyyaml joblib
  ruamel.yaml`.
- gpu: hours of speech an hour under Lightning of a bidirectional LSTM of 5 x 512 with CTC, in float32 and bf16, from
  frames (noise) that workers read from the disk; and the share of the time in which a kernel runs, while the profiler
  looks on. Needs CUDA.
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
from itertools import islice, pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from bench_speech import CORES, REPOSITORY, Row, as_json, as_table

from earsight.common.errors import EarsightError, require
from earsight.common.files import write_whole

if TYPE_CHECKING:
    import torch

    from earsight.common.data.datamodule import Batch, SequenceData
    from earsight.common.nn.module import SequenceModel

AN4, GRID = "configs/an4.yaml", "configs/grid.yaml"
TURNS = 3
WORKERS, BATCH = 4, 1600.0  # of the GPU; seconds
CLIPS, FEATURES, FRAMES = 1000, 80, (300, 2001)  # of noise
PROFILED = 20  # steps
CHANNELS = (64, 128)  # of CRDNN's two blocks of convolutions; its LSTMs are made as wide as parameters allow


class Bench:
    """The rows' functions."""

    def __init__(self, args: argparse.Namespace):
        self.args = args

    def loader(self) -> list[Row]:
        """The loader beside batches in memory."""
        rows = []
        for recipe in (AN4, GRID):
            model, data = opened(recipe, "--data.curriculum", "0")
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
        """SpeechBrain's models beside this project's."""
        require("torch", "train")
        model, data = opened(AN4, "--data.auxiliary_labels", "null", "--data.curriculum", "0")
        model.spectrum = None
        batches = list(islice(data.train_dataloader(), self.args.steps))
        hours = sum(batch.seconds for batch in batches) / 3600
        size = parameters(model)
        try:
            rivals = {"CRDNN": crdnn(model, size), "LSTM in our shape": plain_lstm(model)}
        except ImportError as error:
            raise EarsightError(f"SpeechBrain cannot be imported ({error}); pip install --no-deps speechbrain "
                                "hyperpyyaml joblib ruamel.yaml") from error
        ways = {"earsight": stepper(model), **{name: speechbrain_step(model, rivals[name]) for name in rivals}}
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(TURNS):
            for name, step in ways.items():
                step(batches[0])
                began = perf_counter()
                for batch in batches:
                    step(batch)
                seconds[name].append(perf_counter() - began)
        speeds = {name: hours / (min(seconds[name]) / 3600) for name in ways}
        return [Row("hours of speech an hour, AN4's recipe model", speeds["earsight"], "hours/h",
                    detail=f"{size / 1e6:.2f} M parameters, one thread, float32"),
                *(Row(f"against SpeechBrain's {name}", speeds["earsight"] / speeds[name], "x",
                      detail=f"{speeds[name]:.0f} hours/h; {parameters(layers) / 1e6:.2f} M parameters")
                  for name, layers in rivals.items())]

    def gpu(self) -> list[Row]:
        """A large model on a GPU."""
        import torch

        if not torch.cuda.is_available():
            raise EarsightError("there is no CUDA device")
        rows = []
        with tempfile.TemporaryDirectory() as folder:
            model, data = noise_job(Path(folder))
            hours = sum(cut.duration for cut in data.cuts("train")) / 3600
            for precision in ("32-true", "bf16-mixed"):
                seconds = epoch_seconds(model, data, precision, 1 + TURNS)[1:]  # the first warms up
                rows.append(Row(f"5 x 512 BiLSTM with CTC, {precision}", hours / (min(seconds) / 3600), "hours/h",
                                detail=f"a kernel runs {busy_share(model, data, precision):.0%} of the time; "
                                       f"{torch.cuda.get_device_name()}, {BATCH:.0f} s a batch, {WORKERS} workers"))
        return rows

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


def opened(recipe: str, *arguments: str) -> tuple[SequenceModel, SequenceData]:
    """A recipe's model in training, and its data."""
    from earsight.common.training.running import open_recipe

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


def parameters(layers: torch.nn.Module) -> int:
    return sum(p.numel() for p in layers.parameters())


def crdnn(model: SequenceModel, size: int) -> torch.nn.ModuleList:
    """SpeechBrain's CRDNN and an output layer, of at most `size` parameters."""
    import torch
    from speechbrain.lobes.models.CRDNN import CRDNN
    from speechbrain.nnet.RNN import LSTM

    def build(neurons: int) -> torch.nn.ModuleList:
        body = CRDNN(input_size=model.normaliser.n_features, cnn_blocks=2, cnn_channels=list(CHANNELS),
                     time_pooling=True, time_pooling_size=model.encoder.stride, rnn_class=LSTM, rnn_layers=3,
                     rnn_neurons=neurons, dnn_blocks=1, dnn_neurons=neurons)
        return torch.nn.ModuleList([body, torch.nn.Linear(neurons, len(model.labels))])

    neurons = 16
    while parameters(build(neurons + 8)) <= size:
        neurons += 8
    return build(neurons)


def plain_lstm(model: SequenceModel) -> torch.nn.ModuleList:
    """SpeechBrain's convolutions and LSTM, as many and as wide as the model's, and an output layer."""
    import torch
    from speechbrain.nnet.CNN import Conv1d
    from speechbrain.nnet.containers import Sequential
    from speechbrain.nnet.RNN import LSTM

    shape = model.settings["encoder"]
    body = Sequential(input_shape=[None, None, model.normaliser.n_features])
    for stride in (1, shape["stride"]):
        body.append(Conv1d, out_channels=shape["channels"], kernel_size=5, stride=stride)
        body.append(torch.nn.ReLU())
    body.append(torch.nn.Dropout(shape["dropout"]))
    body.append(LSTM, hidden_size=shape["hidden"], num_layers=shape["layers"], bidirectional=True,
                dropout=shape["dropout"])
    return torch.nn.ModuleList([body, torch.nn.Linear(2 * shape["hidden"], len(model.labels))])


def speechbrain_step(model: SequenceModel, layers: torch.nn.ModuleList) -> Callable[[Batch], None]:
    """A training step of SpeechBrain's layers on frames that are normalised as the model's are."""
    import torch
    from speechbrain.nnet.losses import ctc_loss

    def loss(batch: Batch) -> torch.Tensor:
        shares = batch.frame_lengths / batch.frames.shape[1]  # SpeechBrain has lengths as shares of the longest
        frames = model.normaliser(batch.frames, batch.frame_lengths)
        log_probs = layers[1](layers[0](frames)).log_softmax(dim=-1)
        longest = int(batch.target_lengths.max())
        targets = torch.zeros(len(batch.ids), longest, dtype=torch.int64)
        for row, each in zip(targets, batch.targets.split(batch.target_lengths.tolist())):
            row[:len(each)] = each
        return ctc_loss(log_probs, targets, shares, batch.target_lengths / longest, blank_index=0)

    return partial(take_step, layers.train(), torch.optim.AdamW(layers.parameters(), lr=1e-4), loss)


def noise_job(folder: Path) -> tuple[SequenceModel, SequenceData]:
    """The GPU's model, and a corpus of frames of noise with random texts."""
    import numpy as np
    from lhotse import CutSet

    from earsight.common.data.cuts import frames_cut
    from earsight.common.data.datamodule import SequenceData
    from earsight.common.nn.encoder import EncoderSettings
    from earsight.common.nn.module import SequenceModel

    rng, cuts = np.random.default_rng(0), []
    for i in range(CLIPS):
        path, frames = folder / f"{i}.npy", rng.standard_normal((rng.integers(*FRAMES), FEATURES), np.float32)
        np.save(path, frames)
        text = "".join(rng.choice(list("abcdefgh"), len(frames) // 10))
        cuts.append(frames_cut(str(i), path, shape=frames.shape, text=text))
    manifest = folder / "train.jsonl.gz"
    CutSet.from_cuts(cuts).to_file(manifest)
    data = SequenceData(str(manifest), str(manifest), batch_duration=BATCH, workers=WORKERS)
    encoder = EncoderSettings(hidden=512, layers=5, channels=512)
    return SequenceModel(data.labels.to_dict(), n_features=FEATURES, encoder=encoder), data


def epoch_seconds(model: SequenceModel, data: SequenceData, precision: str, epochs: int, **options) -> list[float]:
    """How long each epoch on the GPU takes, its loader's start included."""
    import pytorch_lightning as pl
    import torch

    ends = []

    class Clock(pl.Callback):
        def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
            ends.append(perf_counter())

        def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
            torch.cuda.synchronize()
            ends.append(perf_counter())

    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    trainer = pl.Trainer(accelerator="gpu", devices=1, precision=precision, max_epochs=epochs, limit_val_batches=0,
                         gradient_clip_val=1.0, callbacks=[Clock()], **quiet, **options)
    trainer.fit(model, data)
    return [end - begin for begin, end in pairwise(ends)]


def busy_share(model: SequenceModel, data: SequenceData, precision: str) -> float:
    """Share of the time of some steps in which at least one kernel runs; the first steps do not count."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        epoch_seconds(model, data, precision, 1, limit_train_batches=PROFILED)
    kernels = sorted((event.time_range.start, event.time_range.end) for event in profiled.events()
                     if event.device_type == torch.autograd.DeviceType.CUDA)
    kernels = kernels[len(kernels) // 4:]
    busy, reached = 0.0, kernels[0][0]
    for start, end in kernels:  # several may run at once
        busy += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return busy / (reached - kernels[0][0])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the rows that were asked for; 0 even if some of them are left out."""
    names = ("loader", "processes", "speechbrain", "gpu")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", choices=names, default=names, metavar="ROW",
                        help=f"only these of {', '.join(names)}")
    parser.add_argument("--steps", type=int, default=40, help="timed steps a turn (default: 40)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON too")
    args = parser.parse_args(arguments)
    os.chdir(REPOSITORY)  # the recipes name their data from there
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    rows: list[Row] = []
    for name in (name for name in names if name in args.rows):
        print(f"{name} ...", file=sys.stderr, flush=True)
        if cores:
            os.sched_setaffinity(0, cores if name == "gpu" else cores[:CORES])
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
