"""Untrained models of every kind as folders, for tests of what reads folders."""

from pathlib import Path

import torch

from earsight.common.labels import Labels
from earsight.common.nn.encoder import EncoderSettings
from earsight.common.nn.module import NormaliserSettings, SequenceModel
from earsight.common.training.export import export_model


def exported(folder: Path, int8: bool = False, **encoder) -> tuple[SequenceModel, Path]:
    """A model of frames with 6 features, and its folder; `encoder`: what differs from a small `EncoderSettings`."""
    torch.manual_seed(1)
    labels = Labels("classes" if encoder.get("streams") else "characters", ("<blank>", "a", "b", "c"))
    model = SequenceModel(labels.to_dict(), n_features=6, normaliser=NormaliserSettings(normalise="set"),
                          encoder=EncoderSettings(**{"hidden": 8, "layers": 2, "stride": 2, "channels": 8, **encoder}))
    settings = {"sample_rate": 0, "frame_shift": 0.01, "frontend": {}}
    return model.eval(), export_model(model, folder, lambda path: path.touch(), settings, int8)
