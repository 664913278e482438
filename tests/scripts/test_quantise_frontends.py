"""CNN and pose graphs in 8 bits."""

import sys

import numpy as np
import onnx
import pytest
import quantise_frontends
import torch
from onnx import numpy_helper
from quantise_frontends import equalised, inputs, quantised
from torch import nn

from earsight.common.inference.runtime import open_graph
from earsight.common.model_folder import FRONTEND, find_model
from earsight.video.frontends.pictures import PictureSettings
from earsight.video.pose.graphs import DETECTOR, LANDMARKER

FILM = "scripts/films/jumping-jacks.mp4"
FRONTENDS = (FRONTEND, DETECTOR, LANDMARKER)


class Block(nn.Module):
    """An inverted residual, as MobileNetV2's and BlazePose's."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 4 * channels, 1), nn.ReLU6(),
            nn.Conv2d(4 * channels, 4 * channels, 3, padding=1, groups=4 * channels), nn.ReLU6(),
            nn.Conv2d(4 * channels, channels, 1))

    def forward(self, x):
        return x + self.layers(x)


class Network(nn.Module):
    def __init__(self, blocks: int = 3):
        super().__init__()
        self.first, self.blocks = nn.Conv2d(3, 8, 3, stride=2), nn.Sequential(*(Block(8) for _ in range(blocks)))
        self.last = nn.Conv2d(8, 32, 1)

    def forward(self, pictures):
        planes = pictures.float().flatten(0, 1).permute(0, 3, 1, 2) / 128 - 1
        return self.last(self.blocks(self.first(planes))).relu().mean((2, 3))[None]


@pytest.fixture(scope="module")
def graph(tmp_path_factory) -> onnx.ModelProto:
    """A network whose channels are of very different sizes, as those of trained ones with folded normalisation."""
    torch.manual_seed(1)
    network = Network().eval()
    with torch.no_grad():
        for block in network.blocks:  # small channels count as much as large ones
            expanding, _, deep, _, narrowing = block.layers
            one, other = (10 ** torch.linspace(-2, 0, 32)[torch.randperm(32)] for _ in range(2))
            for layer, sizes in ((expanding, one), (deep, other)):
                layer.weight *= sizes.reshape(-1, 1, 1, 1)
                layer.bias *= sizes
            deep.weight /= one.reshape(-1, 1, 1, 1)
            narrowing.weight /= other.reshape(1, -1, 1, 1)
    path = tmp_path_factory.mktemp("network") / "network.onnx"
    torch.onnx.export(network, (torch.zeros(1, 1, 32, 32, 3, dtype=torch.uint8),), str(path), dynamo=False,
                      input_names=["pictures"], output_names=["frames"], opset_version=17)
    return onnx.load(path)


@pytest.fixture(scope="module")
def feeds() -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(2)
    coarse = rng.integers(0, 256, (24, 1, 1, 8, 8, 3), np.uint8)
    return [{"pictures": picture.repeat(4, 2).repeat(4, 3)} for picture in coarse]


def outputs(graph: onnx.ModelProto, feeds) -> np.ndarray:
    session = open_graph(graph.SerializeToString(), "graph", 1)
    return np.concatenate([session.run(None, feed)[0] for feed in feeds])


def copied(graph: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    return copy


def error(made: onnx.ModelProto, graph: onnx.ModelProto, feeds) -> float:
    expected = outputs(graph, feeds)
    return float(np.linalg.norm(outputs(made, feeds) - expected) / np.linalg.norm(expected - expected.mean(0)))


def test_channels_of_like_size_compute_the_same(graph, feeds):
    named = quantise_frontends._with_names(copied(graph))
    before = {each.name: numpy_helper.to_array(each).copy() for each in named.graph.initializer}
    made = equalised(copied(named), feeds)
    np.testing.assert_allclose(outputs(made, feeds), outputs(graph, feeds), rtol=1e-3, atol=1e-4)
    changed = [each.name for each in made.graph.initializer
               if not np.array_equal(numpy_helper.to_array(each), before[each.name])]
    assert len(changed) >= 12  # weights and biases of all but the last convolution


def test_what_8_bits_cost_is_little_with_channels_of_like_size(graph, feeds, monkeypatch):
    made = quantised(copied(graph), feeds[:16])
    kinds = [node.op_type for node in made.graph.node]
    assert kinds.count("DequantizeLinear") > 10 and not made.graph.value_info
    assert [each.name for each in made.graph.input] == ["pictures"]
    assert [each.name for each in made.graph.output] == ["frames"]
    loss = error(made, graph, feeds[16:])
    monkeypatch.setattr(quantise_frontends, "equalised", lambda graph, feeds: graph)
    without = error(quantised(copied(graph), feeds[:16]), graph, feeds[16:])
    assert loss < 0.1 and loss < 0.6 * without, (loss, without)


def test_layers_at_both_ends_stay_as_they_are(graph, feeds):
    def in_8_bits(made: onnx.ModelProto) -> list[str]:
        given = {name for node in made.graph.node if node.op_type == "DequantizeLinear" for name in node.output}
        return [node.name for node in made.graph.node if node.op_type == "Conv" and node.input[1] in given]

    total = len([node for node in graph.graph.node if node.op_type == "Conv"])
    assert len(in_8_bits(quantised(copied(graph), feeds))) == total == 11
    kept = in_8_bits(quantised(copied(graph), feeds, 4, 1))
    assert len(kept) == total - 5 and not any("first" in name or "last" in name or "blocks.0" in name for name in kept)
    assert error(quantised(copied(graph), feeds, total, 0), graph, feeds) < 1e-5


def test_graphs_get_what_a_model_gives_them():
    folder = find_model("actions-10")
    settings = PictureSettings.from_dict(
        {"rate": 2.0, "picture": {"height": 64, "width": 64, "every": 1}, "motion": None,
         "pose": {"every": 1, "graphs": "."}, "lag": 0.12, "motion_scale": 12.0}, folder)
    given = inputs(settings, [FILM])
    assert set(given) == set(FRONTENDS)
    assert given[FRONTEND][0]["pictures"].shape == (1, 1, 64, 64, 3) and len(given[FRONTEND]) > 3
    assert given[DETECTOR][0]["picture"].shape == (1, 224, 224, 3)
    assert given[LANDMARKER][-1]["picture"].shape == (1, 256, 256, 3) and len(given[LANDMARKER]) > 1


def test_graphs_of_8_bits_and_models_without_videos_are_refused_in_one_line(tmp_path, monkeypatch, capsys):
    for model, complaint in (("actions-10", "8 bits already"), ("digits", "takes no videos"), ("none", "none")):
        monkeypatch.setattr(sys, "argv", ["quantise_frontends.py", model, str(tmp_path / "made"), FILM])
        assert quantise_frontends.main() == 1
        out, err = capsys.readouterr()
        assert err.splitlines()[-1].startswith("error: ") and complaint in err and "Traceback" not in err
        assert not (tmp_path / "made").exists() and not list(tmp_path.iterdir())
