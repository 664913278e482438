"""The speech model: MFCC frames, or those of a pretrained encoder, under the encoder that speech and video share."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
from lhotse.cut import Cut
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ..common.checkpoint import read_checkpoint
from ..common.data.datamodule import Batch, Clip
from ..common.errors import EarsightError
from ..common.inference.runtime import open_session, run_graph
from ..common.labels import BLANK
from ..common.nn.encoder import EncoderSettings
from ..common.nn.heads import limited_loss
from ..common.nn.module import NormaliserSettings, OptimiserSettings, SequenceModel
from ..common.nn.restoring import model_options, restore
from ..common.training.export import borrowed_frontend, export_model, quantise
from .augmentation import SpectrumSettings, augment_cepstra, mask_frames, outer_silence
from .data import read_clip
from .frontends.mfcc import Mfcc
from .frontends.mfcc_settings import preset
from .frontends.pretrained import LONGEST, PretrainedFrontend, PretrainedSettings, WhisperFrontend, build_frontend

SILENCE_MARGIN = 0.2  # s beside what is loud that are not called silent
FRONTEND_TOLERANCE = 1e-3  # of a float32 graph's frames, as a share of the largest; int8 is measured on data


def load_model(path: str | Path) -> SequenceModel:
    """The model of a checkpoint, on the CPU, ready to recognise: a speech model, or one of stored frames."""
    checkpoint = read_checkpoint(path)
    saved = checkpoint["earsight"]
    options, settings = model_options(checkpoint), saved["settings"]
    if saved["medium"] == SpeechModel.medium:
        pretrained = PretrainedSettings(**settings["pretrained"]) if settings.get("pretrained") else None
        changes = settings.get("mfcc") or {}
        return restore(SpeechModel(mfcc_changes=changes, pretrained=pretrained, **options), checkpoint, path)
    if saved["medium"] == SequenceModel.medium:
        given = {name: settings[name] for name in ("n_features", "frame_shift")}
        return restore(SequenceModel(**given, **options), checkpoint, path)
    raise EarsightError(f"{path}: a {saved['medium']} model, not one of speech or stored frames")


def export_checkpoint(checkpoint: Path, destination: Path, int8: bool = False, card: Path | None = None,
                      frontend_of: str | None = None) -> Path:
    """Turn a checkpoint into a model folder; see `common.training.export.export_model`.

    Args:
        frontend_of: for a model of stored frames, the model whose frontend made them; it comes along.
    """
    model = load_model(checkpoint)
    if not isinstance(model, SpeechModel):
        write, settings = None, {"sample_rate": 0, "frame_shift": model.settings["frame_shift"], "frontend": {}}
        if frontend_of:
            write, settings = borrowed_frontend(frontend_of, model.normaliser.n_input)
        return export_model(model, destination, write, settings, int8, card)
    frontend = model.frontend
    settings = {"sample_rate": frontend.sample_rate, "frame_shift": frontend.frame_shift,
                "frontend": frontend.plain_settings()}
    return export_model(model, destination, partial(_write_frontend, frontend, int8=int8), settings, int8, card)


def _write_frontend(frontend: Mfcc | PretrainedFrontend, path: Path, int8: bool) -> None:
    """Write a frontend's graph; a pretrained one is compared with what trained, and in 8-bit integers where asked for.

    Raises:
        EarsightError: the graph computes something else than the frontend that trained.
    """
    frontend.export_onnx(path)
    if not isinstance(frontend, WhisperFrontend):  # Moonshine's graph is its makers'
        return
    samples = np.random.default_rng(1).uniform(-0.5, 0.5, 3 * frontend.sample_rate + 77).astype(np.float32)
    with torch.no_grad():
        expected = frontend(torch.from_numpy(samples)[None])[0][0].numpy()
    error = float(np.abs(run_graph(open_session(path, 1), samples[None])[0] - expected).max() / np.abs(expected).max())
    if not error <= FRONTEND_TOLERANCE:
        raise EarsightError(f"the exported frontend differs from the one that trained by {error:.2g} of its largest "
                            "value; nothing was written; please report this with the versions of torch and onnx")
    if int8:
        quantise(path)


class SpeechModel(SequenceModel):
    """Waveforms or stored frames in, text or a class out.

    Args:
        labels, auxiliary_labels, normaliser, encoder, optimiser, auxiliary_weight, auxiliary_layer,
            head_dropout: see `SequenceModel`.
        mfcc: preset of the frontend: "an4", "librosa", "torchaudio" or "kaldi".
        mfcc_changes: fields of `audio.frontends.mfcc.MfccSettings` that differ from the preset.
        pretrained: an encoder that others have trained makes the frames in place of MFCC; its stored frames
            (`earsight prepare embeddings`) are those below what is tuned of it.
        pretrained_rate: learning rate of its tuned blocks, as a share of the others'.
        spectrum: augmentation of frames in training; none by default. Of a pretrained encoder's frames only spans of
            time and features are masked.
        silence: weight of the loss of labels that stand where nobody speaks; see `further_loss`.
    """

    medium = "speech"

    def __init__(self, labels: dict, auxiliary_labels: dict | None = None, mfcc: str = "an4",
                 mfcc_changes: dict[str, bool | int | float | str | None] = {},
                 pretrained: PretrainedSettings | None = None, pretrained_rate: float = 0.1,
                 spectrum: SpectrumSettings | None = None, normaliser: NormaliserSettings = NormaliserSettings(),
                 encoder: EncoderSettings = EncoderSettings(), optimiser: OptimiserSettings = OptimiserSettings(),
                 auxiliary_weight: float = 0.3, auxiliary_layer: int = 2, head_dropout: float = 0.2,
                 silence: float = 0.0):
        frontend = build_frontend(pretrained) if pretrained else Mfcc(preset(mfcc, **mfcc_changes))
        super().__init__(labels, auxiliary_labels, frontend.n_features, frontend.frame_shift, normaliser, encoder,
                         optimiser, auxiliary_weight, auxiliary_layer, head_dropout)
        if isinstance(frontend, Mfcc):
            self.settings["mfcc"] = asdict(frontend.settings)
        else:
            # Without the file: its weights are in the checkpoint.
            self.settings["pretrained"] = asdict(frontend.settings) | {"weights": None}
        self.spectrum, self.silence = spectrum, silence
        self.pretrained_rate = pretrained_rate
        self.frontend: Mfcc | PretrainedFrontend = frontend

    def frames(self, batch: Batch) -> tuple[Tensor, Tensor]:
        stored = batch.frames
        if len(stored) and isinstance(self.frontend, PretrainedFrontend):
            stored = self.frontend.upper(stored, batch.frame_lengths)
        if not len(batch.inputs):
            return stored, batch.frame_lengths
        frames, lengths = self.frontend(batch.inputs, batch.input_lengths)
        if not len(stored):
            return frames, lengths
        both = pad_sequence([*frames, *stored], batch_first=True)
        return both, torch.cat([lengths, batch.frame_lengths])

    def further_loss(self, batch: Batch, outputs: Tensor, lengths: Tensor) -> Tensor | float:
        """That labels stand where somebody speaks, as in `AudioVisualModel.further_loss`; of waveforms alone."""
        waveforms, count = batch.inputs, len(batch.inputs)  # they come before stored frames
        if not self.silence or not count or not isinstance(waveforms, Tensor) or self.labels.kind == "classes":
            return 0.0
        unit = round(self.frontend.frame_shift * self.frontend.sample_rate) * self.encoder.stride
        margin = round(SILENCE_MARGIN * self.frontend.sample_rate / unit)
        silent = outer_silence(waveforms, batch.input_lengths, unit, outputs.shape[1], margin)
        said = torch.arange(outputs.shape[-1], device=outputs.device) != BLANK
        targets = batch.target_lengths[:count]
        return self.silence * limited_loss(outputs[:count], silent[..., None] & said, lengths[:count],
                                           batch.targets[:int(targets.sum())], targets)

    def reader(self) -> Callable[[Cut], Clip]:
        return partial(read_clip, sample_rate=self.frontend.sample_rate)

    @property
    def n_stored(self) -> int:
        return self.frontend.n_stored if isinstance(self.frontend, PretrainedFrontend) else self.frontend.n_features

    def count_frames(self, cut: Cut) -> int:
        if not cut.has_recording:
            return super().count_frames(cut)
        if isinstance(self.frontend, PretrainedFrontend) and cut.duration > LONGEST:
            raise EarsightError(f"{cut.id}: {cut.duration:.1f} s, and a pretrained encoder takes at most {LONGEST:.0f} "
                                "s; leave it out, or cut it where its words' times are known (`earsight align`)")
        return int(self.frontend.n_frames(round(cut.duration * self.frontend.sample_rate)))

    def learning_rates(self) -> list[tuple[list[nn.Parameter], float]]:
        if isinstance(self.frontend, Mfcc):
            return super().learning_rates()
        tuned = [p for module in self.frontend.tuned for p in module.parameters()]
        known = {id(p) for p in self.frontend.parameters()} - {id(p) for p in self.frontend.own_parameters()}
        return [([p for p in self.parameters() if id(p) not in known], 1.0), (tuned, self.pretrained_rate)]

    def augment(self, frames: Tensor, lengths: Tensor) -> Tensor:
        if self.spectrum is None:
            return frames
        if isinstance(self.frontend, Mfcc):
            return augment_cepstra(frames, lengths, self.frontend.dct, self.frontend.mel_centres,
                                   self.frontend.frame_shift, self.spectrum)
        return mask_frames(frames, lengths, self.frontend.frame_shift, self.spectrum)
