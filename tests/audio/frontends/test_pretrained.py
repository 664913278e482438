"""Pretrained encoders as frontends: weights as others store them, clips of any length, what is stored and tuned."""

import json
import struct

import librosa
import numpy as np
import pytest
import torch

from earsight.audio.frontends import pretrained
from earsight.audio.frontends.moonshine import MoonshineGraph
from earsight.audio.frontends.pretrained import PretrainedSettings, build_frontend
from earsight.audio.frontends.whisper import LogMel, WhisperEncoder, WhisperShape, n_frames
from earsight.audio.frontends.whisper_weights import CTRANSLATE2, read_whisper
from earsight.common.errors import EarsightError
from earsight.common.inference.runtime import open_session, run_graph

SHAPE = WhisperShape(128, 3)


@pytest.fixture(scope="module")
def encoder():
    """A small encoder of random weights, whose keys have no bias, as Whisper's."""
    torch.manual_seed(1)
    made = WhisperEncoder(SHAPE).eval()
    made.positions.normal_(std=0.3)
    for block in made.blocks:
        block.query_key_value.bias.data[SHAPE.width:2 * SHAPE.width] = 0
    return made


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setitem(pretrained.WHISPER, "whisper-small-test", SHAPE)
    return "whisper-small-test"


@pytest.fixture(scope="module")
def weights(encoder, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "model.pt"
    torch.save(openai_state(encoder), path)
    return str(path)


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    time = np.arange(round(16000 * seconds)) / 16000
    return (0.3 * np.sin(2 * np.pi * (200 + 300 * time) * time) + 0.05 * rng.standard_normal(len(time))).astype("f")


# Weights


def parts(encoder):
    """(block, part, kind, tensor) with queries, keys and values apart."""
    for number, block in enumerate(encoder.blocks):
        for name, tensor in block.state_dict().items():
            part, kind = name.rsplit(".", 1)
            if part == "query_key_value":
                for which, piece in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                    if (which, kind) != ("key", "bias"):
                        yield number, which, kind, piece
            else:
                yield number, part, kind, tensor


def openai_state(encoder):
    names = {"attention_norm": "attn_ln", "query": "attn.query", "key": "attn.key", "value": "attn.value",
             "attention_output": "attn.out", "feed_norm": "mlp_ln", "feed_in": "mlp.0", "feed_out": "mlp.2"}
    top = {"first": "conv1", "second": "conv2", "norm": "ln_post"}
    state = {f"encoder.blocks.{n}.{names[part]}.{kind}": tensor for n, part, kind, tensor in parts(encoder)}
    state |= {f"encoder.{theirs}.{kind}": getattr(getattr(encoder, ours), kind).data for ours, theirs in top.items()
              for kind in ("weight", "bias")}
    return {"dims": {"n_mels": 80}, "model_state_dict": {
        **state, "encoder.positional_embedding": encoder.positions, "decoder.ln.weight": torch.ones(3)}}


def hugging_face_state(encoder):
    names = {"attention_norm": "self_attn_layer_norm", "query": "self_attn.q_proj", "key": "self_attn.k_proj",
             "value": "self_attn.v_proj", "attention_output": "self_attn.out_proj", "feed_norm": "final_layer_norm",
             "feed_in": "fc1", "feed_out": "fc2"}
    top = {"first": "conv1", "second": "conv2", "norm": "layer_norm"}
    state = {f"model.encoder.layers.{n}.{names[part]}.{kind}": tensor for n, part, kind, tensor in parts(encoder)}
    state |= {f"model.encoder.{theirs}.{kind}": getattr(getattr(encoder, ours), kind).data
              for ours, theirs in top.items() for kind in ("weight", "bias")}
    return {**state, "model.encoder.embed_positions.weight": encoder.positions, "model.decoder.x": torch.ones(2)}


def write_safetensors(state, path):
    header, blobs, place = {"__metadata__": {"format": "pt"}}, [], 0
    for name, tensor in state.items():
        blob = tensor.numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [place, place + len(blob)]}
        blobs.append(blob)
        place += len(blob)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def write_ctranslate2(encoder, path):
    state = encoder.state_dict()
    named = {"encoder/conv1/weight": "first.weight", "encoder/conv1/bias": "first.bias",
             "encoder/conv2/weight": "second.weight", "encoder/conv2/bias": "second.bias",
             "encoder/layer_norm/gamma": "norm.weight", "encoder/layer_norm/beta": "norm.bias",
             "encoder/position_encodings/encodings": "positions"}
    for number in range(SHAPE.layers):
        named |= {f"encoder/layer_{number}/{theirs}": f"blocks.{number}.{ours}" for theirs, ours in CTRANSLATE2.items()}
    out = [struct.pack("<I", 6), struct.pack("<H", 12) + b"WhisperSpec\0", struct.pack("<II", 3, len(named) + 1)]
    for name, array in [*((theirs, state[ours].numpy()) for theirs, ours in named.items()),
                        ("decoder/ln/gamma", np.ones(4))]:
        blob, label = array.astype("<f4").tobytes(), name.encode() + b"\0"
        out.append(struct.pack("<H", len(label)) + label + struct.pack("<B", array.ndim)
                   + struct.pack(f"<{array.ndim}I", *array.shape) + struct.pack("<BI", 0, len(blob)) + blob)
    path.write_bytes(b"".join(out))


@pytest.mark.parametrize("kind", ["ctranslate2", "openai", "hugging face", "safetensors"])
def test_weights_as_others_store_them(encoder, kind, tmp_path):
    path = tmp_path / "weights"
    if kind == "ctranslate2":
        write_ctranslate2(encoder, path)
    elif kind == "safetensors":
        write_safetensors(hugging_face_state(encoder), path)
    else:
        torch.save(openai_state(encoder) if kind == "openai" else hugging_face_state(encoder), path)
    state = read_whisper(path, SHAPE)
    own = {name: value for name, value in encoder.state_dict().items()}
    assert state.keys() == own.keys()
    for name, value in own.items():
        torch.testing.assert_close(state[name], value)


def test_weights_that_are_none(encoder, weights, small, tmp_path):
    def refused(path, shape=SHAPE):
        with pytest.raises(EarsightError) as found:
            read_whisper(path, shape)
        assert str(path) in str(found.value) and "\n" not in str(found.value)
        return str(found.value)

    assert "no such file" in refused(tmp_path / "missing.bin")
    for name, content in {"text": b"hello", "empty": b"", "zip": b"PK\3\4" + bytes(100), "json": b'{"a": 1}'}.items():
        (tmp_path / name).write_bytes(content)
        assert "no weights of Whisper" in refused(tmp_path / name)
    write_ctranslate2(encoder, tmp_path / "whole.bin")
    whole = (tmp_path / "whole.bin").read_bytes()
    (tmp_path / "cut.bin").write_bytes(whole[:len(whole) // 2])
    assert "no weights of Whisper" in refused(tmp_path / "cut.bin")
    assert "128 wide with 3 layers" in refused(tmp_path / "whole.bin", WhisperShape(384, 4))
    with pytest.raises(EarsightError, match="unknown; choose one of whisper-tiny"):
        build_frontend(PretrainedSettings("wav2vec2"))
    with pytest.raises(EarsightError, match="has 3 blocks"):
        build_frontend(PretrainedSettings(small, layer=4))
    with pytest.raises(EarsightError, match="mix"):
        build_frontend(PretrainedSettings(small, mix=True, tuned_blocks=1))


# Frames


def test_log_mel_is_whispers():
    """Against the formula, written anew: librosa's power spectrum and mel filters, log10, 80 dB, (x + 4) / 4."""
    samples = sound(1.0)
    mel, lengths = LogMel()(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
    padded = np.pad(samples, (0, 16000))
    power = np.abs(librosa.stft(padded, n_fft=400, hop_length=160, window="hann", pad_mode="reflect"))[:, :-1] ** 2
    expected = np.log10(np.maximum(librosa.filters.mel(sr=16000, n_fft=400, n_mels=80) @ power, 1e-10))
    expected = (np.maximum(expected, expected.max() - 8) + 4) / 4
    assert lengths.tolist() == [100]
    np.testing.assert_allclose(mel[0].numpy(), expected[:, :100], atol=2e-4)


@pytest.mark.parametrize("options", [{}, {"tuned_blocks": 1}, {"tuned_blocks": -1}, {"layer": 2}, {"mix": True}])
def test_a_clip_alone_in_a_batch_stored_and_exported_is_the_same(small, weights, options, tmp_path):
    frontend = build_frontend(PretrainedSettings(small, weights, **options)).eval()
    one, other = torch.from_numpy(sound(0.73)), torch.from_numpy(sound(2.0, seed=1))
    batch = torch.full((2, len(other)), torch.nan)  # what lies behind a clip must not matter
    batch[0, :len(one)], batch[1] = one, other
    with torch.no_grad():
        alone, lengths = frontend(one[None])
        assert lengths.tolist() == [alone.shape[1]] == [frontend.n_frames(len(one))] == [n_frames(len(one))]
        together, counts = frontend(batch, torch.tensor([len(one), len(other)]))
        torch.testing.assert_close(together[0, :counts[0]], alone[0], atol=2e-4, rtol=1e-3)
        assert not together[0, counts[0]:].any()
        stored, _ = frontend.lower(one[None], torch.tensor([len(one)]))
        assert stored.shape[-1] == frontend.n_stored
        torch.testing.assert_close(frontend.upper(stored, lengths), alone)
    frontend.export_onnx(tmp_path / "frontend.onnx")
    frontend.export_onnx(tmp_path / "stored.onnx", stored=True)
    for seconds in (0.01, 0.73, 3.1):
        samples = sound(seconds, seed=2)
        with torch.no_grad():
            expected = frontend(torch.from_numpy(samples)[None])[0][0].numpy()
        graph = open_session(tmp_path / "frontend.onnx", 1)
        np.testing.assert_allclose(run_graph(graph, samples[None])[0], expected, atol=2e-4)
    graph = open_session(tmp_path / "stored.onnx", 1)
    np.testing.assert_allclose(run_graph(graph, one.numpy()[None])[0], stored[0].numpy(), atol=2e-4)


def test_the_layers_are_those_that_are_named(small, weights, encoder):
    samples = torch.from_numpy(sound(0.5))[None]
    with torch.no_grad():
        x, lengths = encoder.enter(samples, torch.tensor([samples.shape[1]]))
        bias = torch.zeros(1, 1, 1, x.shape[1])
        states = []
        for block in encoder.blocks:
            x = block(x, bias)
            states.append(x)
        second = build_frontend(PretrainedSettings(small, weights, layer=2))(samples)[0]
        torch.testing.assert_close(second, states[1])
        torch.testing.assert_close(build_frontend(PretrainedSettings(small, weights))(samples)[0],
                                   encoder.norm(states[-1]))
        mixed = build_frontend(PretrainedSettings(small, weights, mix=True))
        mixed.shares.data = torch.tensor([0.0, 50.0, 0.0])  # nothing but the second
        torch.testing.assert_close(mixed(samples)[0], torch.nn.functional.layer_norm(states[1], (SHAPE.width,)))


def test_only_what_is_tuned_gets_gradients(small, weights):
    samples = torch.from_numpy(sound(0.5))[None]
    for options, expected in (({}, 0), ({"tuned_blocks": 1}, 14), ({"mix": True}, 1)):
        frontend = build_frontend(PretrainedSettings(small, weights, **options))
        frames = frontend(samples)[0]
        if expected:
            frames.square().mean().backward()
        trained = [name for name, value in frontend.named_parameters() if value.grad is not None]
        assert len(trained) == expected, trained
        assert not any(name.startswith(("encoder.first", "encoder.blocks.0")) for name in trained)


# Moonshine


@pytest.fixture(scope="module")
def moonshine(tmp_path_factory):
    """A graph of the same strides and width as Moonshine's, of random weights, which asks for a mask."""

    class Small(torch.nn.Module):
        def __init__(self):
            super().__init__()
            widths, kernels, strides = (1, 8, 8, 288), (127, 7, 3), (64, 3, 2)
            self.layers = torch.nn.ModuleList(
                torch.nn.Conv1d(a, b, k, s) for a, b, k, s in zip(widths, widths[1:], kernels, strides))

        def forward(self, input_values, attention_mask):
            x = (input_values * attention_mask)[:, None]
            for layer in self.layers:
                x = torch.tanh(layer(x))
            return x.transpose(1, 2)

    path = tmp_path_factory.mktemp("moonshine") / "encoder_model.onnx"
    torch.manual_seed(0)
    torch.onnx.export(Small(), (torch.zeros(1, 4000), torch.ones(1, 4000, dtype=torch.int64)), str(path),
                      input_names=["input_values", "attention_mask"], output_names=["last_hidden_state"], dynamo=False,
                      dynamic_axes={"input_values": [0, 1], "attention_mask": [0, 1], "last_hidden_state": [0, 1]})
    return path


def test_moonshines_graph_is_a_frontend(moonshine, tmp_path):
    frontend = build_frontend(PretrainedSettings("moonshine-tiny", str(moonshine)))
    one, other = sound(0.7), sound(1.3, seed=1)
    batch = torch.zeros(2, len(other))
    batch[0, :len(one)], batch[1] = torch.from_numpy(one), torch.from_numpy(other)
    frames, lengths = frontend(batch, torch.tensor([len(one), len(other)]))
    assert lengths.tolist() == [frontend.n_frames(len(one)), frontend.n_frames(len(other))]
    assert frames.shape == (2, max(lengths.tolist()), 288) and not frames[0, lengths[0]:].any()
    assert frontend.frame_shift == 0.024
    assert frontend(torch.zeros(1, 10))[0].shape == (1, 1, 288) and frontend.n_frames(10) == 1
    frontend.export_onnx(tmp_path / "frontend.onnx")
    np.testing.assert_array_equal(run_graph(open_session(tmp_path / "frontend.onnx", 1), one[None])[0],
                                  frames[0, :lengths[0]].numpy())
    again = build_frontend(PretrainedSettings("moonshine-tiny"))  # from a checkpoint's state
    again.load_state_dict(frontend.state_dict())
    torch.testing.assert_close(again(torch.from_numpy(one)[None])[0][0], frames[0, :lengths[0]])


def test_graphs_that_are_none_of_moonshines(moonshine, tmp_path):
    (tmp_path / "text.ort").write_text("hello")
    other = tmp_path / "other.onnx"
    torch.onnx.export(torch.nn.Linear(4, 3), (torch.zeros(1, 4),), str(other), dynamo=False)
    for path in (tmp_path / "text.ort", other, tmp_path / "missing.ort"):
        with pytest.raises(EarsightError) as found:
            MoonshineGraph(path)
        assert str(path) in str(found.value) and "\n" not in str(found.value)
    with pytest.raises(EarsightError, match="leave layer, mix and tuned_blocks out"):
        build_frontend(PretrainedSettings("moonshine-tiny", str(moonshine), tuned_blocks=1))
