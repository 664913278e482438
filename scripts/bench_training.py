"""How fast Earsight trains, and whether the device waits: times, ratios, and whether they meet the aims.

    python scripts/bench_training.py [--rows ROW...] [--steps N] [--rounds N] [--json FILE]

The rows:
- loader: training with the loader (one worker) beside the same model fed the very same batches from memory, with
  configs/an4.yaml (stored frames) and configs/grid.yaml (films' sound tracks). A round is an epoch of about `--steps`
  batches with the loader, its workers' start included, and then one of what it gave; the figure is the ratio of the
  times of all rounds.
- processes: `earsight train` with configs/an4.yaml in two processes (gloo) beside one, a thread each, the same global
  batches; hours of speech an hour as `logs/metrics.csv` has them, without the first `log_every_n_steps` batches.
- speechbrain: hours of speech an hour of configs/an4.yaml's model beside two models of SpeechBrain with as many
  parameters, in turns on the same batches from memory: MFCC frames padded to the longest clip. They are (1) its LSTM
  block under two of its convolutions, the shape of ours, and (2) the CRDNN of its recipe TIMIT/ASR/CTC with LSTM cells
  and a time stride of 2, as wide as the parameters allow. Both learn with `sb.Brain`, its own normalisation, its
  ctc_loss, and its recipe's Adadelta. SpeechBrain does not pack: its backward direction reads a clip's padding first.
  Ours does more in a step: SpecAugment and warping, an auxiliary CTC loss, Lightning's loop.
- gpu: hours of speech an hour of a bidirectional LSTM of 5 x 512 with CTC in bf16 and in fp32, from frames on the disk,
  and the share of the time in which a kernel runs. Needs CUDA; the other rows are the CPU's.

One thread trains. Needs the extra train; the manifests that the recipes name (those of configs/an4.yaml but the spliced
sentences; see `earsight prepare`); and for speechbrain: pip install speechbrain, or `--speechbrain DIR` where
`pip install --no-deps --target DIR speechbrain hyperpyyaml ruamel.yaml` put it. A row that lacks something says so.
"""

from __future__ import annotations

import argparse
import csv
import logging
import os
import random
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench_speech import REPOSITORY, Row, as_json, as_table

from common.errors import EarsightError, require
from common.files import write_whole

if TYPE_CHECKING:
    import speechbrain
    import torch
    from torch.utils.data import DataLoader

    from common.data import Batch, SequenceData
    from common.module import SequenceModel

RECIPES = {"AN4's frames": ("configs/an4.yaml", "data/an4/train.jsonl.gz"),
           "GRID's sound": ("configs/grid.yaml", "data/grid/train.jsonl.gz")}
GPU_CLIPS, GPU_FEATURES, GPU_FRAMES = 1000, 80, (100, 2301)  # of noise, 1 to 23 s
PROFILED = 30  # steps


class Bench:
    """The rows' functions."""

    def __init__(self, args: argparse.Namespace):
        self.args = args

    def loader(self) -> list[Row]:
        """Steps a second with the loader, of those with cached batches."""
        rows = []
        for name, (recipe, manifest) in RECIPES.items():
            with tempfile.TemporaryDirectory() as folder:
                data, model = assemble(recipe, manifest, self.args.steps, Path(folder))
                loaded = cached = 0.0
                for turn in range(self.args.rounds):
                    seconds, batches = train(model, data, partial(epoch, data, turn))
                    loaded += seconds
                    cached += train(model, data, lambda: batches)[0]
            rows.append(Row(f"steps with the loader, of those without: {name}", 100 * cached / loaded, "%", 95,
                            detail=f"{self.args.rounds} rounds of {len(batches)} steps, {loaded:.1f} and "
                                   f"{cached:.1f} s"))
        return rows

    def processes(self) -> list[Row]:
        """Two processes beside one, as their own logs have it."""
        recipe, manifest = RECIPES["AN4's frames"]
        speeds = {1: 0.0, 2: 0.0}
        for _ in range(self.args.rounds):
            for devices in speeds:
                speeds[devices] += logged_speed(recipe, manifest, devices, self.args.steps) / self.args.rounds
        return [Row("two processes beside one", speeds[2] / speeds[1], "x",
                    detail=f"{speeds[2]:.0f} and {speeds[1]:.0f} h/h, {self.args.rounds} rounds of "
                           f"{self.args.steps} steps")]

    def speechbrain(self) -> list[Row]:
        """Hours of speech an hour, ours and SpeechBrain's."""
        try:
            import speechbrain  # noqa: F401
        except ImportError as error:
            raise EarsightError(f"{error}: pip install speechbrain, or give --speechbrain DIR") from error
        with tempfile.TemporaryDirectory() as folder:
            data, model = assemble(*RECIPES["AN4's frames"], self.args.steps, Path(folder))
            batches = list(epoch(data, 0))
            count = sum(p.numel() for p in model.parameters())
            rivals = {"its LSTM in our shape": lstm_of_speechbrain(model),
                      "its recipe's CRDNN": crdnn_of_speechbrain(model, count)}
            brains = {name: brain_of(rival) for name, rival in rivals.items()}
            seconds = dict.fromkeys(["ours", *brains], 0.0)
            for turn in range(self.args.rounds + 1):
                for name in seconds:
                    passed = (train(model, data, lambda: batches)[0] if name == "ours" else
                              train_brain(brains[name], batches))
                    seconds[name] += passed * (turn > 0)  # the first sets up memory and kernels
        hours = self.args.rounds * sum(batch.seconds for batch in batches)
        sizes = {"ours": count, **{name: sum(p.numel() for p in brain.modules.parameters())
                                   for name, brain in brains.items()}}
        rows = [Row("training of AN4's recipe", hours / seconds["ours"], "hours/h",
                    detail=f"{len(batches)} batches, {self.args.rounds} rounds, {count:,} parameters")]
        return rows + [Row(f"beside SpeechBrain: {name}", seconds[name] / seconds["ours"], "x",
                           detail=f"{hours / seconds[name]:.0f} hours/h, {sizes[name]:,} parameters")
                       for name in brains]

    def gpu(self) -> list[Row]:
        """A large model on a GPU, from noise on the disk."""
        import torch

        if not torch.cuda.is_available():
            raise EarsightError("there is no CUDA device")
        rows = []
        with tempfile.TemporaryDirectory() as folder:
            data, model = noise_job(Path(folder))
            hours = sum(cut.duration for cut in data.cuts("train"))
            for precision in ("32-true", "bf16-mixed"):
                passed = []
                for turn in range(self.args.rounds + 1):
                    passed.append(train(model, data, partial(epoch, data, turn), accelerator="gpu",
                                        precision=precision)[0])
                busy = gpu_busy(model, data, precision)
                rows.append(Row(f"5 x 512 BiLSTM-CTC, {precision}", hours * self.args.rounds / sum(passed[1:]),
                                "hours/h", detail=f"GPU busy {busy:.0%} of the time; {torch.cuda.get_device_name()}, "
                                                  f"{data.batch_duration:g} s a batch, {data.workers} workers"))
        return rows


def assemble(recipe: str, manifest: str, steps: int, folder: Path) -> tuple[SequenceData, SequenceModel]:
    """A recipe's data and model, with so many of a manifest's clips that an epoch has about `steps` batches."""
    import yaml
    from jsonargparse import ArgumentParser
    from lhotse import CutSet

    from common.data import SequenceData
    from common.module import SequenceModel

    settings = yaml.safe_load((REPOSITORY / recipe).read_text())
    given = settings["data"]["init_args"]
    if not (REPOSITORY / manifest).is_file():
        raise EarsightError(f"{manifest} does not exist; {recipe} tells how to prepare it")
    kept, seconds = [], 0.0
    for cut in CutSet.from_file(REPOSITORY / manifest).shuffle(rng=random.Random(1)):
        kept.append(cut)
        seconds += cut.duration
        if seconds > steps * given["batch_duration"]:
            break
    CutSet.from_cuts(kept).to_file(folder / "train.jsonl.gz")
    given |= {"train": str(folder / "train.jsonl.gz"), "lexicon": str(REPOSITORY / given["lexicon"]), "curriculum": 0}
    given["validation"] = given["train"]

    parser = ArgumentParser()
    parser.add_subclass_arguments(SequenceData, "data")
    data = parser.instantiate(parser.parse_object({"data": settings["data"]})).data
    settings["model"]["init_args"] |= {"labels": data.labels.to_dict(),
                                       "auxiliary_labels": data.auxiliary_labels.to_dict()}
    parser = ArgumentParser()
    parser.add_subclass_arguments(SequenceModel, "model")
    return data, parser.instantiate(parser.parse_object({"model": settings["model"]})).model


def epoch(data: SequenceData, turn: int) -> DataLoader:
    """The loader of an epoch."""
    loader = type(data).train_dataloader(data)
    loader.sampler.set_epoch(turn)
    return loader


def train(model: SequenceModel, data: SequenceData, give: Callable[[], Iterable[Batch]],
          **options) -> tuple[float, list[Batch]]:
    """Seconds of an epoch of the batches that `give` gives under Lightning, and the batches.

    The clock runs from when they are asked for to when the last step is done.
    """
    import pytorch_lightning as pl
    import torch

    from common.callbacks import FiniteGradients

    kept: list[Batch] = []
    clock: list[float] = []

    def fed() -> Iterator[Batch]:
        clock.append(time.perf_counter())
        for batch in give():
            kept.append(batch)
            yield batch

    class Fed:
        def __iter__(self) -> Iterator[Batch]:
            return fed()

    class Clock(pl.Callback):
        def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            clock.append(time.perf_counter())

    data.train_dataloader = Fed
    settings = {"accelerator": "cpu", "max_epochs": 1, "limit_val_batches": 0, "gradient_clip_val": 1.0,
                "logger": False, "enable_checkpointing": False, "enable_progress_bar": False,
                "enable_model_summary": False, **options}
    trainer = pl.Trainer(callbacks=[FiniteGradients(0), Clock()], **settings)
    trainer.fit(model, datamodule=data)
    del data.train_dataloader
    data.trainer = None
    return clock[1] - clock[0], kept


def logged_speed(recipe: str, manifest: str, devices: int, steps: int) -> float:
    """Hours of speech an hour that `earsight train` writes down itself, in the mean of its later windows."""
    window = max(1, steps // 5)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "earsight", "train", "fit", "--config", recipe, "--run", folder, "--threads",
                   "1", "--data.train", manifest, "--data.validation", manifest, "--data.curriculum", "0",
                   "--trainer.max_steps", str(steps), "--trainer.limit_val_batches", "0", "--trainer.accelerator",
                   "cpu", "--trainer.log_every_n_steps", str(window), "--trainer.enable_progress_bar", "false"]
        if devices > 1:
            command += ["--trainer.devices", str(devices), "--trainer.strategy", "ddp"]
        job = subprocess.run(command, check=False, cwd=REPOSITORY, capture_output=True, text=True)
        if job.returncode:
            raise EarsightError(f"earsight train failed: {(job.stderr.splitlines() or ['no message'])[-1]}")
        with (Path(folder) / "logs" / "metrics.csv").open(newline="") as file:
            speeds = [float(row["hours_per_hour"]) for row in csv.DictReader(file) if row["hours_per_hour"]]
    return sum(speeds[1:]) / len(speeds[1:])


def lstm_of_speechbrain(ours: SequenceModel) -> torch.nn.ModuleDict:
    """Two convolutions, the second with our stride, LSTM layers as many and as wide as ours, and the output."""
    import torch
    from speechbrain.nnet.CNN import Conv1d
    from speechbrain.nnet.containers import Sequential
    from speechbrain.nnet.RNN import LSTM

    s = ours.settings["encoder"]
    model = Sequential(input_shape=[None, None, ours.normaliser.n_features])
    for stride in (1, s["stride"]):
        model.append(Conv1d, out_channels=s["channels"], kernel_size=5, stride=stride)
        model.append(torch.nn.ReLU())
    model.append(torch.nn.Dropout(s["dropout"]))
    model.append(LSTM, hidden_size=s["hidden"], num_layers=s["layers"], bidirectional=s["bidirectional"],
                 dropout=s["dropout"])
    return _with_output(model, ours, 2 * s["hidden"])


def crdnn_of_speechbrain(ours: SequenceModel, parameters: int) -> torch.nn.ModuleDict:
    """The CRDNN of recipes/TIMIT/ASR/CTC, its recurrent and dense layers as wide as `parameters` allow."""
    from speechbrain.lobes.models.CRDNN import CRDNN
    from speechbrain.nnet.RNN import LSTM

    def build(width: int) -> torch.nn.ModuleDict:
        model = CRDNN(input_shape=[None, None, ours.normaliser.n_features], dropout=0.15, cnn_blocks=2,
                      cnn_channels=[128, 256], cnn_kernelsize=[3, 3], time_pooling=True, rnn_class=LSTM, rnn_layers=4,
                      rnn_neurons=width, rnn_bidirectional=True, dnn_blocks=2, dnn_neurons=width)
        return _with_output(model, ours, width)

    width = 16
    while sum(p.numel() for p in build(width + 8).parameters()) <= parameters:
        width += 8
    return build(width)


def _with_output(model: torch.nn.Module, ours: SequenceModel, width: int) -> torch.nn.ModuleDict:
    import torch
    from speechbrain.nnet.linear import Linear

    return torch.nn.ModuleDict({"model": model, "output": Linear(len(ours.labels), input_size=width)})


def brain_of(modules: torch.nn.ModuleDict) -> speechbrain.Brain:
    """SpeechBrain's trainer around such a model, as its recipe sets it up."""
    import torch
    from speechbrain import Brain
    from speechbrain.nnet.losses import ctc_loss
    from speechbrain.processing.features import InputNormalization

    class CTCBrain(Brain):
        def compute_forward(self, batch: tuple, stage: object) -> torch.Tensor:
            frames, lengths, _, _ = batch
            hidden = self.modules.model(self.modules.normalise(frames, lengths))
            hidden = hidden[0] if isinstance(hidden, tuple) else hidden
            return self.modules.output(hidden).log_softmax(dim=-1)

        def compute_objectives(self, outputs: torch.Tensor, batch: tuple, stage: object) -> torch.Tensor:
            _, lengths, targets, target_lengths = batch
            return ctc_loss(outputs, targets, lengths, target_lengths, blank_index=0)

    return CTCBrain(
        {**modules, "normalise": InputNormalization(norm_type="sentence")},
        opt_class=lambda parameters: torch.optim.Adadelta(parameters, lr=1.0, rho=0.95, eps=1e-8),
        run_opts={"device": "cpu"})


def train_brain(brain: speechbrain.Brain, batches: list[Batch]) -> float:
    """Seconds of an epoch of the same batches; SpeechBrain takes lengths as shares of the longest."""
    from speechbrain import Stage
    from torch.nn.utils.rnn import pad_sequence
    from torch.utils.data import DataLoader

    given = []
    for batch in batches:
        targets = pad_sequence(batch.targets.split(batch.target_lengths.tolist()), batch_first=True)
        given.append((batch.frames, batch.frame_lengths / batch.frames.shape[1], targets,
                      batch.target_lengths / targets.shape[1]))
    loader = DataLoader(given, batch_size=None)
    brain.on_fit_start()
    brain.on_stage_start(Stage.TRAIN, 1)
    start = time.perf_counter()
    brain.fit(range(1), loader, progressbar=False)
    return time.perf_counter() - start


def noise_job(folder: Path) -> tuple[SequenceData, SequenceModel]:
    """A corpus of frames of noise with random texts, and the model that a GPU is measured with."""
    import numpy as np
    from lhotse import CutSet

    from common.cuts import frames_cut
    from common.data import SequenceData
    from common.encoder import EncoderSettings
    from common.module import SequenceModel

    rng = np.random.default_rng(0)
    cuts = []
    for i in range(GPU_CLIPS):
        frames = rng.standard_normal((rng.integers(*GPU_FRAMES), GPU_FEATURES), np.float32)
        np.save(folder / f"{i}.npy", frames)
        text = "".join(rng.choice(list("abcdefgh"), len(frames) // 10))
        cuts.append(frames_cut(str(i), folder / f"{i}.npy", shape=frames.shape, text=text))
    CutSet.from_cuts(cuts).to_file(folder / "train.jsonl.gz")
    manifest = str(folder / "train.jsonl.gz")
    data = SequenceData(manifest, manifest, batch_duration=800, workers=4)
    return data, SequenceModel(data.labels.to_dict(), n_features=GPU_FEATURES,
                               encoder=EncoderSettings(hidden=512, layers=5, channels=512))


def gpu_busy(model: SequenceModel, data: SequenceData, precision: str) -> float:
    """Share of the time of some steps, past the loader's start, in which at least one kernel runs."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        train(model, data, partial(epoch, data, 0), accelerator="gpu", precision=precision,
              limit_train_batches=PROFILED)
    kernels = sorted((event.time_range.start, event.time_range.end) for event in profiled.events()
                     if event.device_type == torch.autograd.DeviceType.CUDA)
    kernels = kernels[len(kernels) // 5:]
    busy, end = 0.0, kernels[0][0]
    for start, stop in kernels:  # several may run at once
        busy += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return busy / (end - kernels[0][0])


def main() -> int:
    """Measure the rows that were asked for; 0 even if some of them are left out."""
    names = ("loader", "processes", "speechbrain", "gpu")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", choices=names, default=names, metavar="ROW",
                        help=f"only these of {', '.join(names)}")
    parser.add_argument("--steps", type=int, default=60, help="batches of a round (default: 60)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of what is compared (default: 3)")
    parser.add_argument("--speechbrain", type=Path, metavar="DIR", help="where SpeechBrain is, if not beside torch")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON too")
    args = parser.parse_args()
    if args.speechbrain:
        sys.path.append(str(args.speechbrain.absolute()))
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that this one starts, too
    torch = require("torch", "train")
    require("pytorch_lightning", "train")
    from common.training import keep_freed_memory

    for name in ("pytorch_lightning", "speechbrain"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(1)
    keep_freed_memory()
    bench, rows = Bench(args), []
    for name in names:
        if name not in args.rows:
            continue
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            rows += getattr(bench, name)()
        except EarsightError as error:
            rows.append(Row(name, None, "", detail=f"left out: {error}"))
    print(as_table(rows))
    if args.json:
        write_whole(args.json, as_json(rows, RECIPES["AN4's frames"][0]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
