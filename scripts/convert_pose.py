"""MediaPipe's pose detector and landmarker as ONNX graphs, which the pose stream of video models runs.

    pip install ai-edge-litert onnx
    npm pack @mediapipe/pose@0.5.1675469404
    python scripts/convert_pose.py mediapipe-pose-0.5.1675469404.tgz FOLDER [--size lite|full|heavy]

FOLDER then holds pose_detector.onnx and pose_landmarker.onnx; a recipe names it in model.pictures.pose.graphs. Weights
stay in 16 bits, as MediaPipe stores them. Outputs that nothing here reads (the person's outline, heat maps) are left
out, and with them what computes them alone. Both graphs are compared with LiteRT on random pictures before they are
written. MediaPipe is Google's, under the Apache License 2.0.
"""

import argparse
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from onnx import TensorProto, helper, numpy_helper

from earsight.common.errors import EarsightError, first_line
from earsight.common.files import whole_file
from earsight.video.pose.graphs import DETECTOR, LANDMARKER

# Where a graph is in the package; its input's lowest and highest value; its outputs: our name by MediaPipe's.
DETECTION = ("package/pose_solution_packed_assets.data", (-1.0, 1.0), {"Identity": "boxes", "Identity_1": "scores"})
LANDMARKS = ("package/pose_landmark_{size}.tflite", (0.0, 1.0),
             {"Identity": "landmarks", "Identity_1": "presence", "Identity_4": "world"})
TOLERANCE = 2e-3  # share of an output's largest value by which the two may differ: sums in another order
OPERATORS = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
ACTIVATIONS = {schema.ActivationFunctionType.NONE: None, schema.ActivationFunctionType.RELU: ("Relu", {}),
               schema.ActivationFunctionType.RELU6: ("Clip", {"min": 0.0, "max": 6.0})}


class Converter:
    """One TFLite graph in ONNX, node by node. Arrays are (batch, height, width, channel) there, channels first here.

    Args:
        content: of the .tflite file.
        values: lowest and highest value of the input, for a pixel of 0 and of 255.
        outputs: our name of each output that is kept, by its name there.
    """

    def __init__(self, content: bytes, values: tuple[float, float], outputs: dict[str, str]):
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        self.graph, self.codes = model.subgraphs[0], model.operatorCodes
        self.values, self.outputs = values, outputs
        # Plain kernels that keep each array: constants come out dense and in float32, whatever they are stored as.
        self.interpreter = Interpreter(
            model_content=content, experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
        self.interpreter.allocate_tensors()
        self.interpreter.invoke()
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []
        self.padded: dict[int, tuple[int, list[int]]] = {}  # by a PAD's output: its input, and the ONNX pads

    def convert(self) -> onnx.ModelProto:
        """The graph: pictures (1, height, width, 3) uint8 -> the outputs, as LiteRT gives them."""
        entry = self.graph.inputs[0]
        _, height, width, _ = self.graph.tensors[entry].shape
        low, high = self.values
        self._node("Cast", ["picture"], "float_picture", to=TensorProto.FLOAT)
        self._node("Transpose", ["float_picture"], "planes", perm=[0, 3, 1, 2])
        self._node("Mul", ["planes", self._constant("scale", np.float32((high - low) / 255))], "scaled")
        self._node("Add", ["scaled", self._constant("lowest", np.float32(low))], self._name(entry))
        for operator in self.graph.operators:
            code = self.codes[operator.opcodeIndex]
            name = OPERATORS[max(code.builtinCode, code.deprecatedBuiltinCode)]
            if name in ("DEQUANTIZE", "DENSIFY"):  # of constants
                continue
            if not hasattr(self, f"_{name.lower()}"):
                raise EarsightError(f"operator {name} is not converted here; add it to scripts/convert_pose.py")
            getattr(self, f"_{name.lower()}")(operator, operator.builtinOptions)
        results = []
        for index in self.graph.outputs:
            theirs = self.graph.tensors[index].name.decode()
            if theirs in self.outputs:
                self._node("Identity", [self._name(index)], self.outputs[theirs])
                shape = [int(side) for side in self.graph.tensors[index].shape]
                results.append(helper.make_tensor_value_info(self.outputs[theirs], TensorProto.FLOAT, shape))
        picture = helper.make_tensor_value_info("picture", TensorProto.UINT8, [1, int(height), int(width), 3])
        self._leave_out_unread({value.name for value in results})
        graph = helper.make_graph(self.nodes, "pose", [picture], results, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.checker.check_model(model, full_check=True)
        return model

    # Operators, by their names in TFLite

    def _conv_2d(self, operator: Any, options: Any, depthwise: bool = False) -> None:
        entry, weights, bias = operator.inputs
        kernel = self._value(weights)  # (output, height, width, input), or depthwise (1, height, width, output)
        kernel = kernel.transpose(3, 0, 1, 2) if depthwise else kernel.transpose(0, 3, 1, 2)
        strides = [options.strideH, options.strideW]
        source, pads = self.padded.get(entry, (entry, None))
        if pads is None or options.padding == schema.Padding.SAME:
            source, pads = entry, self._pads(entry, kernel.shape[2:], strides, options.padding)
        result = operator.outputs[0]
        names = [self._name(source), self._constant(f"w{result}", kernel), self._constant(f"b{result}",
                                                                                         self._value(bias))]
        self._node("Conv", names, self._activated(result, options), strides=strides, pads=pads,
                   group=len(kernel) if depthwise else 1)

    def _depthwise_conv_2d(self, operator: Any, options: Any) -> None:
        self._conv_2d(operator, options, depthwise=True)

    def _add(self, operator: Any, options: Any) -> None:
        self._node("Add", [self._name(i) for i in operator.inputs], self._activated(operator.outputs[0], options))

    def _max_pool_2d(self, operator: Any, options: Any) -> None:
        kernel, strides = [options.filterHeight, options.filterWidth], [options.strideH, options.strideW]
        self._node("MaxPool", [self._name(operator.inputs[0])], self._activated(operator.outputs[0], options),
                   kernel_shape=kernel, strides=strides,
                   pads=self._pads(operator.inputs[0], kernel, strides, options.padding))

    def _pad(self, operator: Any, _: Any) -> None:
        """Of rows and columns alone it becomes the convolution's own; of channels it stays."""
        before, after = self._value(operator.inputs[1])[[0, 3, 1, 2]].T
        if not any(before[:2]) and not any(after[:2]):
            self.padded[operator.outputs[0]] = operator.inputs[0], [*map(int, before[2:]), *map(int, after[2:])]
        pads = self._constant(f"pads{operator.outputs[0]}", np.concatenate([before, after]).astype(np.int64))
        self._node("Pad", [self._name(operator.inputs[0]), pads], self._name(operator.outputs[0]))

    def _resize_bilinear(self, operator: Any, options: Any) -> None:
        mode = "half_pixel" if options.halfPixelCenters else "align_corners" if options.alignCorners else "asymmetric"
        _, height, width, channels = self.graph.tensors[operator.outputs[0]].shape
        sizes = self._constant(f"sizes{operator.outputs[0]}", np.array([1, channels, height, width], np.int64))
        self._node("Resize", [self._name(operator.inputs[0]), "", "", sizes], self._name(operator.outputs[0]),
                   mode="linear", coordinate_transformation_mode=mode)

    def _depth_to_space(self, operator: Any, options: Any) -> None:
        self._node("DepthToSpace", [self._name(operator.inputs[0])], self._name(operator.outputs[0]),
                   blocksize=options.blockSize, mode="DCR")

    def _reshape(self, operator: Any, _: Any) -> None:
        entry, result = operator.inputs[0], operator.outputs[0]
        name = self._name(entry)
        if len(self.graph.tensors[entry].shape) == 4:  # what is read in TFLite's order of elements
            name = f"last{result}"
            self._node("Transpose", [self._name(entry)], name, perm=[0, 2, 3, 1])
        shape = self._constant(f"shape{result}", np.array(self.graph.tensors[result].shape, np.int64))
        self._node("Reshape", [name, shape], self._name(result))

    def _concatenation(self, operator: Any, options: Any) -> None:
        flat = len(self.graph.tensors[operator.outputs[0]].shape) < 4
        axis = options.axis if flat else {0: 0, 1: 2, 2: 3, 3: 1}[options.axis]
        self._node("Concat", [self._name(i) for i in operator.inputs], self._name(operator.outputs[0]), axis=axis)

    def _logistic(self, operator: Any, _: Any) -> None:
        self._node("Sigmoid", [self._name(operator.inputs[0])], self._name(operator.outputs[0]))

    # Parts of operators

    def _value(self, index: int) -> np.ndarray:
        return self.interpreter.get_tensor(index)

    @staticmethod
    def _name(index: int) -> str:
        return f"t{index}"

    def _node(self, kind: str, entries: list[str], result: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, entries, [result], **attributes))

    def _constant(self, name: str, value: np.ndarray | np.floating) -> str:
        """A constant's name; large ones of floats are stored in 16 bits, where these hold them exactly."""
        array = np.ascontiguousarray(value) if np.ndim(value) else np.asarray(value)
        half = array.astype(np.float16) if array.dtype == np.float32 and array.size > 1 else None
        if half is not None and np.array_equal(half.astype(np.float32), array):
            self.constants.append(numpy_helper.from_array(half, f"{name}_half"))
            self._node("Cast", [f"{name}_half"], name, to=TensorProto.FLOAT)
        else:
            self.constants.append(numpy_helper.from_array(array, name))
        return name

    def _activated(self, result: int, options: Any) -> str:
        """The name under which an operator's result goes on to its activation; nodes are put in order at the end."""
        activation = ACTIVATIONS[options.fusedActivationFunction]
        if activation is None:
            return self._name(result)
        kind, limits = activation
        before = f"before{result}"
        bounds = [self._constant(f"{limit}{result}", np.float32(value)) for limit, value in limits.items()]
        self._node(kind, [before, *bounds], self._name(result))
        return before

    def _pads(self, entry: int, kernel: Any, strides: list[int], padding: int) -> list[int]:
        """ONNX's pads of TFLite's SAME: as many as give ceil(side / stride), the odd one at the end."""
        if padding != schema.Padding.SAME:
            return [0, 0, 0, 0]
        sides = self.graph.tensors[entry].shape[1:3]
        total = [max((-(-int(side) // stride) - 1) * stride + int(size) - int(side), 0)
                 for side, size, stride in zip(sides, kernel, strides)]
        return [part // 2 for part in total] + [part - part // 2 for part in total]

    def _leave_out_unread(self, wanted: set[str]) -> None:
        """Keep what the wanted outputs hang on, each node behind those that it reads."""
        maker = {node.output[0]: node for node in self.nodes}
        ordered: list[onnx.NodeProto] = []
        done: set[str] = set()

        def visit(name: str) -> None:
            if name in maker and name not in done:
                done.add(name)
                for each in maker[name].input:
                    visit(each)
                ordered.append(maker[name])

        for name in sorted(wanted):
            visit(name)
        read = {name for node in ordered for name in node.input}
        self.nodes = ordered
        self.constants = [constant for constant in self.constants if constant.name in read]


def compare(content: bytes, model: onnx.ModelProto, values: tuple[float, float], outputs: dict[str, str],
            pictures: Iterator[np.ndarray]) -> dict[str, float]:
    """For each output, the largest difference from LiteRT's over pictures (height, width, 3) uint8, as a share of its
    largest value."""
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    theirs = {each["name"]: each["index"] for each in interpreter.get_output_details()}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    worst, largest = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for picture in pictures:
        low, high = values
        scaled = picture.astype(np.float32) * np.float32((high - low) / 255) + np.float32(low)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], scaled[None])
        interpreter.invoke()
        for name, found in zip(names, session.run(None, {"picture": picture[None]})):
            expected = interpreter.get_tensor(theirs[next(t for t, ours in outputs.items() if ours == name)])
            worst[name] = max(worst[name], float(np.abs(found - expected).max()))
            largest[name] = max(largest[name], float(np.abs(expected).max()))
    return {name: worst[name] / largest[name] for name in names}


def smooth_noise(side: int, count: int) -> Iterator[np.ndarray]:
    """Pictures (side, side, 3) uint8 of blots of several sizes: even noise would leave most units silent."""
    rng = np.random.default_rng(1)
    for _ in range(count):
        parts = (np.kron(rng.uniform(size=(side // k, side // k, 3)), np.ones((k, k, 1))) for k in (4, 16, 32))
        yield (255 * sum(parts) / 3).astype(np.uint8)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path, help="the npm package, .tgz")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=("lite", "full", "heavy"), default="lite", help="of the landmarker")
    args = parser.parse_args()
    try:
        with tarfile.open(args.package) as package:
            args.folder.mkdir(parents=True, exist_ok=True)
            for (member, values, outputs), name in ((DETECTION, DETECTOR), (LANDMARKS, LANDMARKER)):
                file = package.extractfile(member.format(size=args.size))
                assert file is not None  # a plain file
                content = file.read()
                model = Converter(content, values, outputs).convert()
                side = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
                for output, share in compare(content, model, values, outputs, smooth_noise(side, 5)).items():
                    print(f"{name} {output}: differs from LiteRT by {share:.1e} of its largest value")
                    if not share <= TOLERANCE:
                        raise EarsightError(f"{name}: {output} is not what LiteRT computes; nothing was written")
                with whole_file(args.folder / name) as temporary:
                    temporary.write_bytes(model.SerializeToString())
                print(args.folder / name)
    except (EarsightError, OSError, KeyError, tarfile.TarError) as error:
        print(f"error: {args.package}: {first_line(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
