"""Embeddings of a data set: computed once, kept under a key of content and settings, and reused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ...batch_run import default_jobs, run_parallel
from ...errors import EarsightError
from ...files import whole_file
from ..cuts import Said, film_of, frames_cut, group_of, label_of, speaker_of, text_of, words_of
from ..manifest import read_manifest
from .parts import Parts, manifests_in, progress_bar

if TYPE_CHECKING:
    from lhotse.cut import Cut

AT_A_TIME = 64  # clips that are handed to the threads that embed them


class Embedder(Protocol):
    """What a medium's recipe makes of clips; views are what it pleases.

    Attributes:
        frame_shift: seconds between two embeddings.
    """

    @property
    def frame_shift(self) -> float: ...

    def plain_view(self) -> Any:
        """The clip as it is."""
        ...

    def draw_view(self, rng: np.random.Generator) -> Any:
        """An augmented view."""
        ...

    def settings(self, cut: Cut, view: Any) -> Mapping[str, Any]:
        """All that a view's embeddings hang on, as plain types.

        Raises:
            EarsightError: the clip is none of the medium, or cannot be read.
        """
        ...

    def embed(self, cut: Cut, view: Any) -> np.ndarray:
        """The embeddings (time, feature). Called from several threads at once."""
        ...


@dataclass(frozen=True)
class Task:
    """A view of a clip, whose frames are to be stored under the name `identity`."""

    cut: Cut
    split: str
    view: Any
    identity: str


def prepare_views(source: Path, destination: Path, embedder: Embedder, views: int, progress: bool) -> Parts:
    """The embeddings of the clips of `source`, a manifest or a folder of train, dev and test manifests.

    They are stored in `destination`/embeddings as float16, or as uint8 where they are pictures' grey levels. What is
    there already is not computed again, so a run that was broken off goes on where it was, and changed settings or
    clips never meet old embeddings.

    Args:
        views: augmented views of each training clip beside the clip itself; each one is the same in every run.
    """
    parts = Parts()
    tasks = []
    for split, path in manifests_in(source).items():
        for cut in read_manifest(path, failures=parts.failures):
            tasks += [view_of(cut, number, embedder, split) for number in range(views + 1 if split == "train" else 1)]
    for task, result in stored_views(tasks, destination, embedder, progress):
        if isinstance(result, EarsightError):
            parts.failures.append((task.identity, str(result)))
        else:
            parts.add(task.split, result)
    return parts


def view_of(cut: Cut, number: int, embedder: Embedder, split: str = "train") -> Task:
    """A clip as it is (`number` 0) or one of its augmented views."""
    if number == 0:
        return Task(cut, split, embedder.plain_view(), cut.id)
    rng = np.random.default_rng([number, *cut.id.encode()])
    return Task(cut, split, embedder.draw_view(rng), f"{cut.id}-view{number}")


def stored_views(tasks: Sequence[Task], destination: Path, embedder: Embedder, progress: bool,
                 enough: Callable[[], bool] = lambda: False) -> Iterator[tuple[Task, Cut | EarsightError]]:
    """Each task with the cut of its stored frames, or why there are none.

    Args:
        enough: asked every AT_A_TIME tasks; whether the rest is left undone.
    """

    def store(task: Task) -> Cut:
        return _stored_cut(task, _store(task, destination / "embeddings", embedder), embedder.frame_shift)

    def results() -> Iterator[tuple[Task, Cut | EarsightError]]:
        for first in range(0, len(tasks), AT_A_TIME):  # so that an interrupt need not wait for all of them
            if enough():
                return
            yield from run_parallel(tasks[first : first + AT_A_TIME], store, default_jobs())

    return progress_bar(results(), "embeddings", progress, len(tasks))


def file_digest(path: str | Path) -> str:
    """A digest of a file's content."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EarsightError(f"{path}: cannot be read ({error.strerror}); prepare the corpus again") from error


def weights_digest(name: str, state: Mapping[str, Any]) -> str:
    """A digest of a network's name and weights, tensors on the CPU."""
    digest = hashlib.sha256(name.encode())
    for part, value in sorted(state.items()):
        digest.update(part.encode() + value.numpy().tobytes())
    return digest.hexdigest()


def _store(task: Task, folder: Path, embedder: Embedder) -> Path:
    """Compute and write a view's embeddings, unless they are there; return the file."""
    settings = {**embedder.settings(task.cut, task.view), "start": task.cut.start, "duration": task.cut.duration}
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:32]
    path = folder / key[:2] / f"{key}.npy"
    if not path.exists():
        frames = embedder.embed(task.cut, task.view)
        with whole_file(path) as temporary:
            np.save(temporary, frames if frames.dtype == np.uint8 else frames.astype(np.float16), allow_pickle=False)
    return path


def _stored_cut(task: Task, path: Path, frame_shift: float) -> Cut:
    said: Said = {"text": text_of(task.cut), "label": label_of(task.cut), "speaker": speaker_of(task.cut),
                  "group": group_of(task.cut)}
    words = words_of(task.cut)
    if words and task.identity == task.cut.id:  # views may be played faster or slower
        said["supervision_custom"] = {"words": words}
    shape = np.load(path, mmap_mode="r").shape
    film = film_of(task.cut)
    custom = {"video": film, "video_start": task.cut.start} if film else None  # its sound may be wanted beside them
    return frames_cut(task.identity, path, shape=shape, frame_shift=frame_shift, custom=custom, **said)
