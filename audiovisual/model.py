"""The model that reads sound and lips, or either of them, under the encoder that all media share."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from lhotse.cut import Cut
from torch import Tensor

from ..audio.frontends.mfcc_settings import MfccSettings
from ..common.checkpoint import read_checkpoint
from ..common.data.cuts import frames_of
from ..common.data.datamodule import Batch, Clip
from ..common.errors import EarsightError
from ..common.inference.runtime import open_session, run_graph
from ..common.labels import BLANK
from ..common.nn.encoder import EncoderSettings
from ..common.nn.frames import length_mask
from ..common.nn.heads import limited_loss
from ..common.nn.module import NormaliserSettings, OptimiserSettings, SequenceModel
from ..common.nn.restoring import model_options, restore
from ..common.training.export import export_model
from ..video.lips.data import count_pictures
from ..video.lips.model import build_frontend, fit_eigenlips, network_of
from ..video.mouth.crops import MouthSettings
from ..video.mouth.eigenlips import EigenlipsSettings
from ..video.mouth.faces import DETECTOR, detector_file
from ..video.mouth.network import NetworkSettings
from .data import AudioVisualData, read_rows
from .frontend import AudioVisualFrontend
from .rows import as_rows

FRONTEND_TOLERANCE = 1e-3  # of its frames, as a share of the largest

Fusion = Literal["early", "middle", "late"]


def load_model(path: str | Path) -> "AudioVisualModel":
    """The model of a checkpoint, on the CPU, ready to recognise."""
    checkpoint = read_checkpoint(path)
    settings = checkpoint["earsight"]["settings"]
    options = model_options(checkpoint)
    options["encoder"] = replace(options["encoder"], streams=(), joint=0, weighted=False)  # as `fusion` has them
    model = AudioVisualModel(mouth=MouthSettings(**settings["mouth"]), fusion=settings["fusion"],
                             eigenlips=EigenlipsSettings(**settings["eigenlips"]),
                             network=network_of(settings), mfcc=MfccSettings(**settings["mfcc"]), **options)
    restore(model, checkpoint, path)
    return model


def export_checkpoint(checkpoint: Path, destination: Path, int8: bool = False, card: Path | None = None) -> Path:
    """Turn a checkpoint into a model folder; see `common.training.export.export_model`."""
    model = load_model(checkpoint)
    settings = {"sample_rate": model.sample_rate, "frame_shift": 1 / model.mouth.rate,
                "frontend": {**asdict(model.mouth), "detector": "."}}  # beside this model's other graphs
    return export_model(model, destination, partial(_write_frontend, model), settings, int8, card)


def _write_frontend(model: "AudioVisualModel", path: Path) -> None:
    """Write the frontend's graph, and the face detector's beside it.

    Raises:
        EarsightError: the graph computes something else than the frontend that trained.
    """
    model.frontend.export_onnx(path)
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (19, model.mouth.side**2)).astype(np.float32)
    rows = as_rows(pixels, rng.uniform(-0.5, 0.5, 19 * model.frontend.each), model.frontend.each)[None]
    with torch.no_grad():
        expected = model.frontend(torch.from_numpy(rows), torch.tensor([19])).numpy()
    error = float(np.abs(run_graph(open_session(path, 1), rows) - expected).max() / np.abs(expected).max())
    if not error <= FRONTEND_TOLERANCE:
        raise EarsightError(f"the exported frontend differs from the one that trained by {error:.2g} of its largest "
                            "value; nothing was written; please report this with the versions of torch and onnx")
    shutil.copyfile(detector_file(model.mouth.detector), path.parent / DETECTOR)


class AudioVisualModel(SequenceModel):
    """A film's sound and mouth in, text out. One of both may be missing (see `AudioVisualData.streams`).

    Args:
        labels, auxiliary_labels, normaliser, optimiser, auxiliary_weight, auxiliary_layer, head_dropout: see
            `SequenceModel`.
        mouth, eigenlips, network: see `video.lips.model.LipModel`.
        mfcc: of the sound; a picture's time is to be whole hops.
        fusion: "early": one encoder reads all features; "middle": each stream has lower layers of its own, the upper
            ones read both; "late": each has an encoder and a head of its own, and what they say is weighed at each
            moment by how sure they are.
        encoder: its streams, joint layers and weighting follow from `fusion`.
        silence: weight of the loss of labels that stand where nobody speaks; see `further_loss`.
    """

    medium = "audiovisual"

    def __init__(self, labels: dict, auxiliary_labels: dict | None = None, mouth: MouthSettings = MouthSettings(),
                 eigenlips: EigenlipsSettings = EigenlipsSettings(), network: NetworkSettings | None = None,
                 mfcc: MfccSettings = MfccSettings(edges="round"), fusion: Fusion = "middle",
                 normaliser: NormaliserSettings = NormaliserSettings(),
                 encoder: EncoderSettings = EncoderSettings(), optimiser: OptimiserSettings = OptimiserSettings(),
                 auxiliary_weight: float = 0.3, auxiliary_layer: int = 2, head_dropout: float = 0.2,
                 silence: float = 1.0):
        frontend = AudioVisualFrontend(mouth, build_frontend(mouth, eigenlips, network), mfcc)
        super().__init__(labels, auxiliary_labels, sum(frontend.widths), 1 / mouth.rate, normaliser,
                         _fused(encoder, fusion, frontend.widths), optimiser, auxiliary_weight, auxiliary_layer,
                         head_dropout)
        self.settings |= {"mouth": asdict(mouth), "eigenlips": asdict(eigenlips), "mfcc": asdict(mfcc),
                          "network": asdict(network) if network else None, "fusion": fusion}
        self.mouth, self.sample_rate, self.frontend, self.silence = mouth, mfcc.sample_rate, frontend, silence

    def frames(self, batch: Batch) -> tuple[Tensor, Tensor]:
        frames = self.frontend(batch.frames, batch.frame_lengths)
        return frames * length_mask(batch.frame_lengths, frames.shape[1]), batch.frame_lengths

    def further_loss(self, batch: Batch, outputs: Tensor, lengths: Tensor) -> Tensor | float:
        """That labels stand where somebody speaks: the CTC loss of alignments that put none where nobody does.

        CTC does not mind where labels stand as long as their order is right, and a bidirectional encoder that knows how
        all sentences begin would say the first word at once, and the last one at the clip's end. Alignments are limited
        so, by times instead of silence, in Senior et al. (2015).
        """
        if self.labels.kind == "classes" or batch.frames.shape[-1] <= self.frontend.pixels + self.frontend.each:
            return 0.0
        silent = batch.frames[:, ::self.encoder.stride, -1:][:, :outputs.shape[1]] > 0
        said = torch.arange(outputs.shape[-1], device=outputs.device) != BLANK
        return self.silence * limited_loss(outputs, silent & said, lengths, batch.targets, batch.target_lengths)

    def reader(self) -> Callable[[Cut], Clip]:
        return partial(read_rows, settings=self.mouth, sample_rate=self.sample_rate)

    @property
    def n_stored(self) -> int:
        return self.mouth.side**2

    def count_frames(self, cut: Cut) -> int:
        return super().count_frames(cut) if frames_of(cut) is not None else count_pictures(cut, self.mouth.rate)

    def name_of(self, name: str, medium: str) -> str:
        """What reads lips alone may become the stream that does so here."""
        if medium != "lips" or self.settings["fusion"] == "early":
            return name
        encoders = "encoder.encoders.1." if self.settings["fusion"] == "late" else "encoder.below.encoders.1."
        for theirs, ours in (("frontend.", "frontend.lips."), ("encoder.", encoders), ("head.", "head.heads.1.")):
            if name.startswith(theirs):
                return ours + name.removeprefix(theirs)
        return name

    def setup(self, stage: str) -> None:
        data = getattr(self.trainer, "datamodule")  # Lightning sets it from without, and does not declare it
        data.mouth = self.mouth
        if stage == "fit":
            fit_eigenlips(self.frontend.lips, self.mouth, data.cuts("train"))


def _fused(encoder: EncoderSettings, fusion: Fusion, widths: tuple[int, int]) -> EncoderSettings:
    if fusion == "early":
        return encoder
    joint = encoder.layers - 1 if fusion == "middle" else 0
    return replace(encoder, streams=widths, joint=joint, weighted=fusion == "late")


__all__ = ["AudioVisualData", "AudioVisualModel", "export_checkpoint", "load_model"]  # recipes name the first two
