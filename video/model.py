"""The video model: CNN embeddings of pictures under the encoder that speech and video share."""

import math
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch
from lhotse.cut import Cut
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ..common.checkpoint import read_checkpoint
from ..common.data.cuts import video_of
from ..common.data.datamodule import Batch, Clip
from ..common.errors import EarsightError
from ..common.nn.encoder import EncoderSettings
from ..common.nn.frames import length_mask
from ..common.nn.module import NormaliserSettings, OptimiserSettings, SequenceModel
from ..common.nn.restoring import model_options, restore
from ..common.training.export import export_model
from .data import read_video
from .frontends.backbone import FrameEmbedder, export_onnx
from .frontends.pictures import CNN_STREAMS, PictureSettings
from .pose.graphs import DETECTOR, LANDMARKER, graphs_folder


def load_model(path: str | Path) -> "VideoModel":
    """The model of a checkpoint, on the CPU, ready to recognise."""
    checkpoint = read_checkpoint(path)
    settings = checkpoint["earsight"]["settings"]
    model = VideoModel(pictures=PictureSettings.from_dict(settings["pictures"]), backbone=settings["backbone"],
                       tuned_blocks=settings["tuned_blocks"], fusion=settings["fusion"], **model_options(checkpoint))
    restore(model, checkpoint, path)
    return model


def export_checkpoint(checkpoint: Path, destination: Path, int8: bool = False, card: Path | None = None) -> Path:
    """Turn a checkpoint into a model folder; see `common.training.export.export_model`."""
    model = load_model(checkpoint)
    frontend = asdict(model.pictures)
    if frontend["pose"]:
        frontend["pose"]["graphs"] = "."  # beside this model's other graphs
    settings = {"sample_rate": 0, "frame_shift": 1 / model.pictures.rate, "frontend": frontend}
    return export_model(model, destination, partial(_export_frontend, model), settings, int8, card)


def _export_frontend(model: "VideoModel", path: Path) -> None:
    """Write the CNN's graph, and those of the pose stream beside it."""
    export_onnx(model.frontend, model.pictures, path)
    if model.pictures.pose:
        for name in (DETECTOR, LANDMARKER):
            shutil.copyfile(graphs_folder(model.pictures.pose.graphs) / name, path.parent / name)


class VideoModel(SequenceModel):
    """Pictures of a video or their stored embeddings in, a class or text out.

    Args:
        labels, auxiliary_labels, normaliser, encoder, optimiser, auxiliary_weight, auxiliary_layer,
            head_dropout: see `SequenceModel`.
        pictures: how a video is sampled, and which streams there are; see `video.frontends.pictures.PictureSettings`.
        backbone, weights, tuned_blocks: the CNN; see `video.frontends.backbone.FrameEmbedder`.
        backbone_rate: learning rate of the tuned blocks, as a share of the others'.
        fusion: "late": each stream has an encoder and a head of its own, and they speak together (their
            log-probabilities' mean); "early": one encoder reads all streams' features side by side.
    """

    medium = "video"

    def __init__(self, labels: dict, auxiliary_labels: dict | None = None,
                 pictures: PictureSettings = PictureSettings(), backbone: str = "mobilenet_v2",
                 weights: str | None = None, tuned_blocks: int = 0, backbone_rate: float = 0.1,
                 fusion: str = "late", normaliser: NormaliserSettings = NormaliserSettings(normalise="set"),
                 encoder: EncoderSettings = EncoderSettings(), optimiser: OptimiserSettings = OptimiserSettings(),
                 auxiliary_weight: float = 0.3, auxiliary_layer: int = 2, head_dropout: float = 0.2):
        if fusion not in ("early", "late"):
            raise EarsightError(f"model.fusion {fusion!r} is unknown; choose early or late")
        embedder = FrameEmbedder(backbone, weights, tuned_blocks)
        widths = pictures.widths(embedder.n_features)
        encoder = replace(encoder, streams=widths if fusion == "late" and len(widths) > 1 else ())
        super().__init__(labels, auxiliary_labels, sum(widths), 1 / pictures.rate, normaliser, encoder, optimiser,
                         auxiliary_weight, auxiliary_layer, head_dropout)
        self.settings |= {"pictures": asdict(pictures), "backbone": backbone, "tuned_blocks": tuned_blocks,
                          "fusion": fusion}
        self.pictures = pictures
        self.backbone_rate = backbone_rate
        self.frontend = embedder

    def frames(self, batch: Batch) -> tuple[Tensor, Tensor]:
        if not len(batch.inputs):
            return batch.frames, batch.frame_lengths
        lengths = batch.input_lengths
        time = int(lengths.max())
        columns = []
        for pictures, (name, stream) in zip(batch.inputs, self.pictures.streams.items(), strict=True):
            shown = torch.div(lengths + stream.every - 1, stream.every, rounding_mode="floor")
            inside = length_mask(shown, pictures.shape[1]).squeeze(-1).bool()
            with torch.set_grad_enabled(torch.is_grad_enabled() and bool(self.frontend.tuned)):
                # Padding is never embedded: it would cost time, and enter the statistics of batch normalisation.
                embedded = self.frontend(pictures[inside]) if name in CNN_STREAMS else pictures[inside]
            column = embedded.new_zeros(*inside.shape, embedded.shape[-1])
            column[inside] = embedded
            columns.append(column.repeat_interleave(stream.every, dim=1)[:, :time])
        frames = torch.cat(columns, dim=-1) * length_mask(lengths, time)
        if not len(batch.frames):
            return frames, lengths
        both = pad_sequence([*frames, *batch.frames], batch_first=True)
        return both, torch.cat([lengths, batch.frame_lengths])

    def reader(self) -> Callable[[Cut], Clip]:
        return partial(read_video, settings=self.pictures)

    def count_frames(self, cut: Cut) -> int:
        if video_of(cut) is None:
            return super().count_frames(cut)
        return max(1, math.ceil((cut.duration - self.pictures.lag) * self.pictures.rate))

    def learning_rates(self) -> list[tuple[list[nn.Parameter], float]]:
        tuned = [p for p in self.frontend.parameters() if p.requires_grad]
        frontend = {id(p) for p in self.frontend.parameters()}
        rest = [p for p in self.parameters() if id(p) not in frontend]
        return [(rest, 1.0), (tuned, self.backbone_rate)]

    def setup(self, stage: str) -> None:
        data = getattr(self.trainer, "datamodule")  # Lightning sets it from without, and does not declare it
        data.pictures = self.pictures
