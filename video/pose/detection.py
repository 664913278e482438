"""People in a picture, by MediaPipe's detector: the largest of them as a region for the landmarker.

Anchors, decoding and the merging of overlapping boxes are those of MediaPipe's pose_detection graph.
"""

from functools import cache

import cv2
import numpy as np

from .graphs import PoseGraphs
from .regions import Region

SIDE = 224
LAYERS = ((8, 2), (16, 2), (32, 6))  # stride of each map of anchors, and how many anchors a cell has
SURE = 0.5  # of a person
SAME = 0.3  # overlap (intersection over union) from which two boxes are of one person
HIPS, END = 0, 1  # of a box's points


def largest_person(graphs: PoseGraphs, image: np.ndarray) -> Region | None:
    """The region of the largest person in an image (height, width, 3) uint8 RGB, or None where there is nobody."""
    height, width = image.shape[:2]
    longer = max(height, width)
    scale = longer / SIDE
    left, top = (width - longer) / 2, (height - longer) / 2
    matrix = np.array([[scale, 0, left], [0, scale, top]])
    square = cv2.warpAffine(image, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    people = [Region.around(points[HIPS], points[END]) for points in
              (found * longer + (left, top) for found in decode(*graphs.detect(square)))]
    return max(people, key=lambda person: person.size, default=None)


def decode(boxes: np.ndarray, probabilities: np.ndarray) -> list[np.ndarray]:
    """What the detector says of its anchors -> the points (4, 2) of each person, in shares of the picture.

    Args:
        boxes: (2254, 12): centre x, y, width, height and four points x, y of each box, in pixels from its anchor.
        probabilities: (2254,) that a box is a person's.
    """
    likely = np.flatnonzero(probabilities >= SURE)
    likely = likely[np.argsort(-probabilities[likely], kind="stable")]
    pairs = boxes[likely].reshape(-1, 6, 2) / SIDE
    centres, sizes, points = pairs[:, 0] + anchors()[likely], pairs[:, 1], pairs[:, 2:] + anchors()[likely, None]
    corners = np.stack([centres - sizes / 2, centres + sizes / 2], axis=1)
    weights, people, left = probabilities[likely], [], np.arange(len(likely))
    while len(left):
        same = _overlap(corners[left[0]], corners[left]) > SAME
        same[0] = True  # a box of no size, too, is done with
        people.append(np.average(points[left[same]], axis=0, weights=weights[left[same]]))
        left = left[~same]
    return people


@cache
def anchors() -> np.ndarray:
    """(2254, 2): the centre x, y of each anchor, in shares of the picture."""
    maps = []
    for stride, each in LAYERS:
        cells = (np.arange(SIDE // stride) + 0.5) / (SIDE // stride)
        rows, columns = np.meshgrid(cells, cells, indexing="ij")
        maps.append(np.stack([columns, rows], axis=-1).reshape(-1, 2).repeat(each, axis=0))
    return np.concatenate(maps)


def _overlap(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of a box (2, 2) with others (n, 2, 2); corners x, y."""
    low, high = np.maximum(one[0], others[:, 0]), np.minimum(one[1], others[:, 1])
    shared = (high - low).clip(min=0).prod(axis=-1)
    areas = (others[:, 1] - others[:, 0]).prod(axis=-1)
    return shared / (areas + (one[1] - one[0]).prod() - shared + 1e-12)
