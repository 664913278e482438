import numpy as np
import pytest
import torch
from small_models import exported

from earsight.common.explain.encoder_graph import run_encoder
from earsight.common.inference.runtime import Runtime
from earsight.common.model_folder import find_model


def frames_of(time):
    return np.random.default_rng(0).standard_normal((time, 6)).astype(np.float32)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("encoder", [{}, {"bidirectional": False}, {"streams": (2, 4)}, {"members": 2},
                                     {"residual": True}])
def test_replayed_outputs_are_those_of_the_graph(cell, encoder, tmp_path):
    _, folder = exported(tmp_path / "model", cell=cell, **encoder)
    run = run_encoder(folder, frames_of(31))
    layers = 4 if "streams" in encoder or "members" in encoder else 2
    directions = ["forward"] if encoder.get("bidirectional") is False else ["forward", "backward"]
    assert [(each.layer, each.direction, each.kind) for each in run.layers] == [
        (layer, direction, cell) for layer in range(1, layers + 1) for direction in directions]
    for each in run.layers:
        assert each.values["h"].shape == (16, 8)
        np.testing.assert_allclose(each.values["h"], each.outputs, atol=1e-4)
    assert np.ptp(run.layers[0].outputs) > 0.1
    np.testing.assert_allclose(run.outputs, Runtime(folder).outputs(frames_of(31)), atol=1e-5)
    assert run.attention == []


def test_gates_are_those_of_the_layer(tmp_path):
    """By hand from the checkpoint's weights at the first step, where the state is 0 and forgetting shows in nothing."""
    model, folder = exported(tmp_path / "model", channels=0, stride=1)
    frames = frames_of(9)
    with torch.no_grad():
        x = model.encoder.layers.norms[0](model.normaliser(torch.from_numpy(frames)[None], torch.tensor([9])))[0]
        for name, layer, step in (("forward", model.encoder.layers.forwards[0], 0),
                                  ("backward", model.encoder.layers.backwards[0], 8)):
            gates = (x[step] @ layer.weight_ih_l0.T + layer.bias_ih_l0 + layer.bias_hh_l0).numpy()
            i, f, _, o = (1 / (1 + np.exp(-part)) for part in np.split(gates, 4))
            g = np.tanh(np.split(gates, 4)[2])
            values = next(r for r in run_encoder(folder, frames).layers if r.direction == name).values
            for gate, expected in (("i", i), ("f", f), ("o", o), ("g", g), ("c", i * g)):
                np.testing.assert_allclose(values[gate][step], expected, atol=1e-5)


def test_int8_is_near(tmp_path):
    _, folder = exported(tmp_path / "model", int8=True)
    for each in run_encoder(folder, frames_of(31)).layers:
        np.testing.assert_allclose(each.values["h"], each.outputs, atol=0.05)


def test_packaged_models_are_near():
    rng = np.random.default_rng(0)
    for name in ("en-small", "digits", "actions-10"):
        runtime = Runtime(name)
        run = run_encoder(find_model(name), rng.standard_normal((20, runtime.config.n_features)).astype(np.float32))
        assert run.layers
        for each in run.layers:
            assert np.abs(each.values["h"] - each.outputs).mean() < 0.02
            assert np.corrcoef(each.values["h"].ravel(), each.outputs.ravel())[0, 1] > 0.99


def test_attention_of_a_transformer(tmp_path):
    _, folder = exported(tmp_path / "model", cell="transformer", heads=2)
    run = run_encoder(folder, frames_of(31))
    assert run.layers == []
    assert [weights.shape for weights in run.attention] == [(2, 16, 16)] * 2
    np.testing.assert_allclose(np.concatenate(run.attention).sum(axis=-1), 1, atol=1e-5)


def test_the_pooling_of_a_classifier_is_no_attention(tmp_path):
    _, folder = exported(tmp_path / "model", streams=(2, 4))
    assert run_encoder(folder, frames_of(8)).attention == []
