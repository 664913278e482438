"""Sound as the frames of a pretrained encoder, which `earsight prepare embeddings` stores."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...common.data.corpora.embeddings import file_digest, prepare_views, weights_digest
from ...common.data.corpora.parts import Parts
from ...common.data.cuts import clip_files
from ...common.data.manifest import read_manifest
from ...common.errors import EarsightError
from ...common.inference.runtime import Runtime, open_session, run_graph
from ...common.model_folder import FRONTEND
from ...common.recipes import read_yaml
from ..clip_augmentation import ClipAugmentation, ClipChange, changed, draw_change
from ..data import read_clip
from ..frontends.pretrained import LONGEST, PretrainedSettings, build_frontend
from .files import OPENERS

if TYPE_CHECKING:
    from lhotse.cut import Cut

METHOD = 1  # goes up when the same settings come to give other frames, so that older ones are computed again


def prepare_embeddings(source: Path, destination: Path, *, config: str, views: int = 0, weights: str = "",
                       model: str = "", progress: bool = True) -> Parts:
    """The frames that a pretrained encoder gives of sound; see `common.data.corpora.embeddings.prepare_views`.

    Options: `config`, the recipe whose model.pretrained says which encoder; `views`, how many augmented views of each
    training clip there are beside the clip itself, as the recipe's data.views draw them; `weights`, a file in place of
    the recipe's; `model`, a model folder or an installed model whose frontend gives the frames in the encoder's place.
    """
    if model:
        return prepare_views(source, destination, FolderEmbedder(model, read_views(Path(config))), views, progress)
    settings, augmentation = _read_recipe(Path(config), weights)
    return prepare_views(source, destination, _SoundEmbedder(settings, augmentation), views, progress)


def read_views(path: Path) -> ClipAugmentation:
    """How a recipe's data.views augment waveforms."""
    try:
        views = dict(read_yaml(path)["data"]["init_args"].get("views") or {})
        views |= {"snr": tuple(views["snr"])} if "snr" in views else {}
        return ClipAugmentation(**views)
    except (KeyError, TypeError, AttributeError) as error:
        raise EarsightError(f"{path}: no recipe whose data.views can be read ({error}); name one like configs/en.yaml"
                            ) from error


def _read_recipe(path: Path, weights: str) -> tuple[PretrainedSettings, ClipAugmentation]:
    plain = read_yaml(path)
    augmentation = read_views(path)
    try:
        settings = PretrainedSettings(**plain["model"]["init_args"]["pretrained"])
    except (KeyError, TypeError) as error:
        raise EarsightError(f"{path}: no recipe of a speech model with a pretrained frontend ({error}); name one like "
                            "configs/en.yaml") from error
    settings = replace(settings, weights=weights or settings.weights)
    if not settings.weights:
        raise EarsightError("the recipe names no weights, and random ones are no use; give weights=FILE")
    return settings, augmentation


class _Embedder:
    """What embedders of sound share.

    Args:
        encoder: what gives the frames, and a digest of its weights.
        run: a waveform (samples,) -> frames (time, feature).
        longest: seconds that it takes.
    """

    def __init__(self, augmentation: ClipAugmentation, sample_rate: int, frame_shift: float, encoder: dict[str, Any],
                 run: Callable[[np.ndarray], np.ndarray], longest: float) -> None:
        self.frame_shift, self.sample_rate = frame_shift, sample_rate
        self._augmentation = augmentation
        self._noises = list(read_manifest(augmentation.noises, OPENERS)) if augmentation.noises else []
        self._encoder, self._run, self._longest = encoder, run, longest

    def plain_view(self) -> ClipChange:
        return ClipChange()

    def draw_view(self, rng: np.random.Generator) -> ClipChange:
        return draw_change(self._augmentation, rng)

    def settings(self, cut: Cut, view: ClipChange) -> dict[str, Any]:
        files = clip_files(cut)
        if not cut.has_recording or not files:
            raise EarsightError(f"{cut.id}: has no recording that lies in a file; prepare the corpus as sound")
        return {"method": METHOD, "encoder": self._encoder, "view": asdict(view), "noises": self._augmentation.noises,
                "sound": [file_digest(file) for file in files],
                "channel": str(getattr(cut, "channel", 0))}

    def embed(self, cut: Cut, view: ClipChange) -> np.ndarray:
        if cut.duration / view.speed > self._longest:
            raise EarsightError(f"{cut.id}: {cut.duration:.1f} s, and the encoder takes at most {self._longest:.0f} s; "
                                "cut it where its words' times are known (`earsight align` tells them)")
        clip = read_clip(cut, self.sample_rate, view.speed)
        noise = None
        if self._noises and view.snr is not None:
            noise = read_clip(self._noises[view.seed % len(self._noises)], self.sample_rate)
        return self._run(changed(clip, self.sample_rate, view, noise) if view != ClipChange() else clip)


class _SoundEmbedder(_Embedder):
    def __init__(self, settings: PretrainedSettings, augmentation: ClipAugmentation) -> None:
        frontend = build_frontend(settings).eval()
        plain = {name: value for name, value in asdict(settings).items() if name != "weights"}
        encoder = plain | {"digest": weights_digest(settings.encoder, frontend.state_dict())}
        super().__init__(augmentation, frontend.sample_rate, frontend.frame_shift, encoder, _runner(frontend), LONGEST)


class FolderEmbedder(_Embedder):
    """The frames that a model folder's own frontend gives, as `earsight classify` computes them.

    Raises:
        EarsightError: the model takes no sound.
    """

    def __init__(self, model: str | Path, augmentation: ClipAugmentation) -> None:
        runtime = Runtime(model)
        config = runtime.config
        if not config.sample_rate:
            raise EarsightError(f"model {runtime.name} takes no sound, so that it gives no frames of it; name another")
        encoder = {"frontend": config.frontend, "digest": file_digest(runtime.folder / FRONTEND)}
        super().__init__(augmentation, config.sample_rate, config.frame_shift, encoder, runtime.frames, math.inf)


def _runner(frontend: Any) -> Callable[[np.ndarray], np.ndarray]:
    """What a frontend stores of a waveform (samples,): on a GPU in torch, else in ONNX Runtime, in float32."""
    import torch

    if torch.cuda.is_available():
        frontend = frontend.cuda()

        def embed(samples: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                waveform = torch.from_numpy(samples)[None].cuda()
                return frontend.lower(waveform, torch.tensor([len(samples)], device="cuda"))[0][0].cpu().numpy()

        return embed
    with tempfile.TemporaryDirectory() as folder:
        frontend.export_onnx(Path(folder) / "frontend.onnx", stored=True)
        session = open_session(Path(folder) / "frontend.onnx", threads=1)  # clips run side by side
    return lambda samples: run_graph(session, frontend.fitted(samples)[None])[0]
