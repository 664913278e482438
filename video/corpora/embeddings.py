"""Embeddings of a data set: computed once, kept under a key of content and settings, and reused."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...common.batch_run import default_jobs, run_parallel
from ...common.data.corpora.parts import Parts, manifests_in, progress_bar
from ...common.data.cuts import Said, frames_cut, group_of, label_of, speaker_of, text_of, video_of
from ...common.data.manifest import read_manifest
from ...common.errors import EarsightError
from ...common.files import whole_file
from ...common.recipes import read_yaml
from ..frontends.embedding import Embed, embedding_blocks
from ..frontends.pictures import PictureSettings, View, ViewSettings, draw_view

if TYPE_CHECKING:
    from lhotse.cut import Cut

METHOD = 2  # goes up when the same settings come to give other embeddings, so that older ones are computed again
AT_A_TIME = 64  # clips that are handed to the threads that embed them


@dataclass(frozen=True)
class _Task:
    cut: Cut
    split: str
    view: View
    identity: str


def prepare_embeddings(source: Path, destination: Path, *, config: str, views: int = 0, weights: str = "",
                       progress: bool = True) -> Parts:
    """The embeddings of the videos of `source`, a manifest or a folder of train, dev and test manifests.

    They are stored as float16 in `destination`/embeddings. What is there already is not computed again, so a run that
    was broken off goes on where it was, and changed settings or videos never meet old embeddings.

    Options: `config`, the recipe whose model says what the CNN sees; `views`, how many augmented views of each training
    clip there are beside the clip itself, as the recipe's data.views draw them; `weights`, a file in place of the
    recipe's.
    """
    recipe = _Recipe.read(Path(config), weights)
    parts = Parts()
    tasks = [task for split, path in manifests_in(source).items()
             for cut in read_manifest(path, failures=parts.failures) for task in recipe.tasks(cut, split, views)]
    embed, digest = _open_cnn(recipe)
    results = (pair for first in range(0, len(tasks), AT_A_TIME)  # so that an interrupt need not wait for all of them
               for pair in run_parallel(tasks[first:first + AT_A_TIME],
                                        lambda task: recipe.store(task, destination / "embeddings", embed, digest),
                                        default_jobs()))
    for task, result in progress_bar(results, "embeddings", progress, len(tasks)):
        if isinstance(result, EarsightError):
            parts.failures.append((task.identity, str(result)))
        else:
            parts.add(task.split, recipe.cut(task, result))
    return parts


@dataclass(frozen=True)
class _Recipe:
    """What a recipe says of embeddings."""

    pictures: PictureSettings
    backbone: str
    weights: str | None
    views: ViewSettings

    @staticmethod
    def read(path: Path, weights: str) -> _Recipe:
        plain = read_yaml(path)
        try:
            model, data = plain["model"]["init_args"], plain["data"]["init_args"]
            return _Recipe(PictureSettings.from_dict(model.get("pictures") or {}),
                           model.get("backbone", "mobilenet_v2"), weights or model.get("weights"),
                           ViewSettings(**(data.get("views") or {})))
        except (KeyError, TypeError) as error:
            raise EarsightError(f"{path}: no recipe of a video model ({error}); name one like configs/actions-10.yaml"
                                ) from error

    def tasks(self, cut: Cut, split: str, views: int) -> Iterator[_Task]:
        """The views of a clip; each one is the same in every run."""
        yield _Task(cut, split, View(), cut.id)
        for number in range(1, views + 1 if split == "train" else 1):
            rng = np.random.default_rng([number, *cut.id.encode()])
            yield _Task(cut, split, draw_view(self.views, rng), f"{cut.id}-view{number}")

    def store(self, task: _Task, folder: Path, embed: Embed, digest: str) -> Path:
        """Compute and write a view's embeddings, unless they are there; return the file."""
        video = video_of(task.cut)
        if video is None:
            raise EarsightError(f"{task.cut.id}: is no video; prepare the corpus with medium=video")
        settings = {"method": METHOD, "pictures": asdict(self.pictures), "view": asdict(task.view), "cnn": digest,
                    "start": task.cut.start, "duration": task.cut.duration, "video": _digest_of(video["path"])}
        key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:32]
        path = folder / key[:2] / f"{key}.npy"
        if not path.exists():
            blocks = embedding_blocks(video["path"], self.pictures, embed, task.view, task.cut.start,
                                      task.cut.start + task.cut.duration)
            frames = np.concatenate(list(blocks))
            with whole_file(path) as temporary:
                np.save(temporary, frames.astype(np.float16), allow_pickle=False)
        return path

    def cut(self, task: _Task, path: Path) -> Cut:
        """The cut of stored embeddings."""
        shape = np.load(path, mmap_mode="r").shape
        said: Said = {"text": text_of(task.cut), "label": label_of(task.cut), "speaker": speaker_of(task.cut),
                      "group": group_of(task.cut)}
        return frames_cut(task.identity, path, shape=shape, frame_shift=1 / self.pictures.rate, **said)


def _open_cnn(recipe: _Recipe) -> tuple[Embed, str]:
    """The CNN of a recipe, ready to run, on a GPU in torch, else in ONNX Runtime; and a digest of its weights."""
    import torch

    from ...common.inference.runtime import open_session
    from ..frontends.backbone import FrameEmbedder, export_onnx

    if not recipe.weights:
        raise EarsightError("the recipe names no weights, and random ones are no use; give weights=NAME or FILE")
    embedder = FrameEmbedder(recipe.backbone, recipe.weights).eval()
    digest = hashlib.sha256(recipe.backbone.encode())
    for name, value in sorted(embedder.state_dict().items()):
        digest.update(name.encode() + value.numpy().tobytes())
    if torch.cuda.is_available():
        embedder = embedder.cuda()

        def embed(pictures: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                return embedder(torch.from_numpy(pictures)[None].cuda())[0].cpu().numpy()

        return embed, digest.hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        export_onnx(embedder, recipe.pictures, Path(folder) / "frontend.onnx")
        session = open_session(Path(folder) / "frontend.onnx", threads=1)  # clips run side by side

    def run(pictures: np.ndarray) -> np.ndarray:
        frames = session.run(None, {"pictures": pictures[None]})[0]
        assert isinstance(frames, np.ndarray)  # ONNX Runtime knows other outputs too
        return frames[0]

    return run, digest.hexdigest()


def _digest_of(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EarsightError(f"{path}: cannot be read ({error.strerror}); prepare the corpus again") from error
