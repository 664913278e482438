"""`earsight tune --trials N`: trainings with settings that Optuna chooses, by processes that share a study.

Every trial is `earsight train fit` in a process and a folder of its own: what it leaks or breaks ends with it, and a
trial whose process was killed is gone on with (`--resume auto`), not lost. So the study has N trials, no more and no
fewer, however many processes share it and however often they are killed.
"""

import fcntl
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path
from typing import IO

import numpy as np
import optuna
import yaml
from optuna.trial import TrialState

from ..errors import EarsightError, first_line
from ..files import write_whole
from ..metrics import validation_metric
from ..signals import GRACE, Stopped, end_with_parent, grace
from ..training.running import resolve
from ..training.stopping import PATIENCE
from .report import ERROR, write_report
from .search_space import Setting, parse_space, written
from .trial import BEST, PRUNED, STUDY, open_storage

OWN = ("run", "resume")  # settings of `train fit` that a trial sets itself


@dataclass(frozen=True)
class Search:
    """What all processes of a study do alike.

    Attributes:
        arguments: of `train fit`, the same in each trial.
        space: what differs between them.
        folder: of the trials and the report.
        storage: see `common.tuning.trial.open_storage`.
        seed: of the sampler.
        prune, warmup: see `common.tuning.trial.ReportTrial`.
    """

    arguments: list[str]
    space: list[Setting]
    folder: Path
    storage: str
    seed: int
    prune: bool
    warmup: int

    def run(self, number: int) -> Path:
        """The folder of a trial's training."""
        return self.folder / f"trial-{number:03d}"


def tune(arguments: list[str], trials: int, space: Sequence[str], folder: Path, storage: str | None, seed: int,
         prune: bool) -> None:
    """Do what is left of a study's trials, with whichever processes share it, and write its report.

    The validation set's score decides: val_wer, or val_accuracy.

    Args:
        arguments: of `earsight train fit`.
        trials: how many the study has in all.
        space: see `parse_space`.
        folder: see `Search`; every process must see it.
        storage: a database's URL; by default a file in `folder`.
        seed: of the choice of settings.
        prune: end trials that look worse than the others' median.

    Raises:
        EarsightError: a setting or range that cannot be used, a study of other settings in the folder, or no trial
            that went well.
    """
    settings = parse_space(space)
    recipe = _check(arguments, settings)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    epochs = recipe["trainer"]["max_epochs"] or 0
    search = Search(arguments, settings, folder, storage or str(folder / "study.log"), seed, prune, max(epochs, 0) // 4)
    study = _open(search, recipe)
    try:
        while (claimed := _claim(study, search, trials)) is not None:
            trial, lock = claimed
            with lock, grace(PATIENCE + 2 * GRACE):  # the training saves its place
                _run(study, search, trial)
            write_report(study, folder)
            _write_best(study, search, recipe)
            print(_told(study, trial), flush=True)
    except Stopped as stop:
        raise Stopped(stop.number, "the same command goes on with the study") from stop
    done = study.get_trials(deepcopy=False)
    running = sum(trial.state == TrialState.RUNNING for trial in done)
    if running:
        print(f"{running} of {len(done)} trials still run in other processes")
    elif all(trial.state == TrialState.FAIL for trial in done):
        raise EarsightError(f"all {len(done)} trials failed, the first with: {done[0].user_attrs[ERROR]} "
                            f"({search.run(0)}/output.log)")
    print(f"{folder}/report.md: {len(done)} trials; `train fit --config RECIPE --config {folder}/best.yaml` takes the "
          "best settings")


def _check(arguments: list[str], settings: list[Setting]) -> dict:
    """The recipe's settings, resolved; all choices of the space are looked at by the way.

    Raises:
        EarsightError: a setting that is unknown or cannot have such a value, or no recipe.
    """
    examples = [setting.examples() for setting in settings]
    for i in range(max(map(len, examples))):
        resolve([*arguments, *_options({setting.name: values[min(i, len(values) - 1)]
                                        for setting, values in zip(settings, examples)})])
    recipe = resolve(arguments)
    if not recipe.get("data") or not recipe.get("model"):
        raise EarsightError("no recipe: give --config RECIPE.yaml, or --data and --model")
    return recipe


def _options(values: dict) -> list[str]:
    return [f"--{name}={written(value)}" for name, value in values.items()]


def _open(search: Search, recipe: dict) -> optuna.Study:
    """The study, which is made where there is none.

    Raises:
        EarsightError: it cannot be opened, or it searches something else.
    """
    kind = "classes" if recipe["data"]["init_args"]["labels"] == "classes" else "text"
    metric, mode = validation_metric(kind)
    kept = {name: value for name, value in recipe.items() if name not in ("trainer", "threads", *OWN)}
    what = {"metric": metric, "space": {setting.name: setting.text for setting in search.space},
            "recipe": {**kept, **{name: recipe["trainer"][name] for name in ("max_epochs", "max_steps")}}}
    with _study_lock(search):
        try:
            study = optuna.create_study(study_name=STUDY, storage=open_storage(search.storage), load_if_exists=True,
                                        direction="minimize" if mode == "min" else "maximize")
        except Exception as error:  # a database's driver raises what it likes
            raise EarsightError(f"--storage {search.storage}: cannot be opened ({first_line(error)})") from error
        for name, value in what.items():
            there = study.user_attrs.get(name, value)
            if there != value:
                differing = sorted(key for key in {*there, *value} if there.get(key) != value.get(key)) if isinstance(
                    value, dict) else [there]
                raise EarsightError(f"{search.folder}: holds a study of another {name} ({', '.join(differing)}); give "
                                    "what it was begun with, or another --study")
            study.set_user_attr(name, value)
    return study


def _claim(study: optuna.Study, search: Search, total: int) -> tuple[optuna.Trial, IO] | None:
    """A trial for this process, and the lock that says it is taken: one whose process has died, or a new one."""
    with _study_lock(search):
        trials = study.get_trials(deepcopy=False)
        for frozen in trials:
            if frozen.state == TrialState.RUNNING and (lock := _take(search.run(frozen.number))):
                return _drawn(optuna.Trial(study, frozen._trial_id), search), lock
        if len(trials) >= total:
            return None
        # By seed and number alone, so that processes that share a study do not draw the same settings.
        seed = int(np.random.SeedSequence([search.seed, len(trials)]).generate_state(1)[0])
        study.sampler = optuna.samplers.TPESampler(seed=seed)
        lock = _take(search.run(len(trials)))
        if lock is None:
            raise EarsightError(f"{search.run(len(trials))}: another job is in this folder; give another --study")
        return _drawn(study.ask(), search), lock


def _drawn(trial: optuna.Trial, search: Search) -> optuna.Trial:
    for setting in search.space:
        setting.draw(trial)
    return trial


def _run(study: optuna.Study, search: Search, trial: optuna.Trial) -> None:
    """Train with a trial's settings, in a process of its own, and tell the study how it ended."""
    run = search.run(trial.number)
    callback = {"storage": search.storage, "number": trial.number, "prune": search.prune, "warmup": search.warmup}
    command = [sys.executable, "-m", "earsight", "train", "fit", *search.arguments, *_options(trial.params),
               f"--run={run}", "--resume=auto", "--trainer.enable_progress_bar=false",
               "--trainer.callbacks+=earsight.common.tuning.trial.ReportTrial",
               *_options({f"trainer.callbacks.{name}": value for name, value in callback.items()})]
    output = run / "output.log"
    with output.open("ab") as file:
        training = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT,
                                    preexec_fn=partial(end_with_parent, signal.SIGTERM))
        try:
            status = training.wait()
        finally:  # stopped: the training saves its place, and the trial waits for the next process
            training.terminate()
            training.wait()
    told = study.get_trials(deepcopy=False)[trial.number].user_attrs
    if status or BEST not in told:
        trial.set_user_attr(ERROR, _error(status, output))
        study.tell(trial, state=TrialState.FAIL)
    elif told.get(PRUNED):
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, told[BEST])


def _error(status: int, output: Path) -> str:
    lines = [line.strip() for line in output.read_text(errors="replace").splitlines() if line.strip()]
    if status < 0:
        name = signal.Signals(-status).name
        return f"killed by {name}" + (", for want of memory perhaps" if name == "SIGKILL" else "")
    if not status:
        return "the training made no validation"
    said = [line for line in lines if line.startswith("error: ")]
    return (said or lines or [f"exit status {status}"])[-1].removeprefix("error: ")


def _write_best(study: optuna.Study, search: Search, recipe: dict) -> None:
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        return
    settings: dict = {}
    for name, value in study.best_params.items():
        first, *rest = name.split(".")
        if "class_path" in (recipe.get(first) or {}) and rest[0] != "init_args":
            rest = ["init_args", *rest]
        *path, last = first, *rest
        reduce(lambda section, key: section.setdefault(key, {}), path, settings)[last] = value
    text = f"# {study.user_attrs['metric']} {study.best_value:.4f}, trial {study.best_trial.number}\n"
    write_whole(search.folder / "best.yaml", text + yaml.safe_dump(settings, sort_keys=False))


def _told(study: optuna.Study, trial: optuna.Trial) -> str:
    frozen = study.get_trials(deepcopy=False)[trial.number]
    settings = ", ".join(f"{name} {written(value)}" for name, value in frozen.params.items())
    if frozen.state == TrialState.FAIL:
        ended = f"failed: {frozen.user_attrs[ERROR]}"
    else:
        early = "ended early at " if frozen.state == TrialState.PRUNED else ""
        ended = f"{early}{study.user_attrs['metric']} {frozen.user_attrs[BEST]:.4f}"
    return f"trial {frozen.number}: {ended}; {settings}"


@contextmanager
def _study_lock(search: Search) -> Iterator[None]:
    lock = _lock(search.folder / ".lock", wait=True)
    if lock is None:
        raise EarsightError(f"{search.folder}: files cannot be locked on its file system; choose another --study")
    with lock:
        yield


def _take(run: Path) -> IO | None:
    """The lock of a trial; None where its `tune`, or a training that has outlived it, is alive."""
    with suppress(OSError):
        run.mkdir(exist_ok=True)
    training = _lock(run / ".lock")  # `RunLock`'s
    if training is None:
        return None
    training.close()
    return _lock(run / ".tune")


def _lock(path: Path, wait: bool = False) -> IO | None:
    try:
        file = path.open("w")
    except OSError as error:
        raise EarsightError(f"{path.parent}: cannot be written ({error.strerror}); choose another --study") from error
    try:
        # Not flock: see `RunLock`.
        fcntl.lockf(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        file.close()
        return None
    return file
