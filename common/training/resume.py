"""Coming back after a kill: where a run was, saved whole, found again, and gone on from as if nothing had happened."""

import fcntl
import re
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO
from pytorch_lightning.utilities.types import STEP_OUTPUT

from ..checkpoint import read_checkpoint
from ..data.datamodule import Batch, lost_worker
from ..errors import EarsightError
from ..files import whole_file
from ..nn.module import SequenceModel

RESUME = "resume.ckpt"
MADE_LATER = ("model.ckpt", "averaged.ckpt")  # hold no optimiser's state that belongs to their weights


class Resume(pl.Callback):
    """Saves, every so many batches and when the run is to stop, all that the next batch depends on.

    That it is to stop, `StopTogether` says, which stands before it among the callbacks. Beside what Lightning keeps,
    that is torch's random state. The order of clips and their augmentation follow from the seed, the epoch and the
    clip; `SequenceData` finds the batch that is next. Where the gradients of several batches are summed before a step,
    the place saved is before the first of them: weights have not changed since.

    Args:
        folder: of the run.
        every: batches from one save to the next.
    """

    def __init__(self, folder: Path, every: int):
        self.path = folder / RESUME
        self.every = every
        self._saved: dict[str, Any] | None = None
        self._window: dict[str, Any] = {}  # the random state before the first batch of the step
        self._again = 0  # batches that a run that goes on from the checkpoint being saved does again

    def state_dict(self) -> dict[str, Any]:
        return self._window if self._again else _random_state()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._saved = state_dict

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._saved is None:
            return
        saved, self._saved = self._saved, None
        torch.set_rng_state(saved["random"].cpu())
        if len(saved["random_cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all([state.cpu() for state in saved["random_cuda"]])

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch,
                             batch_idx: int) -> None:
        if trainer.accumulate_grad_batches > 1 and batch_idx % trainer.accumulate_grad_batches == 0:
            self._window = _random_state()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: STEP_OUTPUT,
                           batch: Batch, batch_idx: int) -> None:
        # After an epoch's last batch come validation and Lightning's own checkpoint.
        if not trainer.is_last_batch and (trainer.received_sigterm or (batch_idx + 1) % self.every == 0):
            self._again = (batch_idx + 1) % trainer.accumulate_grad_batches
            trainer.save_checkpoint(self.path)
            self._again = 0

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
                           ) -> None:
        loops = checkpoint["loops"]["fit_loop"]
        for counts in (loops["epoch_loop.batch_progress"]["total"], loops["epoch_loop.batch_progress"]["current"]):
            counts.update({name: count - self._again for name, count in counts.items()})
        loops["epoch_loop.state_dict"]["_batches_that_stepped"] -= self._again > 0  # Lightning adds one on return


def _random_state() -> dict[str, Any]:
    return {"random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint whole or not at all: a kill or a full disk never costs the one before."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        if re.match(r"\w+://", str(path)):  # an object store's files are whole or not there
            return super().save_checkpoint(checkpoint, path, storage_options)
        try:
            with whole_file(path) as temporary, open(temporary, "wb") as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:
            if lost := lost_worker(error):
                raise lost from None
            raise EarsightError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error}); earlier "
                                "checkpoints are whole: make room, and go on with --resume auto") from error
        return None


def find_checkpoint(folder: Path) -> tuple[Path | None, list[EarsightError]]:
    """The checkpoint of a run that got furthest, and an error for each one that cannot be read.

    None where there is none at all: the run begins at the beginning.

    Raises:
        EarsightError: there are checkpoints, and none of them can be read.
    """
    paths = [path for path in sorted(folder.glob("*.ckpt")) if path.name not in MADE_LATER]
    found: list[tuple[int, bool, Path]] = []
    errors = []
    for path in paths:
        try:
            # Of the same step, Lightning's own was saved later: after validation.
            found.append((read_checkpoint(path)["global_step"], path.name != RESUME, path))
        except EarsightError as error:
            errors.append(error)
    if errors and not found:
        raise EarsightError(f"{folder}: none of {len(paths)} checkpoints can be read; start again in another --run "
                            f"({errors[0]})")
    return max(found)[2] if found else None, errors


def check_same_model(model: SequenceModel, path: Path) -> None:
    """Refuse to go on from a checkpoint of another architecture or alphabet.

    Raises:
        EarsightError: names what differs.
    """
    saved = read_checkpoint(path)["earsight"]
    ours = {**model.settings, "labels": model.labels.to_dict(), "medium": model.medium}
    theirs = {**saved["settings"], "labels": saved["labels"], "medium": saved["medium"]}
    differing = sorted(name for name in ours if _plain(ours[name]) != _plain(theirs.get(name)))
    if differing:
        raise EarsightError(f"{path}: its {', '.join(differing)} differ from this recipe's; a run goes on with the "
                            "recipe and data it began with: correct them, or start anew in another --run (--init takes "
                            "what weights fit)")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


class RunLock:
    """Keeps a second job out of a run's folder, for as long as this process lives.

    Raises:
        EarsightError: another job is in the folder, or it cannot be written.
    """

    def __init__(self, folder: Path):
        path = folder / ".lock"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w")
        except (OSError, ValueError) as error:  # ValueError: a name that no folder can have, as a recipe may hold one
            reason = getattr(error, "strerror", None) or error
            raise EarsightError(f"{folder}: cannot be written ({reason}); choose another --run") from error
        try:
            # Not flock: its locks are inherited by loader workers, which outlive a killed job for some seconds.
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise EarsightError(f"{folder}: another job trains in this folder; choose another --run, or wait for it"
                                ) from error
