"""Rows of a film (see `audiovisual.rows`) as frames: the MFCCs of a picture's time, and what is seen, side by side."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from ..audio.frontends.mfcc import Mfcc
from ..audio.frontends.mfcc_settings import MfccSettings
from ..common.errors import EarsightError
from ..common.files import whole_file
from ..common.nn.frames import FrameNormaliser
from ..video.mouth.crops import MouthSettings
from ..video.mouth.eigenlips import Eigenlips
from ..video.mouth.network import MouthNetwork
from .rows import samples_a_picture

DELTAS = 2  # velocity and acceleration, of sound at its own rate and of lips at theirs


class AudioVisualFrontend(nn.Module):
    """Rows (batch, time, side * side + samples), lengths (batch,) -> frames (batch, time, feature), sound's first.

    Attributes:
        widths: features of sound and of lips.
    """

    def __init__(self, mouth: MouthSettings, lips: Eigenlips | MouthNetwork, mfcc: MfccSettings):
        super().__init__()
        self.pixels, self.each = mouth.side**2, samples_a_picture(mfcc.sample_rate, mouth.rate)
        if self.each % mfcc.hop_length or mfcc.edges != "round":
            raise EarsightError(f"model.mfcc: a picture's {self.each} samples are to be whole hops of "
                                f"{mfcc.hop_length}, and edges to be 'round', so that sound's frames fall to pictures")
        self.hops = self.each // mfcc.hop_length
        self.mfcc, self.lips = Mfcc(mfcc), lips
        self.sound_deltas = FrameNormaliser(mfcc.n_mfcc, DELTAS, normalise="none")
        # A network that sees neighbouring pictures needs none.
        self.lip_deltas = FrameNormaliser(lips.settings.size, DELTAS * isinstance(lips, Eigenlips), normalise="none")
        self.widths = self.hops * self.sound_deltas.n_features, self.lip_deltas.n_features

    def forward(self, rows: Tensor, lengths: Tensor) -> Tensor:
        pictures, sound = rows[..., :self.pixels], rows[..., self.pixels:self.pixels + self.each]
        cepstra, _ = self.mfcc(sound.flatten(1), lengths * self.each)
        heard = self.sound_deltas(cepstra, lengths * self.hops).unflatten(1, (-1, self.hops)).flatten(2)
        seen = self.lip_deltas(self.lips(pictures, lengths), lengths)
        return torch.cat([heard, seen], dim=-1)

    def export_onnx(self, path: str | Path) -> None:
        """Write the graph rows (1, time, side * side + samples) float32 -> frames (1, time, feature)."""
        example = torch.zeros(1, 7, self.pixels + self.each)
        with whole_file(path) as temporary, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as for the other graphs: the older exporter
            torch.onnx.export(_OneClip(self).eval(), (example,), str(temporary), input_names=["rows"],
                              output_names=["frames"], dynamic_axes={"rows": {1: "time"}, "frames": {1: "time"}},
                              opset_version=17, dynamo=False)


class _OneClip(nn.Module):
    def __init__(self, frontend: AudioVisualFrontend):
        super().__init__()
        self.frontend = frontend

    def forward(self, rows: Tensor) -> Tensor:
        return self.frontend(rows, torch.ones_like(rows[:, :, 0], dtype=torch.int64).sum(dim=1))
