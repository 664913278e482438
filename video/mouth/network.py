"""A small convolutional network over pictures of a mouth, learnt with the encoder above it.

As in networks of their kind (LipNet: Assael et al., 2016; Stafylakis and Tzimiropoulos, 2017) the first convolution
sees a few neighbouring pictures, and the others one each.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ...common.errors import EarsightError
from ...common.files import whole_file
from ...common.nn.frames import length_mask
from .eigenlips import FLAT

NEIGHBOURS = 5  # pictures that the first convolution sees, the third of them the frame's own


@dataclass(frozen=True)
class NetworkSettings:
    """What of a mouth's picture is looked at, and by what.

    Attributes:
        height, width: pixels around its middle.
        channels: of the convolutions, each of which halves height and width.
        size: features of a frame.
        dropout: share of the last convolution's channels dropped.
    """

    height: int = 32
    width: int = 48
    channels: tuple[int, ...] = (32, 64, 96)
    size: int = 128
    dropout: float = 0.2

    def __post_init__(self) -> None:
        step = 2 ** len(self.channels)
        if not self.channels or self.height % step or self.width % step or min(*self.channels, self.size) < 1:
            raise EarsightError(f"model.network: {len(self.channels)} convolutions halve {self.height} x {self.width} "
                                f"pixels each; give multiples of {step}, and channels and size above 0")


class MouthNetwork(nn.Module):
    """Pictures (batch, time, side * side) in grey levels, lengths (batch,) -> features (batch, time, size).

    Each picture is brought to a mean of 0 and a deviation of 1 first, so that the light does not count.
    """

    def __init__(self, side: int, settings: NetworkSettings = NetworkSettings()):
        super().__init__()
        if max(settings.height, settings.width) > side:
            raise EarsightError(f"model.network: {settings.height} x {settings.width} pixels of pictures of {side} x "
                                f"{side}; give fewer")
        self.side, self.settings = side, settings
        layers: list[nn.Module] = []
        below, pixels = NEIGHBOURS, settings.height * settings.width
        for depth, channels in enumerate(settings.channels):
            kernel = 3 if depth else 5
            convolution = nn.Conv2d(below, channels, kernel, stride=2, padding=kernel // 2, bias=False)
            layers += [convolution, nn.BatchNorm2d(channels), nn.ReLU()]
            below, pixels = channels, pixels // 4
        # Channels last are several times faster on a CPU, forth and back.
        self.layers = nn.Sequential(*layers, nn.Dropout2d(settings.dropout)).to(memory_format=torch.channels_last)
        self.output = nn.Linear(below * pixels, settings.size)

    def forward(self, pictures: Tensor, lengths: Tensor) -> Tensor:
        s, mask = self.settings, length_mask(lengths, pictures.shape[1])
        top, left = (self.side - s.height) // 2, (self.side - s.width) // 2
        images = pictures.float().unflatten(-1, (self.side, self.side))
        middle = images[:, :, top:top + s.height, left:left + s.width].flatten(2)
        centred = middle - middle.mean(dim=-1, keepdim=True)
        normal = centred / (centred.square().mean(dim=-1, keepdim=True).sqrt() + FLAT) * mask
        columns = _with_neighbours(normal).flatten(0, 1).unflatten(-1, (s.height, s.width))
        # In training half the digits do for convolutions, and take half the time.
        with torch.autocast(columns.device.type, torch.bfloat16, enabled=self.training):
            seen = self.layers(columns.contiguous(memory_format=torch.channels_last)).flatten(1)
        return self.output(seen.float()).reshape(pictures.shape[0], -1, s.size) * mask

    def export_onnx(self, path: str | Path) -> None:
        """Write the graph pictures (1, time, side * side) uint8 -> frames (1, time, size)."""
        example = torch.zeros(1, 7, self.side**2, dtype=torch.uint8)
        with whole_file(path) as temporary, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as for the other graphs: the older exporter
            torch.onnx.export(_OneClip(self).eval(), (example,), str(temporary), input_names=["pictures"],
                              output_names=["frames"], dynamic_axes={"pictures": {1: "time"}, "frames": {1: "time"}},
                              opset_version=17, dynamo=False)


def _with_neighbours(frames: Tensor) -> Tensor:
    """(batch, time, pixels) -> (batch, time, NEIGHBOURS, pixels); beyond a clip's ends is nothing, 0."""
    half = NEIGHBOURS // 2
    padded = nn.functional.pad(frames, (0, 0, half, half))
    return torch.stack([padded[:, k:padded.shape[1] - NEIGHBOURS + 1 + k] for k in range(NEIGHBOURS)], dim=2)


class _OneClip(nn.Module):
    def __init__(self, network: MouthNetwork):
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        return self.network(pictures, torch.ones_like(pictures[:, :, 0], dtype=torch.int64).sum(dim=1))
