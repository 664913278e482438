"""Eigenlips: a mouth's picture as its places along the directions in which a training set's mouths differ most.

Principal components of grey levels: Turk and Pentland (1991) for faces, Bregler and Konig (1994) for lips.
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...common.errors import EarsightError
from ...common.files import whole_file
from ...common.nn.frames import length_mask

FLAT = 8.0  # grey levels added to a picture's deviation, so that a black one stays black


@dataclass(frozen=True)
class EigenlipsSettings:
    """What of a mouth's picture is taken.

    Attributes:
        height, width: pixels around its middle.
        shrink: pixels along each axis that become one, their mean.
        size: components.
    """

    height: int = 60
    width: int = 84
    shrink: int = 3
    size: int = 64

    def __post_init__(self) -> None:
        if not (0 < self.shrink <= min(self.height, self.width) and 0 < self.size <= self.pixels):
            raise EarsightError(f"model.eigenlips: {self.size} components of {self.height} x {self.width} pixels, "
                                f"{self.shrink} x {self.shrink} of them in one; give fewer components, or more pixels")

    @property
    def pixels(self) -> int:
        """How many are left."""
        return (self.height // self.shrink) * (self.width // self.shrink)


class Eigenlips(nn.Module):
    """Pictures (batch, time, side * side) in grey levels, lengths (batch,) -> components (batch, time, size).

    Each picture is brought to a mean of 0 and a deviation of 1 first, so that the light does not count.
    """

    mean: Tensor
    basis: Tensor
    fitted: Tensor

    def __init__(self, side: int, settings: EigenlipsSettings = EigenlipsSettings()):
        super().__init__()
        if max(settings.height, settings.width) > side:
            raise EarsightError(f"model.eigenlips: {settings.height} x {settings.width} pixels of pictures of {side} x "
                                f"{side}; give fewer")
        self.side, self.settings = side, settings
        self.register_buffer("mean", torch.zeros(settings.pixels))
        self.register_buffer("basis", torch.zeros(settings.pixels, settings.size))
        self.register_buffer("fitted", torch.zeros((), dtype=torch.bool))

    def forward(self, pictures: Tensor, lengths: Tensor) -> Tensor:
        # The mask also tells the exporter that the components' time is the pictures': it would take the example's.
        return (self.normalised(pictures) - self.mean) @ self.basis * length_mask(lengths, pictures.shape[1])

    def normalised(self, pictures: Tensor) -> Tensor:
        """(batch, time, side * side) -> (batch, time, pixels): the middle, shrunk, each picture of mean 0."""
        s = self.settings
        top, left = (self.side - s.height) // 2, (self.side - s.width) // 2
        images = pictures.float().unflatten(-1, (self.side, self.side))
        middle = images[:, :, top:top + s.height, left:left + s.width]
        pixels = nn.functional.avg_pool2d(middle.flatten(0, 1).unsqueeze(1), s.shrink).flatten(1)
        pixels = pixels.unflatten(0, pictures.shape[:2])
        centred = pixels - pixels.mean(dim=-1, keepdim=True)
        return centred / (centred.square().mean(dim=-1, keepdim=True).sqrt() + FLAT)

    def fit(self, clips: Iterable[np.ndarray]) -> None:
        """Find the components of clips (time, side * side), whose pictures are seen once, in memory that does not grow.
        """
        pixels = self.settings.pixels
        n, total = 0, torch.zeros(pixels, dtype=torch.float64)
        products = torch.zeros(pixels, pixels, dtype=torch.float64)
        for clip in clips:
            x = self.normalised(torch.from_numpy(clip)[None])[0].double()
            x = x[x.abs().sum(dim=-1) > 0]  # without pictures of no face
            n, total, products = n + len(x), total + x.sum(dim=0), products + x.T @ x
        if n <= self.settings.size:
            raise EarsightError(f"eigenlips: {n} pictures of mouths, and {self.settings.size} components are wanted; "
                                "give more clips, or a smaller model.eigenlips.size")
        mean = total / n
        _, vectors = torch.linalg.eigh(products / n - torch.outer(mean, mean))
        basis = vectors.flip(1)[:, :self.settings.size]
        largest = basis.gather(0, basis.abs().argmax(dim=0, keepdim=True))
        self.mean.copy_(mean)
        self.basis.copy_(basis * largest.sign())  # else the library chooses
        self.fitted.fill_(True)

    def export_onnx(self, path: str | Path) -> None:
        """Write the graph pictures (1, time, side * side) uint8 -> frames (1, time, size)."""
        example = torch.zeros(1, 3, self.side**2, dtype=torch.uint8)
        with whole_file(path) as temporary, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as for the other graphs: the older exporter
            torch.onnx.export(_OneClip(self).eval(), (example,), str(temporary), input_names=["pictures"],
                              output_names=["frames"], dynamic_axes={"pictures": {1: "time"}, "frames": {1: "time"}},
                              opset_version=17, dynamo=False)


class _OneClip(nn.Module):
    def __init__(self, eigenlips: Eigenlips):
        super().__init__()
        self.eigenlips = eigenlips

    def forward(self, pictures: Tensor) -> Tensor:
        return self.eigenlips(pictures, torch.ones_like(pictures[:, :, 0], dtype=torch.int64).sum(dim=1))
