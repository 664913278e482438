import numpy as np
import pytest
import torch

from earsight.common.nn.cells import choose_units, replay


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("shape", [(7, 5), (3, 7, 5), (1, 5)])
def test_outputs_are_those_of_torch(kind, shape):
    torch.manual_seed(0)
    layer = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind](5, 6, batch_first=True)
    x = 3 * torch.randn(shape)
    expected, state = layer(x)
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    values = replay(kind, x.numpy(), *(getattr(layer, name).detach().numpy() for name in names))
    assert np.allclose(values["h"], expected.detach().numpy(), atol=1e-6)
    if kind == "lstm":
        assert np.allclose(values["c"][..., -1, :], state[1].detach().numpy()[0], atol=1e-6)
        assert np.allclose(values["h"], values["o"] * np.tanh(values["c"]))
        assert set(values) == {"i", "f", "g", "o", "c", "h"}
    else:
        assert set(values) == {"r", "z", "n", "h"}
    assert all(0 < values[gate].min() and values[gate].max() < 1 for gate in "iforz" if gate in values)


def test_a_cell_that_counts():
    """Gates by construction: the input gate opens on x > 0, the memory is never forgotten, the output gate is open."""
    big = 50.0
    weight_ih = np.array([[big], [0.0], [big], [0.0]])  # i, f, g, o
    values = replay("lstm", np.array([[1.0], [-1.0], [1.0], [-1.0]]), weight_ih, np.zeros((4, 1)),
                    np.array([0.0, big, 0.0, big]), np.zeros(4))
    assert values["c"][:, 0] == pytest.approx([1, 1, 2, 2])
    assert values["i"][:, 0] == pytest.approx([1, 0, 1, 0])
    assert values["f"][:, 0] == pytest.approx([1, 1, 1, 1])


def test_units_are_chosen_for_what_only_they_tell():
    time = np.linspace(0, 1, 200)
    loud, quiet = np.sin(20 * time), 0.3 * np.cos(33 * time)
    outputs = np.stack([0.01 * time, loud, -0.9 * loud, quiet, np.zeros(200)], axis=1)
    assert choose_units(outputs, 3) == [1, 3, 0]  # 2 is louder than 3 and says what 1 says
    assert sorted(choose_units(outputs, 9)) == [0, 1, 2, 3, 4]
