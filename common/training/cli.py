"""`earsight train`: LightningCLI over this project's models and data, with the callbacks a run needs."""

import argparse
import atexit
import ctypes
import difflib
import inspect
import io
import os
import re
import signal
import sys
import typing
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import is_dataclass
from pathlib import Path

import pytorch_lightning as pl
import torch
import yaml
from pytorch_lightning.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.utilities.exceptions import MisconfigurationException, SIGTERMException

from ..checkpoint import read_checkpoint
from ..data.datamodule import SequenceData
from ..errors import EarsightError, first_line
from ..files import whole_file, write_whole
from ..labels import Labels
from ..metrics import validation_metric
from ..nn.module import SequenceModel
from ..quiet import leave_out_noise
from ..recipes import read_yaml
from ..signals import set_signals_apart
from .callbacks import AveragedWeights, FiniteGradients, GateStatistics, SampleOutputs, Throughput
from .curves import draw_curves, earlier_rows
from .resume import Resume, RunLock, WholeCheckpoints, check_same_model, find_checkpoint

COMMANDS = ("fit", "validate", "test", "predict")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
METRICS = "logs/metrics.csv"
TRAINER_DEFAULTS = {"use_distributed_sampler": False, "gradient_clip_val": 1.0, "log_every_n_steps": 10}


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
                            help="checkpoint whose weights the training starts from, as far as they fit")
        parser.add_argument("--resume", type=str, default="none",
                            help="auto: go on where the run in --run stopped, or begin; none: begin")
        parser.add_argument("--save_every", type=int, default=500,
                            help="batches after which the run's place is saved for --resume, beside each epoch's end")
        parser.add_argument("--bad_batches", type=int, default=20,
                            help="how many batches with a loss or gradient that is not finite end the run")
        for name in ("labels", "auxiliary_labels"):
            parser.link_arguments(f"data.{name}", f"model.init_args.{name}", compute_fn=_plain, apply_on="instantiate")

    def before_instantiate_classes(self) -> None:
        self.settings = self.config[self.subcommand]
        if self.settings.threads:
            torch.set_num_threads(self.settings.threads)
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
        given = self._get(self.config_init, "trainer", default={}).get("logger") or []
        table = CSVLogger(folder, name="", version="logs")
        # Lightning begins the table of a run that goes on anew; its first process writes it.
        if self.subcommand == "fit" and self.settings.ckpt_path and is_first_process():
            rows = earlier_rows(folder / METRICS, read_checkpoint(self.settings.ckpt_path)["global_step"])
            table.experiment.metrics += rows
        loggers = [TensorBoardLogger(folder, name="", version="logs"), table,
                   *(given if isinstance(given, list) else [given])]
        trainer = super().instantiate_trainer(**options, plugins=[WholeCheckpoints()], logger=loggers)
        launcher = trainer.strategy.launcher
        if hasattr(launcher, "kill"):  # a first process that fails must not leave others waiting for it
            atexit.register(launcher.kill, signal.SIGKILL)
        trainer.callbacks += [LearningRateMonitor("step"), SampleOutputs(), GateStatistics(),
                              FiniteGradients(self.settings.bad_batches)]
        if self.settings.ema is not None and self.subcommand == "fit":
            trainer.callbacks.append(AveragedWeights(self.settings.ema))  # before Resume, which saves the average
        trainer.callbacks += [Resume(folder, self.settings.save_every), Throughput()]
        if self.settings.patience:
            trainer.callbacks.append(EarlyStopping(monitor, patience=self.settings.patience, mode=mode))
        # At the end, as Lightning wants its checkpoints; `last` knows of the best.
        trainer.callbacks += [self.checkpoints, last]
        return trainer

    def before_fit(self) -> None:
        if self.settings.init and not self.settings.ckpt_path:
            taken, left = start_from(self.model, read_checkpoint(self.settings.init))
            print(f"{self.settings.init}: {taken} weights taken, {left} left as they were")
        if self.settings.ckpt_path:
            check_same_model(self.model, Path(self.settings.ckpt_path))
            print(f"{self.settings.ckpt_path}: the run goes on from there")

    def after_fit(self) -> None:
        """Draw the curves; average the best checkpoints, and keep the better of average and best as `model.ckpt`."""
        first, run = self.trainer.is_global_zero, Path(self.settings.run)
        if first:
            draw_curves(run / METRICS, run / "curves.png")
        if not self.checkpoints.best_k_models:
            return
        chosen, score = Path(self.checkpoints.best_model_path), float(self.checkpoints.best_model_score)
        if len(self.checkpoints.best_k_models) > 1:
            averaged = run / "averaged.ckpt"
            if first:
                average_checkpoints(list(self.checkpoints.best_k_models), str(chosen), averaged)
            self.trainer.strategy.barrier("averaged")
            metrics = self.trainer.validate(self.model, self.datamodule, ckpt_path=str(averaged), weights_only=True,
                                            verbose=False)[0]
            value = metrics[self.checkpoints.monitor]
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


def run_training(arguments: list[str]) -> int:
    """Run `fit`, `validate` or `test` with LightningCLI's arguments; 0 if all went well.

    Raises:
        EarsightError: a setting that is unknown or wrong, or data that cannot be trained on.
    """
    strict = {"exit_on_error": False}
    with _set_up():
        _parse(TrainingCLI, arguments, save_config_kwargs={"overwrite": True},
               parser_kwargs={**strict, **{name: strict for name in COMMANDS}})
    return 0


def open_recipe(arguments: list[str]) -> RecipeCLI:
    """The model, data and trainer of `train fit`'s arguments, for a test before the training.

    Raises:
        EarsightError: as `run_training`.
    """
    with _set_up():
        return _parse(RecipeCLI, arguments, run=False, save_config_callback=None,
                      parser_kwargs={"exit_on_error": False})


def resolve(arguments: list[str]) -> dict:
    """The settings that `train fit` would run with; nothing is opened.

    Raises:
        EarsightError: a setting that is unknown or wrong.
    """
    text = io.StringIO()
    with redirect_stdout(text), suppress(SystemExit):
        run_training(["fit", *arguments, "--print_config"])
    return yaml.safe_load(text.getvalue())


def _parse(cli: type[TrainingCLI], arguments: list[str], **options) -> TrainingCLI:
    _check_recipes(arguments)
    return cli(SequenceModel, SequenceData, subclass_mode_model=True, subclass_mode_data=True,
               trainer_defaults=TRAINER_DEFAULTS, seed_everything_default=1, load_from_checkpoint_support=False,
               args=arguments, **options)


def _check_recipes(arguments: list[str]) -> None:
    """Raise EarsightError for a recipe without settings: the parser would not name the file."""
    for place, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        recipe = value if equals else "".join(arguments[place + 1:place + 2])
        if flag == "--config" and Path(recipe).is_file():
            read_yaml(recipe)


@contextmanager
def _set_up() -> Iterator[None]:
    """Set the process up; what Lightning, its parser and its processes raise becomes errors of one line."""
    keep_freed_memory()
    set_signals_apart()
    leave_out_noise()
    try:
        yield
    except SIGTERMException as error:
        raise EarsightError("stopped by SIGTERM; `--resume auto` goes on from what was saved") from error
    except MisconfigurationException as error:  # devices or strategies that are not there
        raise EarsightError(" ".join(str(error).split())) from error
    except EarsightError as error:
        if str(error).startswith("Caught "):  # by a loader's worker, and torch puts its whole traceback before it
            raise EarsightError(str(error).rpartition("EarsightError: ")[2].strip()) from error
        raise
    except RuntimeError as error:  # what gloo and NCCL raise is of no class of its own
        if "DataLoader worker" in str(error) and re.search("killed by signal|exited unexpectedly", str(error)):
            raise EarsightError(f"a process that reads clips was killed ({first_line(error)}): from outside, or for "
                                "want of memory; fewer --data.workers or a smaller --data.batch_duration take less, "
                                "and --resume auto goes on from what was saved") from error
        if "EADDRINUSE" in str(error):
            raise EarsightError(f"port {os.environ.get('MASTER_PORT', '')} is in use by another job; "
                                "set MASTER_PORT to a free one") from error
        if re.search("gloo|nccl|by peer", str(error), re.IGNORECASE):
            raise EarsightError(f"another process of this job has died ({first_line(error)}); what it said is above, "
                                "and --resume auto goes on from what was saved") from error
        raise
    except (argparse.ArgumentError, ValueError, TypeError) as error:
        innermost, cause = error, error
        while cause is not None:  # the parser wraps what a class's constructor raises
            if isinstance(cause, EarsightError):
                raise cause from error
            innermost, cause = cause, cause.__cause__ or cause.__context__
        if "invalid strategy" in str(error):
            raise EarsightError(first_line(error)) from error
        if isinstance(error, argparse.ArgumentError):
            raise EarsightError(_explain(str(error))) from error
        if "Does not validate against" in str(error) and innermost is not error:
            # A class that a setting names could not be made: a logger whose package is not there, say.
            raise EarsightError(f"{' '.join(_named_classes(error))}: {first_line(innermost)}") from error
        raise


def _named_classes(error: Exception) -> list[str]:
    """The classes whose making failed, as the parser's message has them."""
    return list(dict.fromkeys(re.findall(r"class_path='([\w.]+)'", str(error))))


def is_first_process() -> bool:
    """Whether this process is the first of a job: Lightning, torchrun and SLURM say so by their variables."""
    return all(os.environ.get(name, "0") == "0" for name in ("LOCAL_RANK", "RANK", "SLURM_PROCID"))


def _explain(message: str) -> str:
    """The parser's complaint as one line, with the nearest known name of a setting that it does not know."""
    unknown = re.search(r"(?:unrecognized arguments?:|not accept option|Option|[Kk]ey) *'?-*([\w.]+)'?", message)
    if unknown and re.search("unrecognized|not accept|not expected|not accepted", message):
        name = unknown[1].split(".")[-1]
        near = difflib.get_close_matches(name, _known_settings(), 1)
        return f"setting {unknown[1]!r} is unknown" + (f"; did you mean {near[0]!r}?" if near else "")
    if "arguments are required: fit." in message:
        return "no model and no data are given; name a recipe, as in `earsight train fit --config configs/an4.yaml`"
    keys = re.findall(r'Parser key "([\w.]+)"', message)  # from the outermost to the setting
    kinds = [kind for kind in re.findall(r"Expected (?:an? )?<class '([\w.]+)'>", message) if kind != "NoneType"]
    value = re.search(r"(?:Got|Given) value: (.*)", message)
    if keys and kinds and value and set(kinds) <= {"bool", "int", "float", "str"}:
        return f"setting {'.'.join(keys)}: {value[1]!r} is not of type {' or '.join(dict.fromkeys(kinds))}"
    lines = [line.strip(" -") for line in message.splitlines()]
    telling = [line for line in lines if line and not re.match(
        r"Does not validate|Subtypes:|Errors:|Expected a <class 'NoneType'>|Given value|Parser key", line)]
    return f"setting {'.'.join(keys)}: {' '.join(telling)}" if keys and telling else " ".join(telling or lines)


def _known_settings() -> set[str]:
    """Names of all settings of the trainer, the models and the data modules."""
    known = {"run", "threads", "average", "seed_everything", "trainer", "model", "data"}
    queue: list = [pl.Trainer, SequenceModel, SequenceData]
    while queue:
        owner = queue.pop()
        known |= set(inspect.signature(owner).parameters)
        queue += owner.__subclasses__()
        if owner is not pl.Trainer:
            hints = typing.get_type_hints(owner.__init__).values()
            queue += [kind for hint in hints for kind in (hint, *typing.get_args(hint)) if is_dataclass(kind)]
    return known


def keep_freed_memory() -> None:
    """Have glibc keep freed blocks of memory instead of handing them back to the system.

    A training step on a CPU allocates and frees the same large tensors again and again; by default each of them
    costs a system call and page faults, about a quarter of the step's time.
    """
    with suppress(OSError, AttributeError):  # other C libraries have no mallopt
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(M_MMAP_THRESHOLD, 1 << 30)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def start_from(model: SequenceModel, checkpoint: dict) -> tuple[int, int]:
    """Copy a checkpoint's weights into a model where name and shape agree, and outputs where their labels do.

    Returns:
        How many of the model's tensors were taken (in whole or in part), and how many were not.
    """
    saved, given = checkpoint["earsight"], checkpoint["state_dict"]
    rows = {}
    for head, labels in (("head", "labels"), ("auxiliary_head", "auxiliary_labels")):
        ours, theirs = getattr(model, labels), saved[labels]
        if ours and theirs:
            place = {symbol: i for i, symbol in enumerate(theirs["symbols"])}
            rows[f"{head}.output"] = [(i, place[s]) for i, s in enumerate(ours.symbols) if s in place]
    taken, state = 0, model.state_dict()
    for name, value in state.items():
        pairs = rows.get(name.rsplit(".", 1)[0])
        if name in given and pairs and given[name].shape[1:] == value.shape[1:]:
            to, source = (list(side) for side in zip(*pairs))
            value[to] = given[name][source]
        elif name in given and pairs is None and given[name].shape == value.shape:
            value.copy_(given[name])
        else:
            continue
        taken += 1
    return taken, len(state) - taken


def average_checkpoints(paths: list[str], template: str, destination: Path) -> None:
    """Write `template` with its weights replaced by the mean of those in `paths`."""
    states = [torch.load(path, map_location="cpu", weights_only=True)["state_dict"] for path in paths]
    checkpoint = torch.load(template, map_location="cpu", weights_only=True)
    for name, value in checkpoint["state_dict"].items():
        if value.is_floating_point():
            checkpoint["state_dict"][name] = torch.stack([state[name].double() for state in states]).mean(0).to(
                value.dtype)
    with whole_file(destination) as temporary:
        torch.save(checkpoint, temporary)


def _plain(labels: Labels | None) -> dict | None:
    return labels.to_dict() if labels else None
