"""`earsight predict`: a model over a manifest of any size, in one process or many; one JSON line a clip.

Each process writes what it has done, batch by batch, into a part beside the destination. A job that is started again
leaves out the clips that are in parts already; when all are there, they are joined in the manifest's order. A part's
name tells which model and manifest it is of, and those of others are not touched.
"""

import hashlib
import json
import os
import sys
from argparse import ArgumentError
from contextlib import suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pytorch_lightning as pl
from jsonargparse import ArgumentParser
from lhotse import CutSet
from lhotse.dataset import DynamicCutSampler
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch.utils.data import DataLoader, Dataset

from ..data.datamodule import Batch, EpochSampler, Share, begin_worker, make_batch
from ..errors import EarsightError
from ..files import write_whole
from ..nn.module import SequenceModel
from ..quiet import leave_out_noise
from ..signals import set_signals_apart
from .callbacks import callbacks_of
from .progress import show_progress
from .stopping import StopTogether

if TYPE_CHECKING:
    from ..data.cuts import Cuts

BATCH_DURATION = 60.0  # seconds, over all processes
TRAINER = {"logger": False, "enable_checkpointing": False, "use_distributed_sampler": False,
           "enable_model_summary": False}


def predict(model: SequenceModel, cuts: "Cuts", destination: Path, trainer: dict[str, Any], workers: int = 1
            ) -> list[EarsightError]:
    """Recognise every clip of a manifest, and write `destination`, whole.

    Args:
        model: with the weights of a checkpoint.
        cuts: of the manifest.
        trainer: options of Lightning's Trainer: devices, strategy, ...
        workers: processes that read clips ahead of each device.

    Returns:
        What was wrong with each clip that could not be read; its line has `error` in place of a result.

    Raises:
        EarsightError: the destination cannot be written.
    """
    if os.path.isdir(destination):
        raise EarsightError(f"{destination}: a folder; name a file (--output)")
    set_signals_apart()
    leave_out_noise()
    try:
        lightning = pl.Trainer(**{**TRAINER, **trainer})
    except (MisconfigurationException, ValueError, TypeError) as error:  # devices or strategies that are not there
        raise EarsightError(f"--trainer: {' '.join(str(error).split())}") from error
    show_progress(lightning)
    callbacks_of(lightning).append(StopTogether())
    parts = Parts(destination, parts_key(model, cuts))
    done = parts.read()
    if lightning.is_global_zero and (strange := parts.of_others()):
        print(f"warning: {strange[0]}: left by another model or manifest, and not used ({len(strange)} such files); "
              "remove them if that job is not to go on", file=sys.stderr)
    left = CutSet.from_cuts(cut for cut in cuts if cut.id not in done)
    if len(left):
        lightning.predict(Predictor(model, parts), datamodule=Clips(model, left, workers),
                          return_predictions=False)
    if not lightning.is_global_zero:
        return []
    done = parts.read()
    lost = [cut.id for cut in cuts if cut.id not in done]
    if lost:
        raise EarsightError(f"{destination}: {len(lost)} clips are missing ({', '.join(lost[:3])}); run it again")
    write_whole(destination, "".join(_line(done[cut.id]) for cut in cuts))
    for part in parts.paths():
        part.unlink()
    return [EarsightError(done[cut.id]["error"]) for cut in cuts if "error" in done[cut.id]]


def trainer_options(arguments: list[str]) -> dict[str, Any]:
    """Options of Lightning's Trainer from a command line: `--trainer.devices 2 --trainer.strategy ddp`.

    Raises:
        EarsightError: one of them is unknown or wrong.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(pl.Trainer, "trainer", fail_untyped=False)
    try:
        parsed = parser.parse_args(arguments).trainer
    except ArgumentError as error:
        raise EarsightError(" ".join(str(error).split())) from error
    given = {argument.partition("=")[0].removeprefix("--trainer.") for argument in arguments}
    return {name: value for name, value in vars(parsed).items() if name in given}


@dataclass
class Read:
    """The clips of a batch: those that could be read, and what was wrong with the others, by their ids.

    `counts` is False for a clip that another process does, because there were not enough for all.
    """

    clips: Batch | None
    errors: dict[str, str]
    counts: bool


class Clips(pl.LightningDataModule):
    """Clips of similar duration together, divided over the processes, without targets."""

    def __init__(self, model: SequenceModel, cuts: CutSet, workers: int):
        super().__init__()
        self.reader, self.cuts, self.workers = _Reader(model), cuts, workers

    def batches(self, split: str) -> int:
        """How many there are, over all processes."""
        return sum(1 for _ in self._ordered())

    def predict_dataloader(self) -> DataLoader:
        ordered = self._ordered()
        return DataLoader(self.reader, sampler=EpochSampler(ordered, ordered, 0), batch_size=None,
                          num_workers=self.workers, worker_init_fn=begin_worker)

    def _ordered(self) -> DynamicCutSampler:
        return DynamicCutSampler(self.cuts.sort_by_duration(ascending=True), max_duration=BATCH_DURATION,
                                 world_size=1, rank=0)


class _Reader(Dataset):
    def __init__(self, model: SequenceModel):
        self.read = model.reader()

    def __getitem__(self, share: Share) -> Read:
        clips, errors = [], {}
        for cut in share.cuts:
            try:
                clips.append((cut, self.read(cut)))
            except EarsightError as error:
                errors[cut.id] = str(error)
        return Read(make_batch(clips) if clips else None, errors, share.weight > 0)


class Predictor(pl.LightningModule):
    """Runs a model, and writes a line for each clip into this process's part."""

    def __init__(self, model: SequenceModel, parts: "Parts"):
        super().__init__()
        self.model = model
        self.parts = parts
        self._file: TextIO | None = None

    def on_predict_start(self) -> None:
        # A new part in each job: what a kill left half-written stays at the end of an old one.
        number = len(self.parts.paths())
        self.trainer.strategy.barrier("parts are counted")
        path = self.parts.path(number, self.global_rank)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w", encoding="utf-8")
        except OSError as error:
            raise EarsightError(f"{self.parts.destination}: cannot be written ({error.strerror}); "
                                "choose another --output") from error

    def predict_step(self, batch: Read, _: int) -> None:
        lines = [{"id": name, "error": error} for name, error in batch.errors.items()]
        if batch.clips is not None:
            lines += results(self.model, batch.clips)
        if batch.counts:
            assert self._file is not None
            self._file.write("".join(map(_line, lines)))
            self._file.flush()

    def on_predict_end(self) -> None:
        assert self._file is not None
        self._file.close()
        self.trainer.strategy.barrier("parts are written")


def results(model: SequenceModel, batch: Batch) -> list[dict[str, Any]]:
    """For each clip its id, and its `text`, or its `label` and that one's `probability`."""
    outputs, lengths = model.predict_step(batch)
    said = model.decode(outputs, lengths)
    if model.labels.kind != "classes":
        return [{"id": name, "text": text} for name, text in zip(batch.ids, said, strict=True)]
    likely = outputs.float().softmax(dim=-1).amax(dim=-1).tolist()
    return [{"id": name, "label": label, "probability": round(probability, 4)}
            for name, label, probability in zip(batch.ids, said, likely, strict=True)]


def _line(result: dict[str, Any]) -> str:
    return json.dumps(result, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Parts:
    """The parts of `destination` that are of one model and manifest; see `parts_key`."""

    destination: Path
    key: str

    def path(self, number: int, rank: int) -> Path:
        """Of one process of a job; `number` grows from job to job."""
        return self.destination.with_name(f".{self.destination.name}.{self.key}.{number}-{rank}.part")

    def paths(self) -> list[Path]:
        """Those that are there."""
        return sorted(self.destination.parent.glob(f".{escape(self.destination.name)}.{self.key}.*.part"))

    def of_others(self) -> list[Path]:
        """Parts of the same destination, of other models or manifests."""
        every = self.destination.parent.glob(f".{escape(self.destination.name)}.*.part")
        return sorted(set(every) - set(self.paths()))

    def read(self) -> dict[str, dict[str, Any]]:
        """By id, the clips that are done; a line that a kill cut short, or that is damaged, is none."""
        done = {}
        for part in self.paths():
            for line in part.read_text(encoding="utf-8").splitlines(keepends=True):
                with suppress(ValueError, LookupError, TypeError, RecursionError):
                    result = json.loads(line) if line.endswith("\n") else {}
                    done[result["id"]] = result
        return done


def parts_key(model: SequenceModel, cuts: "Cuts") -> str:
    """Differs where the weights, what they put out, the settings or the clips do."""
    digest = hashlib.sha256(json.dumps([model.settings, model.labels.to_dict()], sort_keys=True, default=str).encode())
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode() + value.cpu().numpy().tobytes())
    for cut in cuts:
        digest.update(json.dumps(cut.to_dict(), sort_keys=True, default=str).encode())
    return digest.hexdigest()[:16]
