"""Frontends that others have trained: Whisper's encoder, frozen or its last blocks tuned, and Moonshine's, frozen."""

import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from ...common.errors import EarsightError
from ...common.files import whole_file
from . import whisper
from .moonshine import SHORTEST, MoonshineGraph
from .whisper import WhisperEncoder, WhisperShape, attention_bias
from .whisper_weights import read_whisper

WHISPER = {"whisper-tiny.en": WhisperShape(384, 4), "whisper-tiny": WhisperShape(384, 4),
           "whisper-base.en": WhisperShape(512, 6), "whisper-base": WhisperShape(512, 6),
           "whisper-small.en": WhisperShape(768, 12), "whisper-small": WhisperShape(768, 12)}  # fmt: skip
MOONSHINE = ("moonshine-tiny",)
LONGEST = 30.0  # s, of one clip: Whisper's encoder has places for so many frames


@dataclass(frozen=True)
class PretrainedSettings:
    """Which encoder makes the frames, and what of it is used and trained.

    Attributes:
        encoder: whisper-tiny.en, whisper-base, ... or moonshine-tiny.
        weights: file of its weights; see `audio.frontends.whisper_weights` and `audio.frontends.moonshine`.
        layer: the block whose states are the frames, counted from 1; 0: the last one, normalised as the encoder's end.
        mix: a learnt mean of all blocks' states up to that layer in its place (Peters et al., 2018, section 3.2).
        tuned_blocks: how many blocks, counted from the layer down, are trained too; -1: all.
    """

    encoder: str = "whisper-tiny.en"
    weights: str | None = None
    layer: int = 0
    mix: bool = False
    tuned_blocks: int = 0


class PretrainedFrontend(nn.Module):
    """Waveforms (batch, samples) at 16 kHz with lengths (batch,) -> frames (batch, time, feature), lengths.

    It has two halves. What `lower` gives never changes in training, so that it may be computed once and stored
    (`earsight prepare embeddings`); `upper` makes frames of it.

    Attributes:
        n_features: of a frame.
        n_stored: features of a frame that `lower` gives.
        frame_shift: seconds.
        hop: samples from one frame to the next.
        shortest: samples that give a frame.
    """

    n_features: int
    n_stored: int
    hop: int
    shortest = 1

    def __init__(self, settings: PretrainedSettings) -> None:
        super().__init__()
        self.settings = settings
        self.sample_rate = whisper.SAMPLE_RATE
        self.tuned: list[nn.Module] = []

    @property
    def frame_shift(self) -> float:
        return self.hop / self.sample_rate

    def n_frames(self, samples: int) -> int:
        """How many frames a clip of so many samples has."""
        raise NotImplementedError

    def lower(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, samples), (batch,) -> what is stored (batch, time, n_stored), lengths in frames."""
        raise NotImplementedError

    def upper(self, states: Tensor, lengths: Tensor) -> Tensor:
        """What is stored -> frames (batch, time, n_features)."""
        return states

    def forward(self, waveforms: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if lengths is None:
            lengths = all_samples(waveforms)
        with torch.no_grad():
            states, counts = self.lower(waveforms, lengths)
        return self.upper(states, counts), counts

    def own_parameters(self) -> list[nn.Parameter]:
        """Parameters that nobody has trained before."""
        return []

    def plain_settings(self) -> dict[str, Any]:
        """What a model folder says of the frontend."""
        plain = {name: value for name, value in asdict(self.settings).items() if name != "weights"}
        return plain | {"hop_length": self.hop, "longest": LONGEST, "shortest": self.shortest}

    def fitted(self, samples: np.ndarray) -> np.ndarray:
        """A waveform (samples,) as the graph takes it: with zeros behind it where it is too short for a frame."""
        return np.pad(samples, (0, max(0, self.shortest - len(samples)))).astype(np.float32)

    def export_onnx(self, path: Path, stored: bool = False) -> None:
        """Write the graph waveform (1, samples) -> frames (1, time, feature), or what of them is stored."""
        raise NotImplementedError


class WhisperFrontend(PretrainedFrontend):
    """Whisper's encoder as a frontend."""

    def __init__(self, settings: PretrainedSettings) -> None:
        super().__init__(settings)
        shape = WHISPER[settings.encoder]
        layer = settings.layer or shape.layers
        if not 1 <= layer <= shape.layers:
            raise EarsightError(f"pretrained.layer {settings.layer}: {settings.encoder} has {shape.layers} blocks; "
                                f"give 1 to {shape.layers}, or 0 for its end")
        if settings.mix and settings.tuned_blocks:
            raise EarsightError("pretrained.mix is of blocks that stay as they are; give tuned_blocks 0, or no mix")
        self.encoder = WhisperEncoder(shape)
        if settings.weights:
            self.encoder.load_state_dict(read_whisper(Path(settings.weights), shape))
        del self.encoder.blocks[layer:]
        tuned = layer if settings.tuned_blocks < 0 else min(settings.tuned_blocks, layer)
        self.frozen = layer - tuned
        self.ends = settings.layer == 0 and not settings.mix  # with the norm
        if not self.ends:
            self.encoder.norm = nn.Identity()
        self.encoder.requires_grad_(False)
        self.tuned = [*self.encoder.blocks[self.frozen:], self.encoder.norm] if tuned else []
        for module in self.tuned:
            module.requires_grad_(True)
        self.hop = whisper.FRAME
        self.n_features = shape.width
        self.n_stored = shape.width * (layer if settings.mix else 1)
        self.shares = nn.Parameter(torch.zeros(layer)) if settings.mix else None

    def own_parameters(self) -> list[nn.Parameter]:
        return [] if self.shares is None else [self.shares]

    def n_frames(self, samples: int) -> int:
        return whisper.n_frames(samples)

    def lower(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x, counts = self.encoder.enter(waveforms, lengths)
        bias = attention_bias(counts, x.shape[1])
        states = []
        for block in self.encoder.blocks[: self.frozen]:
            x = block(x, bias)
            states.append(x)
        if self.shares is not None:
            x = torch.cat([functional.layer_norm(state, (self.n_features,)) for state in states], dim=-1)
        elif not self.tuned:
            x = self.encoder.norm(x)
        return x * _inside(counts, x), counts

    def upper(self, states: Tensor, lengths: Tensor) -> Tensor:
        if self.shares is not None:
            layers = states.view(*states.shape[:-1], len(self.shares), self.n_features)
            return (layers * self.shares.softmax(0)[:, None]).sum(-2)
        if self.tuned:
            bias = attention_bias(lengths, states.shape[1])
            for block in self.encoder.blocks[self.frozen:]:
                states = block(states, bias)
            states = self.encoder.norm(states) * _inside(lengths, states)
        return states

    def export_onnx(self, path: Path, stored: bool = False) -> None:
        class OneClip(nn.Module):
            def __init__(self, frontend: WhisperFrontend) -> None:
                super().__init__()
                self.frontend = frontend

            def forward(self, waveform: Tensor) -> Tensor:
                lengths = all_samples(waveform)
                return self.frontend.lower(waveform, lengths)[0] if stored else self.frontend(waveform, lengths)[0]

        device = self.encoder.positions.device
        with whole_file(path) as temporary, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer warns that Python branches are fixed; those hang on settings
            torch.onnx.export(OneClip(self).eval(), (torch.zeros(1, 16000, device=device),), str(temporary),
                              input_names=["waveform"], output_names=["frames"], opset_version=17, dynamo=False,
                              dynamic_axes={"waveform": {1: "samples"}, "frames": {1: "time"}})


class MoonshineFrontend(PretrainedFrontend):
    """Moonshine's encoder (Jeffries et al., 2024) as its makers' graph, which stays as it is."""

    def __init__(self, settings: PretrainedSettings) -> None:
        super().__init__(settings)
        if settings.layer or settings.mix or settings.tuned_blocks:
            raise EarsightError(f"{settings.encoder} is a graph, of which the end is used as it is; leave layer, mix "
                                "and tuned_blocks out, or choose one of Whisper's encoders")
        self.graph = MoonshineGraph(Path(settings.weights) if settings.weights else None)
        self.hop = self.graph.HOP
        self.shortest = SHORTEST
        self.n_features = self.n_stored = self.graph.WIDTH

    def n_frames(self, samples: int) -> int:
        return self.graph.n_frames(samples)

    def lower(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        clips = [self.graph.run(self.fitted(clip[:length].cpu().numpy()))
                 for clip, length in zip(waveforms, lengths.tolist())]
        counts = torch.tensor([len(clip) for clip in clips], device=waveforms.device)
        return pad_sequence([torch.from_numpy(clip) for clip in clips], batch_first=True).to(waveforms.device), counts

    def export_onnx(self, path: Path, stored: bool = False) -> None:
        with whole_file(path) as temporary:
            temporary.write_bytes(self.graph.content)


def build_frontend(settings: PretrainedSettings) -> PretrainedFrontend:
    """The frontend that the settings describe, with random weights where they name no file.

    Raises:
        EarsightError: the encoder is unknown, or the settings do not fit it, or the file is not of its weights.
    """
    if settings.encoder in WHISPER:
        return WhisperFrontend(settings)
    if settings.encoder in MOONSHINE:
        return MoonshineFrontend(settings)
    raise EarsightError(f"pretrained.encoder {settings.encoder!r} is unknown; choose one of "
                        f"{', '.join([*WHISPER, *MOONSHINE])}")


def all_samples(waveforms: Tensor) -> Tensor:
    """The lengths (batch,) of clips that fill their rows."""
    return torch.full(waveforms.shape[:1], waveforms.shape[1], dtype=torch.int64, device=waveforms.device)


def _inside(lengths: Tensor, frames: Tensor) -> Tensor:
    return (torch.arange(frames.shape[1], device=lengths.device) < lengths[:, None]).unsqueeze(-1).to(frames.dtype)
