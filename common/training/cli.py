"""LightningCLI over this project's models and data, with the callbacks a run needs."""

import atexit
import signal
import sys
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint, ProgressBar
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger

from ..checkpoint import read_checkpoint
from ..errors import EarsightError
from ..files import write_whole
from ..labels import Labels
from ..metrics import validation_metric
from ..threads import divide_threads
from .callbacks import AveragedWeights, FiniteGradients, GateStatistics, SampleOutputs, Throughput, callbacks_of
from .curves import draw_curves, earlier_rows
from .folder_weights import starting_weights
from .process import is_first_process
from .progress import show_progress
from .resume import Resume, RunLock, WholeCheckpoints, check_same_model, find_checkpoint
from .stopping import StopTogether
from .weights import average_checkpoints, start_from

METRICS = "logs/metrics.csv"


class TrainingCLI(LightningCLI):
    """Links the data's labels to the model, keeps checkpoints in `--run`, and ends with one `model.ckpt`."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--run", type=str, default="runs/latest",
                            help="folder of the run: checkpoints, logs and the resolved configuration")
        parser.add_argument("--threads", type=int | None, default=None, help="CPU threads of the training process")
        parser.add_argument("--average", type=int, default=5,
                            help="how many of the best checkpoints are averaged at the end (1: none)")
        parser.add_argument("--ema", type=float | None, default=None,
                            help="validate and keep a moving average of the weights, which keeps this of itself in a "
                            "step: 0.999, say")
        parser.add_argument("--patience", type=int | None, default=None,
                            help="stop after so many validations without a better score")
        parser.add_argument("--init", type=str | None, default=None,
                            help="checkpoint, model folder or installed model whose weights the training starts from, "
                            "as far as they fit")
        parser.add_argument("--resume", type=str, default="none",
                            help="auto: go on where the run in --run stopped, or begin; none: begin")
        parser.add_argument("--save_every", type=int, default=500,
                            help="batches after which the run's place is saved for --resume, beside each epoch's end")
        parser.add_argument("--bad_batches", type=int, default=20,
                            help="how many batches with a loss or gradient that is not finite end the run")
        for name in ("labels", "auxiliary_labels"):
            parser.link_arguments(f"data.{name}", f"model.init_args.{name}", compute_fn=_plain, apply_on="instantiate")
        # Passed over where the model has no such argument.
        parser.link_arguments("data.layout", "model.init_args.layout", apply_on="instantiate")

    def before_instantiate_classes(self) -> None:
        self.settings = self.config[str(self.subcommand)]
        devices = self.settings.trainer.devices
        if self.settings.threads is not None and not 0 <= self.settings.threads < 2**15:
            raise EarsightError(f"--threads {self.settings.threads}: give a whole number from 1, or 0 for a share of "
                                "the machine's")
        if threads := self.settings.threads or divide_threads(devices if isinstance(devices, int) else 1):
            torch.set_num_threads(threads)
        if self.subcommand == "fit":
            self._take_folder()

    def _take_folder(self) -> None:
        """Keep other jobs out of the run's folder, and find where the run stopped."""
        folder = Path(self.settings.run)
        if self.settings.resume not in ("auto", "none"):
            raise EarsightError(f"--resume {self.settings.resume}: choose auto or none")
        if is_first_process():
            self.lock = RunLock(folder)
        if self.settings.resume == "auto":
            path, errors = find_checkpoint(folder)
            for error in errors:
                assert path is not None  # else it would have been an error
                print(f"warning: {error}; {path.name} is used", file=sys.stderr)
            self.settings.ckpt_path = str(path) if path else None
        elif is_first_process() and (folder / "model.ckpt").exists():
            print(f"warning: {folder} holds a finished run, which this one writes over; to keep it, choose another "
                  "--run", file=sys.stderr)
        self.settings.weights_only = True

    def instantiate_trainer(self, **options) -> pl.Trainer:
        folder = Path(self.settings.run)
        monitor, mode = validation_metric(self.datamodule.labels.kind)
        self.checkpoints = ModelCheckpoint(
            folder, filename="{epoch:03d}-{" + monitor + ":.4f}", monitor=monitor, mode=mode,
            auto_insert_metric_name=False, save_top_k=self.settings.average, enable_version_counter=False)
        # Not the callback's own `save_last`, which leaves out the epochs that are not among the best.
        last = ModelCheckpoint(folder, filename="last", enable_version_counter=False)
        settings = self._get(self.config_init, "trainer", default={})
        given = settings.get("logger") or []
        table = CSVLogger(folder, name="", version="logs")
        # Lightning begins the table of a run that goes on anew; its first process writes it.
        if self.subcommand == "fit" and self.settings.ckpt_path and is_first_process():
            rows = earlier_rows(folder / METRICS, read_checkpoint(self.settings.ckpt_path)["global_step"])
            table.experiment.metrics += rows
        loggers = [TensorBoardLogger(folder, name="", version="logs"), table,
                   *(given if isinstance(given, list) else [given])]
        trainer = super().instantiate_trainer(**options, plugins=[WholeCheckpoints()], logger=loggers)
        if not any(isinstance(callback, ProgressBar) for callback in settings.get("callbacks") or []):
            show_progress(trainer)
        kill = getattr(trainer.strategy.launcher, "kill", None)
        if kill:  # a first process that fails must not leave others waiting for it
            atexit.register(kill, signal.SIGKILL)
        callbacks = callbacks_of(trainer)
        callbacks += [StopTogether(), LearningRateMonitor("step"), SampleOutputs(), GateStatistics(),
                      FiniteGradients(self.settings.bad_batches)]
        if self.settings.ema is not None and self.subcommand == "fit":
            callbacks.append(AveragedWeights(self.settings.ema))  # before Resume, which saves the average
        callbacks += [Resume(folder, self.settings.save_every), Throughput()]
        if self.settings.patience:
            callbacks.append(EarlyStopping(monitor, patience=self.settings.patience, mode=mode))
        # At the end, as Lightning wants its checkpoints; `last` knows of the best.
        callbacks += [self.checkpoints, last]
        return trainer

    def before_fit(self) -> None:
        if self.settings.init and not self.settings.ckpt_path:
            taken, left = start_from(self.model, starting_weights(self.settings.init))
            print(f"{self.settings.init}: {taken} weights taken, {left} left as they were")
        if self.settings.ckpt_path:
            check_same_model(self.model, Path(self.settings.ckpt_path))
            print(f"{self.settings.ckpt_path}: the run goes on from there")

    def after_fit(self) -> None:
        """Draw the curves; average the best checkpoints, and keep the better of average and best as `model.ckpt`.

        The last weights where nothing was validated, as where `--trainer.max_steps` ends a run within its first epoch.
        """
        first, run = self.trainer.is_global_zero, Path(self.settings.run)
        if first:
            draw_curves(run / METRICS, run / "curves.png")
        best, monitor = self.checkpoints.best_model_score, self.checkpoints.monitor
        if best is None or monitor is None:
            if not self.settings.trainer.fast_dev_run:
                self.trainer.save_checkpoint(run / "model.ckpt")
                if first:
                    print(f"{run}/model.ckpt: the last weights, as nothing was validated")
            return
        chosen, score = Path(self.checkpoints.best_model_path), float(best)
        if len(self.checkpoints.best_k_models) > 1:
            averaged = run / "averaged.ckpt"
            if first:
                average_checkpoints(list(self.checkpoints.best_k_models), str(chosen), averaged)
            self.trainer.strategy.barrier("averaged")
            metrics = self.trainer.validate(self.model, self.datamodule, ckpt_path=str(averaged), weights_only=True,
                                            verbose=False)[0]
            value = metrics[monitor]
            if (value <= score) if self.checkpoints.mode == "min" else (value >= score):
                chosen, score = averaged, value
        if first:
            write_whole(run / "model.ckpt", chosen.read_bytes())
            print(f"{run}/model.ckpt: {chosen.name}, {self.checkpoints.monitor} {score:.4f}")


class RecipeCLI(TrainingCLI):
    """A recipe's model and data, with a trainer that only takes steps: it validates, logs and saves nothing."""

    def before_instantiate_classes(self) -> None:
        self.settings = self.config
        if self.settings.threads:
            torch.set_num_threads(self.settings.threads)

    def instantiate_trainer(self, **options) -> pl.Trainer:
        quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
        return LightningCLI.instantiate_trainer(self, **quiet, limit_val_batches=0, callbacks=[], **options)


def _plain(labels: Labels | None) -> dict | None:
    return labels.to_dict() if labels else None
