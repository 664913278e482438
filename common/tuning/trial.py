"""A trial of `earsight tune`: tells the study how a training goes, and ends it where the study wants it."""

import optuna
import pytorch_lightning as pl
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend

from ..metrics import validation_metric
from ..nn.module import SequenceModel

STUDY = "earsight"  # the name of the one study in a storage
BEST, PRUNED = "best", "pruned"  # what a trial's process leaves for the one that started it


def open_storage(place: str) -> str | BaseStorage:
    """A study's storage: a database's URL, or a file that processes and machines share, over NFS too."""
    return place if "://" in place else JournalStorage(JournalFileBackend(place))


class ReportTrial(pl.Callback):
    """Reports each validation's score to the study; ends a training that looks worse than the others' median.

    Args:
        storage: see `open_storage`.
        number: of the trial.
        prune: whether trainings are ended at all.
        warmup: epochs in which none is.
    """

    def __init__(self, storage: str, number: int, prune: bool, warmup: int):
        self.place, self.number, self.prune, self.warmup = storage, number, prune, warmup
        self._trial: optuna.Trial | None = None

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        assert isinstance(pl_module, SequenceModel)
        metric, mode = validation_metric(pl_module.labels.kind)
        end = trainer.is_global_zero and self._report(float(trainer.callback_metrics[metric]), mode,
                                                      trainer.current_epoch)
        if trainer.strategy.broadcast(end):
            trainer.should_stop = True

    def _report(self, score: float, mode: str, epoch: int) -> bool:
        if self._trial is None:
            study = optuna.load_study(study_name=STUDY, storage=open_storage(self.place),
                                      pruner=optuna.pruners.MedianPruner(n_warmup_steps=self.warmup))
            self._trial = optuna.Trial(study, study.get_trials(deepcopy=False)[self.number]._trial_id)
        trial = self._trial
        if epoch not in trial.storage.get_trial(trial._trial_id).intermediate_values:
            trial.report(score, epoch)
        best = trial.user_attrs.get(BEST, score)
        trial.set_user_attr(BEST, (min if mode == "min" else max)(best, score))
        end = self.prune and trial.should_prune()
        if end:
            trial.set_user_attr(PRUNED, True)
        return end
