"""Replayed gates against torch's own layers, and their figures against gates that are known by construction."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from earsight.common.nn.encoder import Encoder, EncoderSettings, build_encoder, initialise
from earsight.common.nn.gates import CellGates, encoder_gates, gate_picture, gate_statistics, memory_length, replay

LENGTHS = torch.tensor([17, 40, 1, 33])


@pytest.mark.parametrize("make", [nn.LSTM, nn.GRU])
def test_a_replayed_layer_gives_torchs_output(make):
    torch.manual_seed(1)
    layer, x = make(6, 8, batch_first=True), torch.randn(3, 50, 6)
    values = replay(layer, x)
    outputs, last = layer(x)
    torch.testing.assert_close(values["h"], outputs, atol=1e-5, rtol=0)
    if make is nn.LSTM:
        torch.testing.assert_close(values["c"][:, -1], last[1][0], atol=1e-5, rtol=0)
        torch.testing.assert_close(values["o"] * values["c"].tanh(), outputs, atol=1e-5, rtol=0)
    assert set(values) == (set("ifgoch") if make is nn.LSTM else set("rznh"))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("norm", [True, False])
def test_walked_gates_give_the_encoders_output(cell, bidirectional, norm):
    torch.manual_seed(2)
    settings = EncoderSettings(cell, hidden=8, layers=3, bidirectional=bidirectional, stride=2, channels=12, norm=norm)
    encoder = Encoder(5, settings).eval()
    x = torch.randn(4, 40, 5) * (torch.arange(40) < LENGTHS[:, None])[..., None]
    hidden, lengths = encoder(x, LENGTHS)
    cells = list(encoder_gates(encoder, x, LENGTHS))
    directions = ["forward", "backward"] if bidirectional else ["forward"]
    assert [c.name for c in cells] == [f"layer{i}_{way}" for i in (1, 2, 3) for way in directions]
    for depth, layer in enumerate(hidden):
        walked = [c.values["h"] for c in cells[depth * len(directions):(depth + 1) * len(directions)]]
        torch.testing.assert_close(torch.cat(walked, dim=-1), layer, atol=1e-5, rtol=0)
    assert all(torch.equal(c.lengths, lengths) for c in cells)
    assert all(value[2, 1:].abs().sum() == 0 for c in cells for value in c.values.values())  # padding


def test_walked_gates_of_residual_layers():
    torch.manual_seed(3)
    encoder = Encoder(5, EncoderSettings(hidden=8, layers=3, stride=1, channels=0, residual=True)).eval()
    x, lengths = torch.randn(2, 9, 5), torch.tensor([9, 9])
    hidden, _ = encoder(x, lengths)
    of_layer = [torch.cat([cell.values["h"] for cell in pair], dim=-1)
                for pair in zip(*[iter(encoder_gates(encoder, x, lengths))] * 2)]
    torch.testing.assert_close(of_layer[0], hidden[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(of_layer[2] + hidden[1], hidden[2], atol=1e-5, rtol=0)


@pytest.mark.parametrize("several", [{"streams": (7, 3)}, {"members": 2}])
def test_streams_and_members_are_walked_apart(several):
    both = build_encoder(10, EncoderSettings(hidden=4, layers=1, stride=1, channels=0, **several)).eval()
    x, lengths = torch.randn(2, 9, 10), torch.tensor([9, 5])
    cells = list(encoder_gates(both, x, lengths))
    assert [c.name for c in cells] == [f"stream{i}_layer1_{way}" for i in (1, 2) for way in ("forward", "backward")]
    torch.testing.assert_close(torch.cat([c.values["h"] for c in cells], dim=-1), both(x, lengths)[0][0],
                               atol=1e-5, rtol=0)


def test_a_transformer_has_no_gates():
    encoder = Encoder(5, EncoderSettings("transformer", hidden=8, layers=1, channels=8))
    assert not list(encoder_gates(encoder, torch.randn(1, 9, 5), torch.tensor([9])))


def constant(layer, **biases):
    """A layer whose gates do not depend on anything, at these values."""
    rows = {"i": 0, "f": 1, "o": 3} if isinstance(layer, nn.LSTM) else {"r": 0, "z": 1}
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        for name, gate in biases.items():
            layer.bias_ih_l0.view(-1, layer.hidden_size)[rows[name]] = math.log(gate / (1 - gate))
    return layer


@pytest.mark.parametrize("forget", [0.05, 0.5, 0.99])
def test_memory_of_a_constant_gate(forget):
    values = replay(constant(nn.LSTM(3, 4, batch_first=True), i=0.5, f=forget, o=0.95), torch.randn(2, 30, 3))
    figures = gate_statistics(CellGates("", values, torch.tensor([30, 12])), frame_shift=0.02)
    assert figures["memory_frames"] == pytest.approx(-1 / math.log(forget), rel=1e-4)
    assert figures["memory_seconds"] == pytest.approx(-0.02 / math.log(forget), rel=1e-4)
    assert figures["forget_mean"] == pytest.approx(forget, abs=1e-6)
    assert (figures["forget_below_0.1"], figures["forget_above_0.9"]) == (forget < 0.1, forget > 0.9)
    assert (figures["output_mean"], figures["output_above_0.9"]) == (pytest.approx(0.95), 1)
    assert (figures["input_below_0.1"], figures["input_above_0.9"]) == (0, 0)


def test_memory_of_a_gru_is_its_update_gates():
    values = replay(constant(nn.GRU(3, 4, batch_first=True), r=0.5, z=0.8), torch.randn(2, 30, 3))
    figures = gate_statistics(CellGates("", values, torch.tensor([30, 30])), frame_shift=0.01)
    assert figures["memory_frames"] == pytest.approx(-1 / math.log(0.8), rel=1e-4)
    assert figures["update_mean"] == pytest.approx(0.8)


def test_memory_is_how_long_the_cell_holds_on():
    kept = torch.tensor([0.9, 0.5, 0.7, 0.99])[:, None]
    per_frame = math.exp(-1 / memory_length(kept).item())
    assert per_frame**4 == pytest.approx(kept.prod().item())
    assert memory_length(torch.ones(5, 1)).isfinite()


def test_the_picture_shows_each_direction():
    layer = nn.LSTM(3, 4, batch_first=True)
    initialise(layer)
    cells = [CellGates(f"layer{i}_forward", replay(layer, torch.randn(2, 9, 3)), torch.tensor([9, 4])) for i in (1, 2)]
    figure = gate_picture(cells, 0.01)
    names = [axes.get_xlabel() for axes in figure.axes]
    assert {"input gate", "forget gate", "output gate", "memory of the cells, s"} <= set(names)
    shares = np.asarray(figure.axes[0].images[0].get_array())
    assert shares.shape == (2, 20) and shares.sum(axis=1) == pytest.approx([1, 1])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["layer1 forward", "layer2 forward"]
