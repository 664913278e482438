"""What happens inside a model folder's encoder: its recurrent layers or attention, read out of its ONNX graph.

The graph gives each layer's input; gates and memory are replayed from it with the layer's own weights, which for int8
models are the quantised ones. So nothing but onnx and ONNX Runtime is needed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import require
from ..model_folder import ENCODER
from ..nn.cells import Values, replay

# By operator: the kind of cell, and where the gates that torch's order begins with stand in ONNX's (iofc, zrh).
OPERATORS = {"LSTM": ("lstm", (0, 2, 3, 1)), "DynamicQuantizeLSTM": ("lstm", (0, 2, 3, 1)), "GRU": ("gru", (1, 0, 2))}
DIRECTIONS = ("forward", "backward")


@dataclass(frozen=True, eq=False)
class LayerRun:
    """One direction of a recurrent layer on a clip.

    Attributes:
        layer: from 1, the lowest first; the layers of a model's streams and members follow each other.
        direction: "forward" or "backward".
        kind: "lstm" or "gru".
        values: see `common.nn.cells.replay`, (time, hidden) each, in the clip's own order.
        outputs: what the graph itself gave, (time, hidden); `values["h"]` but for the rounding of int8.
    """

    layer: int
    direction: str
    kind: str
    values: Values
    outputs: np.ndarray


@dataclass(frozen=True, eq=False)
class EncoderRun:
    """A clip's way through an encoder.

    Attributes:
        outputs: of the whole graph, without the batch.
        layers: by layer, then direction; empty for a Transformer, and for a model without layers.
        attention: by layer, (head, time, time): how much each frame (row) looks at each; empty for recurrent layers.
    """

    outputs: np.ndarray
    layers: list[LayerRun]
    attention: list[np.ndarray]


def run_encoder(folder: Path, frames: np.ndarray) -> EncoderRun:
    """Run a model folder's encoder on frames (time, feature), at least one."""
    onnx, onnxruntime = require("onnx", "train"), require("onnxruntime", "train")
    graph = onnx.load(str(folder / ENCODER))
    nodes = [node for node in graph.graph.node if node.op_type in OPERATORS]
    constants = {constant.name: onnx.numpy_helper.to_array(constant) for constant in graph.graph.initializer}
    softmax = [node.output[0] for node in graph.graph.node if node.op_type == "Softmax"]
    # The weights too: a float graph puts them together of its constants.
    wanted = [name for node in nodes for name in (*node.input, node.output[0]) if name] + softmax
    wanted = [name for name in dict.fromkeys(wanted) if name not in constants]
    graph.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: frames[None].astype(np.float32)})
    seen = constants | dict(zip((output.name for output in session.get_outputs()), found))
    layers = [run for number, node in enumerate(nodes, 1) for run in _runs(number, node, seen)]
    # The softmax of a pooling head is (batch, time, 1); attention's is (batch, head, time, time).
    attention = [seen[name][0] for name in softmax if seen[name].ndim == 4]
    return EncoderRun(found[0][0], layers, attention)


def _runs(number: int, node, seen: dict[str, np.ndarray]) -> Iterator[LayerRun]:
    """The directions of a layer: ONNX has its input as (time, batch, input), its outputs as (time, direction, ...)."""
    kind, order = OPERATORS[node.op_type]
    x, outputs = seen[node.input[0]][:, 0], seen[node.output[0]][:, :, 0]
    weights = _weights(node, seen)
    for i, direction in enumerate(DIRECTIONS[: outputs.shape[1]]):
        flip = slice(None, None, -1 if direction == "backward" else 1)
        w, r, b_w, b_r = (_reordered(part[i], order) for part in weights)
        values = {name: value[flip] for name, value in replay(kind, x[flip], w, r, b_w, b_r).items()}
        yield LayerRun(number, direction, kind, values, outputs[:, i])


def _weights(node, seen: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Input and recurrent weights (direction, gates * hidden, ...) and both biases (direction, gates * hidden)."""
    w, r, bias = (seen[name] for name in node.input[1:4])
    if node.op_type == "DynamicQuantizeLSTM":
        # (direction, input, gates * hidden) of integers, with a scale and a zero a column or a direction.
        w, r = (_dequantised(part, *(seen[name] for name in node.input[k : k + 2])) for part, k in ((w, 8), (r, 10)))
    half = bias.shape[1] // 2
    return w, r, bias[:, :half], bias[:, half:]


def _dequantised(values: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> np.ndarray:
    scale, zero = (part.reshape(len(values), 1, -1) for part in (scale, zero))
    return ((values.astype(np.float32) - zero.astype(np.float32)) * scale).transpose(0, 2, 1)


def _reordered(values: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    gates = np.split(values, len(order))
    return np.concatenate([gates[i] for i in order])
