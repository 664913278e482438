"""The speech model: MFCC frames under the encoder that speech and video share."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from lhotse.cut import Cut
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..common.checkpoint import read_checkpoint
from ..common.data.datamodule import Batch, Clip
from ..common.errors import EarsightError
from ..common.nn.encoder import EncoderSettings
from ..common.nn.module import NormaliserSettings, OptimiserSettings, SequenceModel
from ..common.nn.restoring import model_options, restore
from ..common.training.export import export_model
from .augmentation import SpectrumSettings, augment_cepstra
from .data import read_clip
from .frontends.mfcc import Mfcc, export_onnx
from .frontends.mfcc_settings import MfccSettings, preset


def load_model(path: str | Path) -> SequenceModel:
    """The model of a checkpoint, on the CPU, ready to recognise: a speech model, or one of stored frames."""
    checkpoint = read_checkpoint(path)
    saved = checkpoint["earsight"]
    options, settings = model_options(checkpoint), saved["settings"]
    if saved["medium"] == SpeechModel.medium:
        return restore(SpeechModel(mfcc_changes=settings["mfcc"], **options), checkpoint, path)
    if saved["medium"] == SequenceModel.medium:
        given = {name: settings[name] for name in ("n_features", "frame_shift")}
        return restore(SequenceModel(**given, **options), checkpoint, path)
    raise EarsightError(f"{path}: a {saved['medium']} model, not one of speech or stored frames")


def export_checkpoint(checkpoint: Path, destination: Path, int8: bool = False, card: Path | None = None) -> Path:
    """Turn a checkpoint into a model folder; see `common.training.export.export_model`."""
    model = load_model(checkpoint)
    if not isinstance(model, SpeechModel):
        settings = {"sample_rate": 0, "frame_shift": model.settings["frame_shift"], "frontend": {}}
        return export_model(model, destination, None, settings, int8, card)
    mfcc = model.mfcc_settings
    settings = {"sample_rate": mfcc.sample_rate, "frame_shift": mfcc.frame_shift, "frontend": asdict(mfcc)}
    return export_model(model, destination, partial(export_onnx, model.frontend), settings, int8, card)


class SpeechModel(SequenceModel):
    """Waveforms or stored MFCC frames in, text or a class out.

    Args:
        labels, auxiliary_labels, normaliser, encoder, optimiser, auxiliary_weight, auxiliary_layer,
            head_dropout: see `SequenceModel`.
        mfcc: preset of the frontend: "an4", "librosa", "torchaudio" or "kaldi".
        mfcc_changes: fields of `audio.frontends.mfcc.MfccSettings` that differ from the preset.
        spectrum: augmentation of frames in training; none by default.
    """

    medium = "speech"

    def __init__(self, labels: dict, auxiliary_labels: dict | None = None, mfcc: str = "an4",
                 mfcc_changes: dict[str, bool | int | float | str | None] = {},
                 spectrum: SpectrumSettings | None = None, normaliser: NormaliserSettings = NormaliserSettings(),
                 encoder: EncoderSettings = EncoderSettings(), optimiser: OptimiserSettings = OptimiserSettings(),
                 auxiliary_weight: float = 0.3, auxiliary_layer: int = 2, head_dropout: float = 0.2):
        settings = preset(mfcc, **mfcc_changes)
        super().__init__(labels, auxiliary_labels, settings.n_mfcc, settings.frame_shift, normaliser, encoder,
                         optimiser, auxiliary_weight, auxiliary_layer, head_dropout)
        self.settings["mfcc"] = asdict(settings)
        self.spectrum = spectrum
        self.frontend = Mfcc(settings)

    @property
    def mfcc_settings(self) -> MfccSettings:
        """The frontend's settings."""
        return self.frontend.settings

    def frames(self, batch: Batch) -> tuple[Tensor, Tensor]:
        if not len(batch.inputs):
            return batch.frames, batch.frame_lengths
        frames, lengths = self.frontend(batch.inputs, batch.input_lengths)
        if not len(batch.frames):
            return frames, lengths
        both = pad_sequence([*frames, *batch.frames], batch_first=True)
        return both, torch.cat([lengths, batch.frame_lengths])

    def reader(self) -> Callable[[Cut], Clip]:
        return partial(read_clip, sample_rate=self.mfcc_settings.sample_rate)

    def count_frames(self, cut: Cut) -> int:
        if not cut.has_recording:
            return super().count_frames(cut)
        return int(self.mfcc_settings.n_frames(round(cut.duration * self.mfcc_settings.sample_rate)))

    def augment(self, frames: Tensor, lengths: Tensor) -> Tensor:
        if self.spectrum is None:
            return frames
        return augment_cepstra(frames, lengths, self.frontend.dct, self.frontend.mel_centres,
                               self.mfcc_settings.frame_shift, self.spectrum)
