"""TFLite graphs in ONNX: a small one of the operators that are converted, beside LiteRT, where that is installed."""

import sys

import numpy as np
import onnxruntime
import pytest

schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="needs LiteRT: pip install ai-edge-litert")
flatbuffers = pytest.importorskip("flatbuffers")
convert_pose = pytest.importorskip("convert_pose")
Converter, compare = convert_pose.Converter, convert_pose.compare

OUTPUTS = {"scores": "scores", "map": "map"}
RELU6, SAME, VALID = schema.ActivationFunctionType.RELU6, schema.Padding.SAME, schema.Padding.VALID


class Builder:
    """A TFLite graph of one picture, node by node."""

    def __init__(self):
        self.rng = np.random.default_rng(3)
        self.graph, self.model = schema.SubGraphT(), schema.ModelT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.version, self.model.subgraphs, self.model.operatorCodes = 3, [self.graph], []
        self.model.buffers = [schema.BufferT()]

    def tensor(self, name, shape, kind=schema.TensorType.FLOAT32, value=None):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), kind, 0
        if value is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(value.tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def weights(self, *shape):
        """Stored in 16 bits behind a DEQUANTIZE, as MediaPipe's are."""
        half = self.tensor("half", shape, schema.TensorType.FLOAT16, self.rng.normal(size=shape).astype(np.float16) / 3)
        return self.node("DEQUANTIZE", [half], shape)

    def integers(self, values):
        value = np.array(values, np.int32)
        return self.tensor("integers", value.shape, schema.TensorType.INT32, value)

    def node(self, kind, entries, shape, options=None, name="t", **fields):
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
        self.model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs = len(self.model.operatorCodes) - 1, entries
        operator.outputs = [self.tensor(name, shape)]
        if options:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(schema, f"{options}T")()
            for field, value in fields.items():
                setattr(operator.builtinOptions, field, value)
        self.graph.operators.append(operator)
        return operator.outputs[0]

    def content(self, entry, *results):
        self.graph.inputs, self.graph.outputs = [entry], list(results)
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


@pytest.fixture(scope="module")
def content() -> bytes:
    """16 x 16 pixels through each operator."""
    b = Builder()
    entry = b.tensor("picture", (1, 16, 16, 3))
    stride = {"strideH": 2, "strideW": 2, "dilationHFactor": 1, "dilationWFactor": 1}
    padded = b.node("PAD", [entry, b.integers([[0, 0], [0, 1], [1, 0], [0, 0]])], (1, 17, 17, 3))
    x = b.node("CONV_2D", [padded, b.weights(8, 3, 3, 3), b.weights(8)], (1, 8, 8, 8), "Conv2DOptions", padding=VALID,
               fusedActivationFunction=RELU6, **stride)
    x = b.node("DEPTHWISE_CONV_2D", [x, b.weights(1, 5, 5, 8), b.weights(8)], (1, 4, 4, 8), "DepthwiseConv2DOptions",
               padding=SAME, depthMultiplier=1, **stride)
    pooled = b.node("MAX_POOL_2D", [x], (1, 2, 2, 8), "Pool2DOptions", padding=SAME, strideH=2, strideW=2,
                    filterHeight=2, filterWidth=2)
    wide = b.node("PAD", [pooled, b.integers([[0, 0], [0, 0], [0, 0], [0, 8]])], (1, 2, 2, 16))
    up = b.node("DEPTH_TO_SPACE", [wide], (1, 4, 4, 4), "DepthToSpaceOptions", blockSize=2)
    larger = b.node("RESIZE_BILINEAR", [up, b.integers([8, 8])], (1, 8, 8, 4), "ResizeBilinearOptions",
                    halfPixelCenters=True, alignCorners=False)
    both = b.node("ADD", [larger, larger], (1, 8, 8, 4), "AddOptions", fusedActivationFunction=RELU6)
    flat = [b.node("RESHAPE", [each, b.integers([1, n, 4])], (1, n, 4)) for each, n in ((up, 16), (both, 64))]
    rows = b.node("CONCATENATION", flat, (1, 80, 4), "ConcatenationOptions", axis=1, name="map")
    return b.content(entry, b.node("LOGISTIC", [rows], (1, 80, 4), name="scores"), rows)


def test_each_operator_gives_what_litert_gives(content):
    model = Converter(content, (-1.0, 1.0), OUTPUTS).convert()
    pictures = np.random.default_rng(1).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    assert max(compare(content, model, (-1.0, 1.0), OUTPUTS, iter(pictures)).values()) < 1e-5
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    scores, rows = (session.run([name], {"picture": pictures[:1]})[0] for name in ("scores", "map"))
    assert rows.std() > 0.1  # not all of it cut off
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-rows)), atol=1e-5)


def test_what_is_not_read_is_left_out_and_weights_stay_in_16_bits(content):
    whole, part = (Converter(content, (0.0, 1.0), outputs).convert() for outputs in (OUTPUTS, {"map": "map"}))
    assert {node.op_type for node in whole.graph.node} - {node.op_type for node in part.graph.node} == {"Sigmoid"}
    large = [each for each in part.graph.initializer if np.prod(each.dims) > 30]
    assert large and all(each.data_type == convert_pose.TensorProto.FLOAT16 for each in large)


def test_a_package_that_is_none_is_one_line(tmp_path, capsys, monkeypatch):
    (tmp_path / "a.tgz").write_bytes(b"no archive")
    monkeypatch.setattr(sys, "argv", ["convert_pose.py", str(tmp_path / "a.tgz"), str(tmp_path / "out")])
    assert convert_pose.main() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and "a.tgz" in line
