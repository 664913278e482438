"""A model folder's weights under the names that they had in training, so that a training may start from it.

Graphs keep the names of what no operator fused. LSTM and GRU weights are found by their operators' order, those of
linear layers, and of the convolution that strides, by the bias that is added behind them. What was stored as 8-bit
integers comes back rounded.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..checkpoint import read_checkpoint
from ..errors import EarsightError
from ..model_folder import ENCODER, FRONTEND, ModelConfig, find_model, read_config
from ..nn.frames import SETTLED

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

# Where ONNX has a cell's gates, in the order in which torch has them: input, forget, cell, output; reset, update, new.
GATES = {"LSTM": (0, 2, 3, 1), "DynamicQuantizeLSTM": (0, 2, 3, 1), "GRU": (1, 0, 2)}
PRODUCTS = ("MatMul", "MatMulInteger")
OF_MODEL = "model."  # before the names of an encoder's graph
STRIDING = ".subsample.second.bias"  # of a convolution that an export has as a matrix product
DEVIATION = "/normaliser/Sqrt_output_0"  # of a feature, with the floor that `FrameNormaliser` gives it
Arrays = dict[str, np.ndarray]


def starting_weights(source: str) -> dict[str, Any]:
    """What `--init` names: a checkpoint, a model folder, or an installed model."""
    if source.endswith(".ckpt") or Path(source).is_file():
        return read_checkpoint(source)
    return folder_checkpoint(find_model(source))


def folder_checkpoint(folder: Path) -> dict[str, Any]:
    """What `common.training.weights.start_from` takes of a checkpoint, out of a model folder.

    Raises:
        EarsightError: a graph of it cannot be read, or is no longer as it was exported, as one of joined streams.
    """
    config = read_config(folder)
    weights: Arrays = {}
    for name in (FRONTEND, ENCODER):
        if (folder / name).is_file():
            graph = _read_graph(folder / name)
            try:
                weights |= _graph_weights(graph, config)
            except (KeyError, IndexError, ValueError, AttributeError) as error:
                raise EarsightError(f"{folder / name}: not as `earsight export` writes it ({error}); export the model "
                                    "again") from error
    if not any(name.startswith("encoder.") for name in weights):
        raise EarsightError(f"{folder}: holds no weights under the names of one training (joined streams do not); give "
                            "--init a checkpoint")
    return {"state_dict": {name: torch.from_numpy(np.array(value)) for name, value in weights.items()},
            "earsight": {"medium": config.medium, "labels": config.labels, "auxiliary_labels": None}}


def _read_graph(path: Path) -> "ModelProto":
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return onnx.load(str(path))
    except (DecodeError, ValueError, OSError) as error:
        raise EarsightError(f"{path}: damaged, it cannot be read as a graph; export the model again") from error


def _graph_weights(model: "ModelProto", config: ModelConfig) -> Arrays:
    from onnx import numpy_helper

    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    # Of equal tensors, as of layers that nothing has taught yet, one is stored.
    held |= {node.output[0]: held[node.input[0]] for node in model.graph.node
             if node.op_type == "Identity" and node.input[0] in held}
    found = {name: value for name, value in held.items() if name.startswith((OF_MODEL, "frontend."))
             and value.dtype == np.float32 and not name.endswith(("_scale", "_zero_point"))}
    biases = {_module(node): name for node in model.graph.node if node.op_type == "Add"
              for name in node.input if name.endswith(".bias") and name in found}
    cells: dict[str, list[NodeProto]] = defaultdict(list)
    for node in model.graph.node:
        if not node.name.startswith("/"):  # of another training, which was joined to this
            continue
        if node.op_type in GATES:
            cells[node.name.split("/")[1]].append(node)
        elif node.op_type in PRODUCTS and (bias := biases.get(_module(node))) and node.input[1] in held:
            weight = _dequantised(held, node.input[1]).T
            found[f"{bias.removesuffix('bias')}weight"] = _taps(weight) if bias.endswith(STRIDING) else weight
    for part, nodes in cells.items():
        layers = f"{OF_MODEL}{_layers_of(part, config.model.get('encoder') or {})}"
        for depth, node in enumerate(nodes):
            for name, value in _cell_weights(held, node):
                found[f"{layers}{name.format(depth=depth)}"] = value
    weights = {name.removeprefix(OF_MODEL): value for name, value in found.items()}
    if "normaliser.mean" in weights:
        weights["normaliser.batches"] = np.array(SETTLED, dtype=np.float32)
        weights["normaliser.square"] = _variance(held, model) + weights["normaliser.mean"]**2
    return weights


def _module(node: "NodeProto") -> str:
    """The part of the model that an operator belongs to."""
    return node.name.rpartition("/")[0]


def _taps(weight: np.ndarray) -> np.ndarray:
    """A convolution's weights (channel, channel, tap), of those that its stacked taps (channel, tap x channel) had."""
    channels = len(weight)
    return weight.reshape(channels, -1, channels).transpose(0, 2, 1)


def _layers_of(part: str, encoder: dict[str, Any]) -> str:
    """Where training has the recurrent layers of a part of the exported encoder: "encoders.N" or "above"."""
    if part == "above":
        return "encoder.above."
    if encoder.get("joint"):
        return f"encoder.below.{part}.layers."
    several = encoder.get("streams") or encoder.get("members", 1) != 1
    return f"encoder.{part}.layers." if several else "encoder.layers."


def _cell_weights(held: Arrays, node: "NodeProto") -> Iterator[tuple[str, np.ndarray]]:
    """A recurrent operator's weights, by direction, as torch's layers call and order them."""
    order, whole = GATES[node.op_type], node.op_type == "DynamicQuantizeLSTM"
    entering, own, biases = node.input[1:4]
    for direction, side in enumerate(("forwards", "backwards")[:len(held[biases])]):
        matrices = [_dequantised(held, name)[direction] for name in (entering, own)]
        columns = [*(matrix.T if whole else matrix for matrix in matrices), *np.split(held[biases][direction], 2)]
        for name, value in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), columns):
            gates = np.split(value, len(order))
            yield f"{side}.{{depth}}.{name}_l0", np.concatenate([gates[place] for place in order])


def _dequantised(held: Arrays, name: str) -> np.ndarray:
    """A matrix (..., input, output), or if it is in single precision as it is stored."""
    value, plain = held[name], name.removesuffix("_quantized")
    if plain == name:
        return value
    scale, zero = held[f"{plain}_scale"], held[f"{plain}_zero_point"].astype(np.float32)
    return (value.astype(np.float32) - zero[..., None, :]) * scale[..., None, :]


def _variance(held: Arrays, model: "ModelProto") -> np.ndarray:
    """Each feature's over the whole set. A float32 graph holds it, one in 8 bits what frames are divided by."""
    for node in model.graph.node:
        if node.name == "/normaliser/Clip" and node.input[0] in held:
            return held[node.input[0]]
    floored = held[DEVIATION]**2 - 1e-8
    return floored - 1e-4 * floored.mean() / (1 + 1e-4)
