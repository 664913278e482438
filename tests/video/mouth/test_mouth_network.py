"""The network over pictures of mouths: its graph beside torch, padding, light, and what does not fit."""

import numpy as np
import onnxruntime
import pytest
import torch

from earsight.common.errors import EarsightError
from earsight.video.mouth.network import MouthNetwork, NetworkSettings

SIDE = 20
SETTINGS = NetworkSettings(height=8, width=16, channels=(3, 4), size=5)


def network() -> MouthNetwork:
    torch.manual_seed(1)
    return MouthNetwork(SIDE, SETTINGS).eval()


def pictures(time: int, batch: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(time).integers(0, 256, (batch, time, SIDE**2), dtype=np.uint8))


@torch.no_grad()
def test_the_graph_computes_the_same_of_any_length(tmp_path):
    trained = network()
    trained.export_onnx(tmp_path / "frontend.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "frontend.onnx"), providers=["CPUExecutionProvider"])
    for time in (1, 2, 31):
        clip = pictures(time)
        expected = trained(clip, torch.tensor([time])).numpy()
        assert expected.shape == (1, time, 5)
        assert session.run(None, {"pictures": clip.numpy()})[0] == pytest.approx(expected, abs=1e-5)


@torch.no_grad()
def test_a_clip_is_the_same_in_any_company():
    trained, clips = network(), pictures(12, batch=2)
    together = trained(clips, torch.tensor([12, 7]))
    alone = trained(clips[1:, :7], torch.tensor([7]))
    assert torch.allclose(together[1, :7], alone[0], atol=1e-5)
    assert (together[1, 7:] == 0).all()


@torch.no_grad()
def test_a_frame_sees_two_neighbours_on_either_side():
    trained, clip = network(), pictures(15).float()
    other = clip.clone()
    other[0, 7] = 255 - other[0, 7]
    changed = (trained(clip, torch.tensor([15])) - trained(other, torch.tensor([15])))[0].abs().sum(dim=-1) > 1e-6
    assert changed.nonzero().flatten().tolist() == [5, 6, 7, 8, 9]


@torch.no_grad()
def test_light_does_not_count():
    trained, clip = network(), pictures(6).float() / 2
    assert torch.allclose(trained(clip, torch.tensor([6])), trained(clip + 60, torch.tensor([6])), atol=1e-4)


def test_it_learns_with_gradients_through_all_of_it():
    trained = network().train()
    trained(pictures(9, batch=3), torch.tensor([9, 9, 4])).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in trained.parameters())


@pytest.mark.parametrize("settings, words", [({"height": 12}, "multiples of 8"), ({"channels": ()}, "multiples of 1"),
                                             ({"size": 0}, "above 0")])
def test_settings_that_do_not_fit_are_told(settings, words):
    with pytest.raises(EarsightError, match=words):
        NetworkSettings(**settings)


def test_a_window_larger_than_the_picture_is_told():
    with pytest.raises(EarsightError, match="20 x 20"):
        MouthNetwork(SIDE, NetworkSettings())
