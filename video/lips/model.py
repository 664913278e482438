"""The model that reads lips: eigenlips under the encoder that all media share."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
from lhotse.cut import Cut
from torch import Tensor

from ...common.checkpoint import read_checkpoint
from ...common.data.cuts import frames_of
from ...common.data.datamodule import Batch, Clip
from ...common.nn.encoder import EncoderSettings
from ...common.nn.module import NormaliserSettings, OptimiserSettings, SequenceModel
from ...common.nn.restoring import model_options, restore
from ...common.training.export import export_model
from ..mouth.crops import MouthSettings
from ..mouth.eigenlips import Eigenlips, EigenlipsSettings
from ..mouth.faces import DETECTOR, detector_file
from ..mouth.network import MouthNetwork, NetworkSettings
from .data import LipData, count_pictures, read_mouths

EVERY = 5  # pictures of the training set's clips from one that eigenlips are found of to the next


def load_model(path: str | Path) -> "LipModel":
    """The model of a checkpoint, on the CPU, ready to recognise."""
    checkpoint = read_checkpoint(path)
    settings = checkpoint["earsight"]["settings"]
    model = LipModel(mouth=MouthSettings(**settings["mouth"]), eigenlips=EigenlipsSettings(**settings["eigenlips"]),
                     network=network_of(settings), **model_options(checkpoint))
    restore(model, checkpoint, path)
    return model


def export_checkpoint(checkpoint: Path, destination: Path, int8: bool = False, card: Path | None = None) -> Path:
    """Turn a checkpoint into a model folder; see `common.training.export.export_model`."""
    model = load_model(checkpoint)
    frontend = {**asdict(model.mouth), "detector": "."}  # beside this model's other graphs
    settings = {"sample_rate": 0, "frame_shift": 1 / model.mouth.rate, "frontend": frontend}
    return export_model(model, destination, partial(_write_frontend, model), settings, int8, card)


def _write_frontend(model: "LipModel", path: Path) -> None:
    """Write the graph of eigenlips, and the face detector's beside it."""
    model.frontend.export_onnx(path)
    shutil.copyfile(detector_file(model.mouth.detector), path.parent / DETECTOR)


class LipModel(SequenceModel):
    """A film's mouth in, text out.

    Args:
        labels, auxiliary_labels, normaliser, encoder, optimiser, auxiliary_weight, auxiliary_layer,
            head_dropout: see `SequenceModel`.
        mouth: how mouths are cut out of films; see `video.mouth.crops.MouthSettings`.
        eigenlips: what is taken of their pictures; see `video.mouth.eigenlips.EigenlipsSettings`. They are found of
            the training set, when training begins.
        network: a convolutional network over the pictures, trained with the encoder, in place of eigenlips; see
            `video.mouth.network.NetworkSettings`.
    """

    medium = "lips"

    def __init__(self, labels: dict, auxiliary_labels: dict | None = None, mouth: MouthSettings = MouthSettings(),
                 eigenlips: EigenlipsSettings = EigenlipsSettings(), network: NetworkSettings | None = None,
                 normaliser: NormaliserSettings = NormaliserSettings(deltas=2),
                 encoder: EncoderSettings = EncoderSettings(), optimiser: OptimiserSettings = OptimiserSettings(),
                 auxiliary_weight: float = 0.3, auxiliary_layer: int = 2, head_dropout: float = 0.2):
        frontend = build_frontend(mouth, eigenlips, network)
        super().__init__(labels, auxiliary_labels, frontend.settings.size, 1 / mouth.rate, normaliser, encoder,
                         optimiser, auxiliary_weight, auxiliary_layer, head_dropout)
        self.settings |= {"mouth": asdict(mouth), "eigenlips": asdict(eigenlips),
                          "network": asdict(network) if network else None}
        self.mouth = mouth
        self.frontend = frontend

    def frames(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return self.frontend(batch.frames, batch.frame_lengths), batch.frame_lengths

    def reader(self) -> Callable[[Cut], Clip]:
        return partial(read_mouths, settings=self.mouth)

    @property
    def n_stored(self) -> int:
        return self.mouth.side**2

    def count_frames(self, cut: Cut) -> int:
        return super().count_frames(cut) if frames_of(cut) is not None else count_pictures(cut, self.mouth.rate)

    def setup(self, stage: str) -> None:
        data = getattr(self.trainer, "datamodule")  # Lightning sets it from without, and does not declare it
        data.mouth = self.mouth
        if stage == "fit":
            fit_eigenlips(self.frontend, self.mouth, data.cuts("train"))


def build_frontend(mouth: MouthSettings, eigenlips: EigenlipsSettings, network: NetworkSettings | None
                   ) -> Eigenlips | MouthNetwork:
    """What makes features of pictures: a network where there is one, else eigenlips."""
    return MouthNetwork(mouth.side, network) if network else Eigenlips(mouth.side, eigenlips)


def network_of(settings: dict) -> NetworkSettings | None:
    """The network's settings in those of a checkpoint."""
    plain = settings.get("network")
    return NetworkSettings(**{**plain, "channels": tuple(plain["channels"])}) if plain else None


def fit_eigenlips(frontend: Eigenlips | MouthNetwork, mouth: MouthSettings, cuts: Iterable[Cut]) -> None:
    """Find eigenlips of some pictures of each clip, where they are wanted and not found yet."""
    if isinstance(frontend, Eigenlips) and not frontend.fitted:
        frontend.fit(np.ascontiguousarray(read_mouths(cut, mouth)[::EVERY]) for cut in cuts)


__all__ = ["LipData", "LipModel", "export_checkpoint", "load_model"]  # recipes name the first two
