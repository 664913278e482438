"""From manifests to batches: clips of similar duration together, waveforms and stored frames alike.

A training set of shards (`common.data.shards`) is gone through lazily: memory is bounded, each clip comes once in an
epoch, and the batches are the same for any number of processes and workers. The order of shards is drawn anew in
each epoch, and clips are drawn from the next SHUFFLED ones.
"""

import random
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard, cast

import numpy as np
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from lhotse import CutSet
from lhotse.cut import Cut
from lhotse.dataset import DynamicBucketingSampler, DynamicCutSampler
from lhotse.dataset.sampling.base import CutSampler
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset, Sampler

from ..errors import EarsightError
from ..labels import build_labels, form_of
from ..signals import set_worker_signals
from ..texts import TextForm
from .cuts import frames_of, label_of, text_of
from .manifest import read_manifest
from .shards import Shard, ShardCuts, is_shards, load_frames, read_index
from .tables_and_folders import Openers

if TYPE_CHECKING:
    from .cuts import Cuts

SHARED = 1 << 20  # bytes of a tensor that is handed over in shared memory, and not as it is
SHUFFLED = 10_000  # clips of shards that are known at a time, and drawn from; their sound is not in memory

# One clip's frames (time, feature), or what a frontend reads: an array of another rank, or one of each stream.
Clip = np.ndarray | tuple[np.ndarray, ...]


@dataclass
class Batch:
    """Clips padded to the longest of the batch: those that a frontend still has to read first, then stored frames.

    Attributes:
        ids: one name a clip.
        inputs: what the frontend takes, and their lengths: waveforms (clip, samples) in [-1, 1]; or pictures
            (clip, time, height, width, 3) uint8 of each stream, and the lengths of the longest stream.
        frames: (clips with frames, time, feature), and their lengths in frames.
        targets: label ids of all clips, one after the other, and how many each clip has.
        auxiliary: the same in the auxiliary labels, where the model has them.
        references: the clips' transcripts or class names, as the labels write them.
        seconds: how long the clips are on disk, together.
        weight: of this process's share in the mean over all processes: 1 where all have as many clips, 0 for a clip
            that is another process's too, because there were not enough.
    """

    ids: list[str]
    inputs: Tensor | tuple[Tensor, ...]
    input_lengths: Tensor
    frames: Tensor
    frame_lengths: Tensor
    targets: Tensor
    target_lengths: Tensor
    auxiliary: Tensor
    auxiliary_lengths: Tensor
    references: list[str]
    seconds: float = 0.0
    weight: float = 1.0

    def __getstate__(self) -> dict[str, Any]:
        # On the way from a loader's worker each tensor is a piece of shared memory, whose handle is asked for over a
        # socket: 3 to 4 ms a batch. Small ones are sooner sent as they are.
        return {name: value.numpy() if isinstance(value, Tensor) and value.device.type == "cpu" and
                value.nbytes < SHARED else value for name, value in vars(self).items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update({name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
                           for name, value in state.items()})

    def pin_memory(self) -> "Batch":
        """The batch in memory from which a GPU copies while it computes; called by the loader."""
        pinned = {field.name: _pinned(getattr(self, field.name)) for field in fields(self)}
        return replace(self, **{name: value for name, value in pinned.items() if value is not None})


class SequenceData(pl.LightningDataModule):
    """Training, validation and test manifests as batches by duration.

    Args:
        train: manifest or shards, or several that are trained on together.
        validation: manifest (or several) that chooses the checkpoint.
        test: manifest (or several) for `earsight train test`.
        labels: "characters", "bpe", "phones" or "classes".
        lexicon: pronunciations, for phones.
        vocabulary: number of BPE pieces.
        auxiliary_labels: a second kind of labels that the model learns from a lower layer; none by default.
        batch_duration: seconds of clips in a batch, over all processes: how many devices there are changes the speed
            of a run, and its result by rounding and dropout's noise only.
        curriculum: epochs at the start in which the clips come shortest first; short clips show a CTC model
            where its labels lie, and it leaves the all-blank plateau sooner (Amodei et al., 2016, SortaGrad). Not of
            shards, whose clips are not sorted as a whole.
        buckets: batches hold clips of one of this many classes of duration.
        workers: processes that read clips ahead of the device; 0 reads in the training process.
        seed: of the order of clips and of augmentation.
    """

    openers: Openers | None = None  # how clips that a CSV or folder names are looked into
    epoch = 0  # of the clips that are being read for training, from 0
    layout: dict | None = None  # of frames whose channels the data names, see `series.data`; linked to the model

    def __init__(self, train: str | list[str], validation: str | list[str], test: str | list[str] | None = None,
                 labels: str = "characters", lexicon: str | None = None, vocabulary: int = 100,
                 auxiliary_labels: str | None = None, batch_duration: float = 60.0, curriculum: int = 0,
                 buckets: int = 10, workers: int = 1, seed: int = 1):
        super().__init__()
        if not batch_duration > 0:
            raise EarsightError(f"data.batch_duration {batch_duration:g}: give seconds above 0")
        for name, value, least in (("buckets", buckets, 1), ("curriculum", curriculum, 0), ("workers", workers, 0),
                                   ("seed", seed, 0), ("vocabulary", vocabulary, 1)):
            if not least <= value < 2**31:
                raise EarsightError(f"data.{name} {value}: give a whole number from {least}")
        self.manifests = {"train": train, "validation": validation, "test": test}
        self.batch_duration = batch_duration
        self.curriculum = curriculum
        self.buckets = buckets
        self.workers = workers
        self.seed = seed
        self._cuts: dict[str, Cuts] = {}
        self._batches: dict[str, int] = {}
        self._classes = labels == "classes"
        self._form = TextForm()  # while the labels are being built of what is written
        self.labels = build_labels(labels, map(self.target_of, self.cuts("train")), lexicon, vocabulary)
        self.auxiliary_labels = build_labels(auxiliary_labels, map(self.target_of, self.cuts("train")), lexicon,
                                             vocabulary) if auxiliary_labels else None
        self._form = form_of(self.labels)

    def target_of(self, cut: Cut) -> str:
        """What the model is to say of a clip: its text, in the form in which the model writes, or its label where the
        labels are classes."""
        target = label_of(cut) if self._classes else text_of(cut)
        if target is None:
            raise EarsightError(f"{cut.id}: has no {'label' if self._classes else 'text'} to learn; give it one, or "
                                "leave the clip out")
        return target if self._classes else self._form(target)

    def read(self, cut: Cut, rng: np.random.Generator | None) -> Clip:
        """A clip's frames (time, feature) or the frontend's input; `rng` is given where clips are augmented."""
        return read_frames_cut(cut)

    def read_varied(self, cut: Cut, rng: np.random.Generator) -> tuple[Clip, str | None]:
        """What training reads in a clip's place, and what is said in it; None is what is said in the clip."""
        return self.read(cut, rng), None

    def cuts(self, split: str) -> "Cuts":
        """The clips of a split: in memory, or one by one where the training set has shards."""
        if split not in self._cuts:
            paths = self.manifests[split]
            if not paths:
                raise EarsightError(f"no {split} manifest: give --data.{split}")
            paths = [paths] if isinstance(paths, str) else paths
            if split == "train" and any(map(is_shards, paths)):
                self._cuts[split] = cast("Cuts", CutSet(ShardCuts(self._shards(paths))))
            else:
                cuts = [cut for path in paths for cut in read_manifest(path, self.openers)]
                if not cuts:
                    raise EarsightError(f"{', '.join(paths)}: the {split} set is empty")
                self._cuts[split] = cast("Cuts", CutSet.from_cuts(cuts))
        return self._cuts[split]

    def _shards(self, paths: list[str]) -> list[Shard | list[Cut]]:
        """The shards of all paths; manifests among them are cut into pieces of a shard's size."""
        if self.curriculum:
            raise EarsightError("data.curriculum sorts the whole training set, and shards are never read as a whole; "
                                "give --data.curriculum 0")
        parts: list[Shard | list[Cut]] = []
        for path in paths:
            if is_shards(path):
                parts += read_index(path)
            else:
                cuts = list(read_manifest(path, self.openers))
                random.Random(self.seed).shuffle(cuts)
                parts += [cuts[first:first + 1000] for first in range(0, len(cuts), 1000)]
        return parts

    def train_dataloader(self) -> DataLoader:
        loader = self._loader("train")
        if self.trainer is not None:
            # Lightning begins to read before it tells the sampler where a run that goes on has stopped.
            progress = self.trainer.fit_loop.epoch_loop.batch_progress
            epoch = self.trainer.current_epoch + progress.is_last_batch
            sampler = loader.sampler
            assert isinstance(sampler, EpochSampler)
            sampler.set_epoch(epoch)
            sampler.done = epoch, 0 if progress.is_last_batch else progress.current.ready
        return loader

    def val_dataloader(self) -> DataLoader:
        return self._loader("validation")

    def test_dataloader(self) -> DataLoader:
        return self._loader("test")

    def batches(self, split: str) -> int:
        """How many a split has; of training in the first epoch, later ones differ by the few that shuffling gives."""
        if split not in self._batches:
            self._batches[split] = sum(1 for _ in self._sampler(split))
        return self._batches[split]

    def _loader(self, split: str) -> DataLoader:
        sampler = self._sampler(split)
        dataset = ClipDataset(self, sampler, augment=split == "train")
        # A generator of its own, so that beginning an epoch does not draw from the one that training draws from.
        return DataLoader(dataset, sampler=sampler, batch_size=None, num_workers=self.workers,
                          persistent_workers=False, worker_init_fn=begin_worker, generator=torch.Generator(),
                          prefetch_factor=4 if self.workers else None, pin_memory=self._on_gpu())

    def _on_gpu(self) -> bool:
        return self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"

    def _sampler(self, split: str) -> "EpochSampler":
        cuts = self.cuts(split)
        # Each batch is divided over the processes, by `EpochSampler`.
        alone = {"max_duration": self.batch_duration, "world_size": 1, "rank": 0}
        if isinstance(cuts.data, ShardCuts):
            # Of this sampler alone: it begins with the first epoch's order, from which the buckets are estimated.
            shards = ShardCuts(cuts.data.parts, self.seed)
            shuffled = self._shuffled(CutSet(shards), alone)
            return EpochSampler(shuffled, shuffled, 0, shards)
        ordered = DynamicCutSampler(cuts.sort_by_duration(ascending=True), **alone)
        if split != "train":
            return EpochSampler(ordered, ordered, 0)
        return EpochSampler(ordered, self._shuffled(cuts, alone), self.curriculum)

    def _shuffled(self, cuts: CutSet, options: dict[str, Any]) -> CutSampler:
        options = {**options, "shuffle": True, "seed": self.seed, "drop_last": False}
        buckets = min(self.buckets, len(cuts) // 20)
        if buckets < 2:
            return DynamicCutSampler(cuts, **options)
        known = max(len(cuts), 1000)
        return DynamicBucketingSampler(cuts, num_buckets=buckets,
                                       buffer_size=min(known, SHUFFLED) if cuts.is_lazy else known, **options)


class Share(NamedTuple):
    """This process's clips of a batch, and their weight; see `Batch`."""

    cuts: list[Cut]
    weight: float


class EpochSampler(Sampler):
    """Batches from `first` in the first epochs of training, then from `later`; of each, this process's share.

    Every process goes through all batches, of shards too: they are of descriptions, and sound is read for its share.

    Attributes:
        done: an epoch, and how many of its first batches are left out, because a run that goes on has done them.
    """

    def __init__(self, first: CutSampler, later: CutSampler, epochs: int, shards: ShardCuts | None = None):
        self.first, self.later, self.epochs, self.shards = first, later, epochs, shards
        self.epoch = 0
        self.done: tuple[int, int] = 0, 0
        self.rank, self.processes = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer; the order of clips and their augmentation follow from it."""
        self.epoch = epoch
        if self.shards is not None:
            self.shards.epoch = epoch
        self.first.set_epoch(epoch)
        self.later.set_epoch(epoch)

    def __iter__(self) -> Iterator[Share]:
        epoch, batches = self.done
        sampler = self.first if self.epoch < self.epochs else self.later
        return map(self._share, islice(sampler, batches * (epoch == self.epoch), None))

    def _share(self, batch: CutSet) -> Share:
        cuts = list(batch)
        ours = cuts[self.rank::self.processes]
        if not ours:  # no process may leave a step out, or the others wait for it
            return Share(cuts[:1], 0.0)
        return Share(ours, len(ours) * self.processes / len(cuts))


def read_frames_cut(cut: Cut) -> np.ndarray:
    """A clip's stored frames, (time, feature) float32."""
    if frames_of(cut) is None:
        raise EarsightError(f"{cut.id}: has no stored frames; prepare them, or use a recipe that reads recordings")
    try:
        return np.ascontiguousarray(load_frames(cut), dtype=np.float32)
    except EarsightError:
        raise
    except Exception as error:  # lhotse's readers raise what they like
        raise EarsightError(f"{cut.id}: its frames cannot be read ({error}); run `earsight check`") from error


class ClipDataset(Dataset):
    """Reads the clips of a batch that the sampler chose, with their targets."""

    def __init__(self, data: SequenceData, sampler: EpochSampler | None, augment: bool):
        self.data = data
        self.sampler = sampler
        self.augment = augment

    def __getitem__(self, share: Share) -> Batch:
        cuts = share.cuts
        self.data.epoch = self.sampler.epoch if self.sampler else 0
        clips, targets_by_id = [], {}
        for cut in cuts:
            rng = self._rng(cut)
            clip, said = self.data.read_varied(cut, rng) if rng else (self.data.read(cut, None), None)
            clips.append((cut, clip))
            targets_by_id[cut.id] = self.data.target_of(cut) if said is None else said
        batch = make_batch(clips)
        references = [targets_by_id[name] for name in batch.ids]
        targets, target_lengths = _join([self.data.labels.encode(text) for text in references])
        lower = self.data.auxiliary_labels
        auxiliary, auxiliary_lengths = _join([lower.encode(text) for text in references] if lower else [])
        return replace(batch, targets=targets, target_lengths=target_lengths, auxiliary=auxiliary,
                       auxiliary_lengths=auxiliary_lengths, references=references, weight=share.weight)

    def _rng(self, cut: Cut) -> np.random.Generator | None:
        # By clip and epoch alone: the same augmentation follows whichever worker or rank reads the clip.
        if not self.augment or self.sampler is None:
            return None
        return np.random.default_rng([self.data.seed, self.sampler.epoch, zlib.crc32(cut.id.encode())])


def make_batch(clips: Sequence[tuple[Cut, Clip]]) -> Batch:
    """Pad clips, frames (time, feature) or a frontend's inputs, into a batch without targets."""
    inputs = [(cut, clip) for cut, clip in clips if not _is_frames(clip)]
    frames = [(cut, clip) for cut, clip in clips if _is_frames(clip)]
    none = torch.zeros(0, dtype=torch.int64)
    return Batch([cut.id for cut, _ in inputs + frames], *_pad_inputs([x for _, x in inputs]),
                 *_pad([x for _, x in frames]), none, none, none, none, [], sum(cut.duration for cut, _ in clips))


def _pinned(value: object) -> Tensor | tuple[Tensor, ...] | None:
    if isinstance(value, tuple):
        return tuple(part.pin_memory() for part in value)
    return value.pin_memory() if isinstance(value, Tensor) else None


def _is_frames(clip: Clip) -> TypeGuard[np.ndarray]:
    return isinstance(clip, np.ndarray) and clip.ndim == 2


def _pad_inputs(clips: list[Clip]) -> tuple[Tensor | tuple[Tensor, ...], Tensor]:
    whole = [clip for clip in clips if isinstance(clip, np.ndarray)]
    streams = [clip for clip in clips if isinstance(clip, tuple)]
    if not streams:
        return _pad(whole)
    assert not whole  # a frontend takes all clips alike
    padded, lengths = zip(*(_pad(list(part)) for part in zip(*streams, strict=True)), strict=True)
    return padded, torch.stack(lengths).amax(dim=0)


def _pad(clips: list[np.ndarray]) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(clip) for clip in clips], dtype=torch.int64)
    padded = pad_sequence([torch.from_numpy(clip) for clip in clips], batch_first=True) if clips else torch.zeros(0)
    return padded, lengths


def _join(targets: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    flat = [i for target in targets for i in target]
    return torch.tensor(flat, dtype=torch.int64), torch.tensor([len(t) for t in targets], dtype=torch.int64)


def lost_worker(error: BaseException | None) -> BaseException | None:
    """Torch's word that a loader's worker was killed, where an error is that or came of it; else None.

    It comes amid whatever the process is doing: in the middle of a file, say, which then ends with an error of its own.
    """
    while error is not None:
        if "DataLoader worker" in str(error) and re.search("killed by signal|exited unexpectedly", str(error)):
            return error
        error = error.__cause__ or error.__context__
    return None


def begin_worker(_: int) -> None:
    """What a loader's worker does first: more threads than cores cost more than they bring."""
    torch.set_num_threads(1)
    set_worker_signals()
