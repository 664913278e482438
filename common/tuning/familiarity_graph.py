"""A classifier's ONNX graph with a further output: how much a clip looks like one of the classes.

What it needs is in the graph already: each head weighs a clip's hidden states over time (`states`), and makes logits of
them. The nodes are found by what they do, so that graphs of earlier versions and quantised ones serve too.
"""

from typing import Any

import numpy as np

from ..errors import EarsightError, require
from ..inference.unknown import FAMILIARITY

STATES, ENERGY = "states", "energy"  # (batch, feature), and (batch,)
PREFIX = "familiarity/"  # of the names of what is added


def with_evidence(graph: Any) -> Any:
    """A copy of a graph (onnx.ModelProto) that also gives `STATES` and `ENERGY`, and no `FAMILIARITY`.

    STATES: (batch, feature), the pooled hidden states of all heads side by side.
    ENERGY: (batch,), the mean over the heads of log sum exp of their logits (Liu et al., Energy-based
        Out-of-distribution Detection, 2020, with its sign turned: high for what is familiar).

    Raises:
        EarsightError: it is no classifier's graph.
    """
    onnx = require("onnx", "train")
    copy = _without(graph)
    pooled, logits = _pooled(copy), _logits(copy)
    if not pooled or not logits:
        raise EarsightError("the graph pools no states over time, and so is no classifier's; export the model again")
    node = onnx.helper.make_node
    copy.graph.node.append(node("Concat", pooled, [STATES], PREFIX + "states", axis=1))
    energies = []
    for i, name in enumerate(logits):
        energies.append(f"{PREFIX}energy{i}")
        copy.graph.node.append(node("ReduceLogSumExp", [name], [energies[-1]], energies[-1], axes=[1], keepdims=0))
    copy.graph.node.append(node("Mean", energies, [ENERGY], PREFIX + "energy"))
    _add_outputs(copy, {STATES: ("batch", "feature"), ENERGY: ("batch",)})
    return copy


def with_familiarity(graph: Any, layer: tuple[np.ndarray, np.ndarray] | None = None) -> Any:
    """A copy of a graph that also gives `FAMILIARITY` (batch,): the energy, or what a layer makes of the states.

    Args:
        layer: weights (feature, class + 1) and biases (class + 1,) of logits of the classes and, last, of everything
            else: the score is log P(one of the classes) - log P(anything else).
    """
    onnx = require("onnx", "train")
    copy = with_evidence(graph)
    if layer is None:
        copy.graph.node.append(onnx.helper.make_node("Identity", [ENERGY], [FAMILIARITY], PREFIX + "score"))
    else:
        node, array = onnx.helper.make_node, onnx.numpy_helper.from_array
        count = len(layer[1]) - 1
        constants = {"weights": layer[0].astype(np.float32), "biases": layer[1].astype(np.float32),
                     "split": np.array([count, 1])}
        copy.graph.initializer.extend(array(value, PREFIX + name) for name, value in constants.items())
        named = {name: PREFIX + name for name in (*constants, "logits", "classes", "others", "known", "unknown")}
        copy.graph.node.extend([
            node("Gemm", [STATES, named["weights"], named["biases"]], [named["logits"]], named["logits"]),
            node("Split", [named["logits"], named["split"]], [named["classes"], named["others"]], named["classes"],
                 axis=1),
            node("ReduceLogSumExp", [named["classes"]], [named["known"]], named["known"], axes=[1], keepdims=0),
            node("ReduceLogSumExp", [named["others"]], [named["unknown"]], named["unknown"], axes=[1], keepdims=0),
            node("Sub", [named["known"], named["unknown"]], [FAMILIARITY], PREFIX + "score"),
        ])
    for output in [each for each in copy.graph.output if each.name in (STATES, ENERGY)]:
        copy.graph.output.remove(output)
    _add_outputs(copy, {FAMILIARITY: ("batch",)})
    return copy


def _without(graph: Any) -> Any:
    """A copy without what this module added before."""
    copy = type(graph)()
    copy.CopyFrom(graph)
    for items, added in ((copy.graph.node, PREFIX), (copy.graph.initializer, PREFIX), (copy.graph.output, FAMILIARITY)):
        for item in [each for each in items if each.name.startswith(added)]:
            items.remove(item)
    return copy


def _pooled(graph: Any) -> list[str]:
    """Outputs (batch, feature) of each head's pooling: a sum of products with a softmax over time."""
    made = {output: node for node in graph.graph.node for output in node.output}

    def kind(name: str) -> str:
        return made[name].op_type if name in made else ""

    def pools(node: Any) -> bool:
        return (node.op_type == "ReduceSum" and kind(node.input[0]) == "Mul"
                and any(kind(name) == "Softmax" for name in made[node.input[0]].input))

    return sorted(node.output[0] for node in graph.graph.node if pools(node))


def _logits(graph: Any) -> list[str]:
    """Outputs (batch, label) of each head: what several heads' log-softmaxes read; one head's are the graph's own."""
    own = graph.graph.output[0].name
    read = sorted(node.input[0] for node in graph.graph.node if node.op_type == "LogSoftmax" and own not in node.output)
    return read or [own]


def _add_outputs(graph: Any, outputs: dict[str, tuple[str, ...]]) -> None:
    onnx = require("onnx", "train")
    graph.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, list(shape))
                              for name, shape in outputs.items())
