"""Drawn faces that move their lips, and a detector that finds them: a graph with the outputs of CenterFace's."""

from pathlib import Path

import cv2
import numpy as np
import onnx
from films import write_film
from onnx import TensorProto, helper, numpy_helper

from earsight.video.mouth.crops import MEAN_FACE
from earsight.video.mouth.faces import DETECTOR

SIZE = 80  # pixels of a face's box, as it is drawn and as the detector says that it is
PLACES = MEAN_FACE / 112 * SIZE - SIZE / 2  # landmarks from the box's middle, where a red dot is
# Half widths and heights of mouths that say a letter, pixels, or a space (pursed); else they are closed.
MOUTHS = {"a": (11, 12), "o": (5, 9), "i": (14, 4), " ": (2, 2)}
FRAMES = 8  # of a letter


def write_detector(folder: Path) -> Path:
    """A detector that takes red dots for the middles of upright faces of SIZE pixels."""
    def constant(name: str, values: object) -> onnx.TensorProto:
        return numpy_helper.from_array(np.asarray(values, np.float32), name)

    places = (PLACES[:, ::-1] / SIZE + 0.5).reshape(1, 10, 1, 1)  # vertical first, in shares of the box
    dot = float((draw_face()[..., 0].astype(int) - draw_face()[..., 1] > 128).sum())
    window = np.ones((20, 20)) / dot
    ramp = np.arange(20) - 9.5  # pixels from the window's middle
    moments = np.stack([window * ramp[:, None], window * ramp])[:, None] / 4  # down and across, in cells of 4 pixels
    nodes = [
        helper.make_node("Cast", ["picture"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "redness"], ["red"]),
        helper.make_node("Relu", ["red"], ["redder"]),
        helper.make_node("Conv", ["redder", "window"], ["heat"], strides=[4, 4], pads=[8, 8, 8, 8]),
        helper.make_node("Conv", ["redder", "moments"], ["moment"], strides=[4, 4], pads=[8, 8, 8, 8]),
        helper.make_node("Add", ["heat", "little"], ["more"]),
        helper.make_node("Div", ["moment", "more"], ["centroid"]),
        helper.make_node("Sub", ["centroid", "eighth"], ["offsets"]),  # pixels' middles are half a pixel from edges
        helper.make_node("Mul", ["heat", "zeros"], ["none"]),
        helper.make_node("Add", ["none", "size"], ["sizes"]),
        helper.make_node("Mul", ["heat", "ten_zeros"], ["nothing"]),
        helper.make_node("Add", ["nothing", "places"], ["points"]),
    ]
    constants = [constant("redness", np.array([1, -1, 0]).reshape(1, 3, 1, 1) / 255),
                 constant("window", window[None, None]), constant("moments", moments), constant("little", 1e-6),
                 constant("eighth", 1 / 8), constant("zeros", np.zeros((1, 2, 1, 1))),
                 constant("size", np.full((1, 2, 1, 1), np.log(SIZE / 4))),
                 constant("ten_zeros", np.zeros((1, 10, 1, 1))), constant("places", places)]
    channels = {"heat": 1, "sizes": 2, "offsets": 2, "points": 10}
    graph = helper.make_graph(
        nodes, "faces", [helper.make_tensor_value_info("picture", TensorProto.UINT8, [1, "height", "width", 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, n, "rows", "columns"])
         for name, n in channels.items()], constants)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9),
              str(folder / DETECTOR))
    return folder


def draw_face(mouth: str = "", middle: tuple[float, float] = (80, 60), shape: tuple[int, int] = (120, 160)
              ) -> np.ndarray:
    """A face (height, width, 3) around a red dot, with its mouth as it says one of MOUTHS, else closed."""
    image = np.full((*shape, 3), 90, np.uint8)
    x, y = middle
    cv2.ellipse(image, (round(x), round(y)), (SIZE // 2, SIZE // 2 + 8), 0, 0, 360, (200, 200, 200), -1)
    for px, py in PLACES[:2]:
        cv2.circle(image, (round(x + px), round(y + py)), 4, (30, 30, 30), -1)
    mx, my = PLACES[3:].mean(axis=0)
    axes = MOUTHS.get(mouth, (12, 1))
    cv2.ellipse(image, (round(x + mx), round(y + my)), axes, 0, 0, 360, (40, 40, 40), -1)
    cv2.circle(image, (round(x), round(y)), 4, (255, 0, 0), -1)
    return image


def speaking(text: str, shift: float = 0.0) -> list[np.ndarray]:
    """A face that says the letters of a text one after the other, closed between them; `shift` moves it, pixels."""
    frames = []
    for letter in f".{text}.":
        frames += [draw_face(letter, (80 + shift, 60 + shift))] * FRAMES + [draw_face("", (80 + shift, 60 + shift))] * 3
    return frames


def write_speaking(path: Path, text: str, shift: float = 0.0, rate: int = 25) -> Path:
    """A film of `speaking`, without loss."""
    return write_film(path, speaking(text, shift), rate)
