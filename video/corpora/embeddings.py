"""Videos as embeddings of their frames, which `earsight prepare embeddings` stores."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...common.data.corpora.embeddings import file_digest, prepare_views, weights_digest
from ...common.data.corpora.parts import Parts
from ...common.data.cuts import video_of
from ...common.errors import EarsightError
from ...common.recipes import read_yaml
from ..frontends.embedding import Embed, embedding_blocks
from ..frontends.pictures import CNN_STREAMS, PictureSettings, View, ViewSettings, draw_view
from ..pose.graphs import DETECTOR, LANDMARKER, graphs_folder

if TYPE_CHECKING:
    from lhotse.cut import Cut

METHOD = 2  # goes up when the same settings come to give other embeddings, so that older ones are computed again


def prepare_embeddings(source: Path, destination: Path, *, config: str, views: int = 0, weights: str = "",
                       progress: bool = True) -> Parts:
    """The embeddings of videos; see `common.data.corpora.embeddings.prepare_views`.

    Options: `config`, the recipe whose model says what the CNN sees; `views`, how many augmented views of each training
    clip there are beside the clip itself, as the recipe's data.views draw them; `weights`, a file in place of the
    recipe's.
    """
    recipe = _Recipe.read(Path(config), weights)
    embed, digest = _open_cnn(recipe)
    return prepare_views(source, destination, _VideoEmbedder(recipe, embed, digest), views, progress)


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


class _VideoEmbedder:
    def __init__(self, recipe: _Recipe, embed: Embed, digest: str) -> None:
        self.recipe, self._embed, self._digest = recipe, embed, digest
        self.frame_shift = 1 / recipe.pictures.rate
        pose = recipe.pictures.pose
        self._pictures = asdict(recipe.pictures)
        if pose:
            del self._pictures["pose"]["graphs"]  # what they hold counts, not where they lie
        else:
            del self._pictures["pose"]  # the keys of recipes from before there was one stay
        self._pose_digests = {name: file_digest(graphs_folder(pose.graphs) / name)
                              for name in (DETECTOR, LANDMARKER) if pose}

    def plain_view(self) -> View:
        return View()

    def draw_view(self, rng: np.random.Generator) -> View:
        return draw_view(self.recipe.views, rng)

    def settings(self, cut: Cut, view: View) -> dict[str, Any]:
        return {"method": METHOD, "pictures": self._pictures, "view": asdict(view), "cnn": self._digest,
                "video": file_digest(self._video(cut)), **self._pose_digests}

    def embed(self, cut: Cut, view: View) -> np.ndarray:
        blocks = embedding_blocks(self._video(cut), self.recipe.pictures, self._embed, view, cut.start,
                                  cut.start + cut.duration)
        return np.concatenate(list(blocks))

    @staticmethod
    def _video(cut: Cut) -> str:
        video = video_of(cut)
        if video is None:
            raise EarsightError(f"{cut.id}: is no video; prepare the corpus with medium=video")
        return video["path"]


def _open_cnn(recipe: _Recipe) -> tuple[Embed, str]:
    """The CNN of a recipe, ready to run, on a GPU in torch, else in ONNX Runtime; and a digest of its weights.

    A recipe without streams for it needs none.
    """
    if not recipe.pictures.streams.keys() & set(CNN_STREAMS):
        return np.asarray, ""
    import torch

    from ...common.inference.runtime import open_session
    from ..frontends.backbone import FrameEmbedder, export_onnx

    if not recipe.weights:
        raise EarsightError("the recipe names no weights, and random ones are no use; give weights=NAME or FILE")
    embedder = FrameEmbedder(recipe.backbone, recipe.weights).eval()
    digest = weights_digest(recipe.backbone, embedder.state_dict())
    if torch.cuda.is_available():
        embedder = embedder.cuda()

        def embed(pictures: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                return embedder(torch.from_numpy(pictures)[None].cuda())[0].cpu().numpy()

        return embed, digest
    with tempfile.TemporaryDirectory() as folder:
        export_onnx(embedder, recipe.pictures, Path(folder) / "frontend.onnx")
        session = open_session(Path(folder) / "frontend.onnx", threads=1)  # clips run side by side

    def run(pictures: np.ndarray) -> np.ndarray:
        frames = session.run(None, {"pictures": pictures[None]})[0]
        assert isinstance(frames, np.ndarray)  # ONNX Runtime knows other outputs too
        return frames[0]

    return run, digest
