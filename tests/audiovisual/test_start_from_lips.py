"""A model of sound with lips that starts from one that reads lips."""

import pytest
import torch

from earsight.audiovisual.model import AudioVisualModel
from earsight.common.nn.encoder import EncoderSettings
from earsight.common.nn.module import NormaliserSettings
from earsight.common.training.weights import start_from
from earsight.video.lips.model import LipModel
from earsight.video.mouth.crops import MouthSettings
from earsight.video.mouth.network import NetworkSettings

LABELS = {"kind": "characters", "symbols": ["<blank>", " ", "a", "o"]}
SETTINGS = {"mouth": MouthSettings(side=20), "network": NetworkSettings(8, 16, (3, 4), 5),
            "encoder": EncoderSettings(hidden=6, layers=2, stride=1, channels=0)}


@pytest.mark.parametrize("fusion, taken_layers", [("late", 2), ("middle", 1), ("early", 0)])
def test_the_lips_are_taken_over(fusion, taken_layers):
    torch.manual_seed(1)
    lips = LipModel(LABELS, normaliser=NormaliserSettings(deltas=0), **SETTINGS).eval()
    both = AudioVisualModel(LABELS, fusion=fusion, **SETTINGS).eval()
    checkpoint = {"state_dict": lips.state_dict()}
    lips.on_save_checkpoint(checkpoint)
    start_from(both, checkpoint)
    ours, theirs = both.state_dict(), lips.state_dict()
    place = {"late": "encoder.encoders.1.", "middle": "encoder.below.encoders.1.", "early": None}[fusion]
    for layer in range(taken_layers):
        name = f"layers.forwards.{layer}.weight_hh_l0"
        assert torch.equal(ours[place + name], theirs["encoder." + name])
    if fusion == "late":
        assert torch.equal(ours["head.heads.1.output.weight"], theirs["head.output.weight"])
        assert not torch.equal(ours["head.heads.0.output.weight"], theirs["head.output.weight"])
    same = torch.equal(ours["frontend.lips.output.weight"], theirs["frontend.output.weight"])
    assert same == (fusion != "early")
