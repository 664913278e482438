"""The model of series: channels with gaps, normalised, under the encoder that speech and video share."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from lhotse.cut import Cut
from torch import Tensor

from ..checkpoint import read_checkpoint
from ..data.datamodule import Clip
from ..errors import EarsightError
from ..nn.channels import ChannelNormaliser
from ..nn.encoder import EncoderSettings
from ..nn.module import NormaliserSettings, OptimiserSettings, SequenceModel
from ..nn.restoring import model_options, restore
from ..training.export import export_model
from .data import SeriesData, fitting

FITTED = 10_000  # series at most that mean and deviation are taken of


def load_model(path: str | Path) -> "SeriesModel":
    """The model of a checkpoint, on the CPU, ready to recognise."""
    checkpoint = read_checkpoint(path)
    saved = checkpoint["earsight"]
    if saved["medium"] != SeriesModel.medium:
        raise EarsightError(f"{path}: a {saved['medium']} model, not one of series")
    options = model_options(checkpoint)
    del options["normaliser"]
    model = SeriesModel(layout=saved["settings"]["layout"], **options)
    restore(model, checkpoint, path)
    return model


def export_checkpoint(checkpoint: Path, destination: Path, int8: bool = False, card: Path | None = None) -> Path:
    """Turn a checkpoint into a model folder; see `common.training.export.export_model`."""
    model = load_model(checkpoint)
    layout = model.settings["layout"]
    settings = {"sample_rate": 0, "frame_shift": layout["frame_shift"], "frontend": layout}
    return export_model(model, destination, None, settings, int8, card)


@dataclass(frozen=True)
class ChannelAugmentation:
    """Augmentation of values, in standard deviations of each channel over the training set.

    Attributes:
        noise: deviation of the noise that is added to each value.
        scale: deviation of the factor, about 1, by which each channel of a series is louder.
        shift: deviation of what is added to all of a channel of a series.
        gaps: share of channels of series that get a gap, up to GAP of their length; a model that never saw gaps does
            not know what they mean.
    """

    noise: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    gaps: float = 0.0


GAP = 0.3  # share of a series


class SeriesModel(SequenceModel):
    """Series of channels in, a class or text out.

    The normaliser's statistics are the training set's, taken before the first step, and travel with the weights.

    Args:
        labels, auxiliary_labels, encoder, optimiser, auxiliary_weight, auxiliary_layer, head_dropout: see
            `SequenceModel`.
        layout: under the command line, the data's; see `series.data.SeriesData`.
        augmentation: of values, in training.
    """

    medium = "series"

    def __init__(self, labels: dict, layout: dict, auxiliary_labels: dict | None = None,
                 augmentation: ChannelAugmentation = ChannelAugmentation(),
                 encoder: EncoderSettings = EncoderSettings(), optimiser: OptimiserSettings = OptimiserSettings(),
                 auxiliary_weight: float = 0.3, auxiliary_layer: int = 2, head_dropout: float = 0.2):
        super().__init__(labels, auxiliary_labels, len(layout["channels"]), layout["frame_shift"], NormaliserSettings(),
                         encoder, optimiser, auxiliary_weight, auxiliary_layer, head_dropout)
        self.settings |= {"layout": layout, "augmentation": asdict(augmentation)}
        self.augmentation = augmentation

    @staticmethod
    def make_normaliser(n_features: int, settings: NormaliserSettings) -> ChannelNormaliser:
        return ChannelNormaliser(n_features)

    def reader(self) -> Callable[[Cut], Clip]:
        return partial(fitting, layout=self.settings["layout"], owner="the model")

    def count_frames(self, cut: Cut) -> int:
        super().count_frames(cut)  # checks its width
        return max(1, round(cut.duration / self.settings["layout"]["frame_shift"]))

    def on_fit_start(self) -> None:
        super().on_fit_start()
        data = getattr(self.trainer, "datamodule")  # Lightning sets it from without, and does not declare it
        assert isinstance(data, SeriesData) and isinstance(self.normaliser, ChannelNormaliser)
        cuts = data.cuts("train")
        step = 1 if cuts.is_lazy else max(1, len(cuts) // FITTED)
        self.normaliser.fit(data.read(cut, None) for cut in islice(cuts, 0, FITTED * step, step))

    def augment(self, frames: Tensor, lengths: Tensor) -> Tensor:
        a, size = self.augmentation, (len(frames), 1, frames.shape[2])
        if a == ChannelAugmentation():
            return frames
        assert isinstance(self.normaliser, ChannelNormaliser)
        mean, inverse = self.normaliser.mean, self.normaliser.inverse
        deviation = torch.where(inverse > 0, 1 / inverse.clamp(min=1e-30), 0)

        def drawn(*shape: int) -> Tensor:
            return torch.randn(*shape, device=frames.device)

        frames = mean + (frames - mean) * (1 + a.scale * drawn(*size))
        frames = frames + deviation * (a.shift * drawn(*size) + a.noise * drawn(*frames.shape))
        if a.gaps:
            begin, width, which = (torch.rand(*size, device=frames.device) for _ in range(3))
            place = torch.arange(frames.shape[1], device=frames.device).view(1, -1, 1) / lengths.view(-1, 1, 1)
            frames = frames.masked_fill((which < a.gaps) & (place >= begin) & (place < begin + GAP * width), torch.nan)
        return frames
