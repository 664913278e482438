"""A video model folder whose CNN and pose graphs compute in 8 bits: nearly twice as fast, and half the size.

    python scripts/quantise_frontends.py MODEL DESTINATION CLIP [CLIP...]

CLIPs are films of what the model is for, a hundred or so: they tell how large each array gets. Channels are first made
alike in size, by factors that the next convolution takes back (Nagel et al., 2019), since all of an array have one
scale; the layers that would lose most stay as they are (KEPT). What the graphs say still changes by some per cent:
measure the model again, and calibrate it again if it knows what is none of its classes.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.preprocess import quant_pre_process
from tqdm import tqdm

from earsight.common.errors import EarsightError
from earsight.common.files import whole_folder
from earsight.common.inference.runtime import Runtime
from earsight.common.model_folder import FRONTEND
from earsight.video.frontends.pictures import CNN_STREAMS, PictureSettings, pictures
from earsight.video.pose.graphs import DETECTOR, LANDMARKER, PoseGraphs, open_graphs
from earsight.video.pose.tracking import PoseTracker
from earsight.video.reading import sample

# Convolutions that stay in single precision, as many in a row at the input and at the outputs: the first, of large
# pictures and few channels, which 8 bits make little faster, and those that places are read from.
KEPT = {FRONTEND: (6, 0), DETECTOR: (9, 2), LANDMARKER: (12, 18)}
OPERATORS = ("Conv", "Add", "Clip", "Relu", "MaxPool", "Concat", "Resize", "DepthToSpace")
THROUGH = ("Clip", "Relu", "Add")  # what leaves a channel's factor a factor
INPUTS = 120  # of each graph that are computed
SECONDS = 60.0  # of a clip that are looked at
LARGEST = 64.0  # factor
LEAST = 1e-3  # of the largest channel: one that is smaller, perhaps 0, is taken for that

Feeds = list[dict[str, np.ndarray]]


def quantise_folder(model: Path, destination: Path, clips: list[Path]) -> None:
    """Write the folder; see above.

    Raises:
        EarsightError: the model takes no videos, its graphs compute in 8 bits already, or a clip cannot be read.
    """
    runtime = Runtime(model)
    if runtime.config.medium != "video":
        raise EarsightError(f"model {runtime.name} takes no videos; name one that does")
    feeds = inputs(PictureSettings.from_dict(runtime.config.frontend, runtime.folder), clips)
    with whole_folder(destination) as folder:
        shutil.copytree(runtime.folder, folder, dirs_exist_ok=True)
        for name, given in feeds.items():
            onnx.save(quantised(onnx.load(folder / name), given, *KEPT[name]), folder / name)
        Runtime(folder)  # it loads, or nothing is written


# What the graphs are given


@dataclass(frozen=True, eq=False)
class _Watched(PoseGraphs):
    """Pose graphs that keep what they are given."""

    squares: list[np.ndarray] = field(default_factory=list)
    crops: list[np.ndarray] = field(default_factory=list)

    def detect(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.squares.append(picture)
        return super().detect(picture)

    def landmarks(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        self.crops.append(picture)
        return super().landmarks(picture)


def inputs(settings: PictureSettings, clips: list[Path]) -> dict[str, Feeds]:
    """By graph, what a model's graphs are given while it looks at clips: up to INPUTS, from all over the clips."""
    graphs = _Watched(**vars(open_graphs(settings.pose.graphs))) if settings.pose else None
    shown: list[np.ndarray] = []
    for clip in tqdm(clips, unit="clip", file=sys.stderr, disable=None):
        if settings.streams.keys() & set(CNN_STREAMS):
            shown += [moment[stream] for moment in pictures(clip, settings, end=SECONDS) for stream in CNN_STREAMS
                      if stream in moment]
        if graphs:
            follow = PoseTracker(graphs)
            for moment in sample(clip, 1.0, end=SECONDS):
                follow(moment.image)
    given = {FRONTEND: [{"pictures": each[None, None]} for each in shown]}
    if graphs:
        given |= {DETECTOR: [{"picture": each[None]} for each in graphs.squares],
                  LANDMARKER: [{"picture": each[None]} for each in graphs.crops]}
    return {name: [feeds[k] for k in np.linspace(0, len(feeds) - 1, min(INPUTS, len(feeds))).astype(int)]
            for name, feeds in given.items() if feeds}


# 8 bits


def quantised(graph: onnx.ModelProto, feeds: Feeds, first: int = 0, last: int = 0) -> onnx.ModelProto:
    """A graph of convolutions with weights and arrays of 8 bits.

    Args:
        feeds: what it is given, for the size of its arrays.
        first, last: how many of its convolutions, with what surrounds them, stay in single precision.

    Raises:
        EarsightError: it computes in 8 bits already.
    """
    if any(node.op_type == "DequantizeLinear" for node in graph.graph.node):
        raise EarsightError("the graphs of this model compute in 8 bits already; name the one that it was made of")
    with tempfile.TemporaryDirectory() as scratch, _silent():
        plain, folded, result = (str(Path(scratch) / f"{name}.onnx") for name in ("plain", "folded", "result"))
        onnx.save(graph, plain)
        quant_pre_process(plain, folded, skip_symbolic_shape=True)  # constants folded
        equal = equalised(_with_names(onnx.load(folded)), feeds)
        onnx.save(equal, folded)
        quantize_static(folded, result, _Reader(feeds), quant_format=QuantFormat.QDQ, per_channel=True,
                        weight_type=QuantType.QInt8, activation_type=QuantType.QUInt8,
                        op_types_to_quantize=list(OPERATORS), nodes_to_exclude=_outside(equal, first, last))
        made = onnx.load(result)
    del made.graph.value_info[:]  # shapes that nothing which runs it reads
    return made


def _outside(graph: onnx.ModelProto, first: int, last: int) -> list[str]:
    """The names of the nodes among the `first` convolutions and the `last`, by the longest way through each."""
    behind, ahead = (_convolutions(graph, back) for back in (False, True))
    # What only hands an array to the first of the `last` belongs to what makes that array.
    return [node.name for node in graph.graph.node
            if behind[node.name] <= first or ahead[node.name] < last + (node.op_type == "Conv")]


def _convolutions(graph: onnx.ModelProto, back: bool) -> dict[str, int]:
    """How many convolutions there are from the input to each node, itself too, or back from the outputs."""
    reached: dict[str, int] = defaultdict(int)  # by array
    counts = {}
    for node in reversed(graph.graph.node) if back else graph.graph.node:  # each behind those that it needs
        sources, results = (node.output, node.input) if back else (node.input, node.output)
        counts[node.name] = max(reached[name] for name in sources) + (node.op_type == "Conv")
        for name in results:
            reached[name] = max(reached[name], counts[node.name])
    return counts


class _Reader(CalibrationDataReader):
    def __init__(self, feeds: Feeds):
        self._feeds = iter(feeds)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._feeds, None)


# Channels of like size


@dataclass(eq=False)
class _Arrays:
    """Arrays of a graph that share their channels' factors, as what is added does."""

    names: set[str] = field(default_factory=set)
    producers: list[onnx.NodeProto] = field(default_factory=list)  # convolutions, as the next
    consumers: list[onnx.NodeProto] = field(default_factory=list)
    bound: float = np.inf  # of a Clip among them
    free: bool = True  # nothing else makes or reads them


def equalised(graph: onnx.ModelProto, feeds: Feeds) -> onnx.ModelProto:
    """The same function, of which the channels of each array are about as large as each other.

    A channel that comes near a bound (6, of ReLU6) stays as it is, so that the bound goes on to mean the same; on
    inputs that are larger than all of `feeds` the two may differ.
    """
    weights = {each.name: each for each in graph.graph.initializer}
    values = {name: numpy_helper.to_array(each).copy() for name, each in weights.items()}
    groups = list(_shared(graph, values))
    sizes = _sizes(graph, sorted(set().union(*(group.names for group in groups if group.free))), feeds)
    for group in groups:
        if not (group.free and group.producers and group.consumers):
            continue
        size = np.max([sizes[name] for name in group.names], axis=0)
        top = min(size.max(), group.bound)
        # Depthwise convolutions have a scale of their own for each channel and can take all back; in others, where
        # channels meet, the factors make the weights as unlike as they make the channels alike: half of each.
        exponent = 1.0 if all(_parts(node) > 1 for node in group.consumers) else 0.5
        factors = np.minimum((top / np.clip(size, LEAST * top + 1e-9, top)) ** exponent, LARGEST).astype(np.float32)
        for node in group.producers:
            for name in node.input[1:]:  # its weights, and its bias
                values[name] = values[name] * factors.reshape(-1, *[1] * (values[name].ndim - 1))
        for node in group.consumers:
            shape = (-1, 1, 1, 1) if _parts(node) > 1 else (1, -1, 1, 1)
            values[node.input[1]] = values[node.input[1]] / factors.reshape(shape)
    for name, each in weights.items():
        each.CopyFrom(numpy_helper.from_array(values[name], name))
    return graph


def _shared(graph: onnx.ModelProto, values: dict[str, np.ndarray]) -> Iterator[_Arrays]:
    """The arrays between convolutions, in groups."""
    producer = {name: node for node in graph.graph.node for name in node.output}
    consumers = defaultdict(list)
    for node in graph.graph.node:
        for name in node.input:
            consumers[name].append(node)
    results = {each.name for each in graph.graph.output}
    reached: set[str] = set()
    for node in graph.graph.node:
        if node.op_type != "Conv" or node.output[0] in reached:
            continue
        group, waiting = _Arrays(), [node.output[0]]
        while waiting:
            name = waiting.pop()
            if name in group.names or name in values:
                continue
            group.names.add(name)
            made = producer.get(name)
            if made is None or name in results:
                group.free = False
            elif made.op_type == "Conv":
                group.producers.append(made)
            elif made.op_type in THROUGH:
                group.free &= made.op_type != "Add" or not any(each in values for each in made.input)
                if made.op_type == "Clip":
                    low, high = (float(values[each]) if each in values else None for each in [*made.input, "", ""][1:3])
                    group.free &= low == 0
                    group.bound = min(group.bound, np.inf if high is None else high)
                waiting += [each for each in made.input if each]
            else:
                group.free = False
            for reader in consumers[name]:
                if reader.op_type == "Conv":
                    group.consumers.append(reader)
                elif reader.op_type in THROUGH:
                    waiting.append(reader.output[0])
                else:
                    group.free = False
        reached |= group.names
        yield group


def _sizes(graph: onnx.ModelProto, names: list[str], feeds: Feeds) -> dict[str, np.ndarray]:
    """The largest size of each channel of arrays (batch, channel, height, width), by name."""
    whole = onnx.ModelProto()
    whole.CopyFrom(graph)
    whole.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # else some are fused away
    session = onnxruntime.InferenceSession(whole.SerializeToString(), options, providers=["CPUExecutionProvider"])
    sizes: dict[str, np.ndarray] = {}
    for feed in feeds:
        for name, array in zip(names, session.run(names, feed)):
            size = np.abs(np.asarray(array)).max(axis=(0, 2, 3))
            sizes[name] = np.maximum(sizes.get(name, size), size)
    return sizes


def _parts(convolution: onnx.NodeProto) -> int:
    return next((each.i for each in convolution.attribute if each.name == "group"), 1)


def _with_names(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Every node has a name, by which it can be left out, and constants are weights."""
    kept = []
    for node in graph.graph.node:
        node.name = node.name or f"makes {node.output[0]}"
        if node.op_type == "Constant":
            graph.graph.initializer.append(numpy_helper.from_array(
                numpy_helper.to_array(node.attribute[0].t), node.output[0]))
        else:
            kept.append(node)
    del graph.graph.node[:]
    graph.graph.node.extend(kept)
    return graph


@contextmanager
def _silent() -> Iterator[None]:
    """ONNX Runtime's quantiser gives advice, of what is done here."""
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    try:
        yield
    finally:
        logging.getLogger().setLevel(level)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="model folder or installed model")
    parser.add_argument("destination", type=Path, help="the folder that is written")
    parser.add_argument("clips", type=Path, nargs="+", metavar="CLIP")
    args = parser.parse_args()
    try:
        quantise_folder(args.model, args.destination, args.clips)
    except EarsightError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
