"""Faces in a picture, by CenterFace (Xu, Yan, Yang and Caruana, 2019): a box and five landmarks each.

The network gives four maps, of a quarter of the picture's height and width: how sure it is that a face's middle is in a
cell, the face's size, the middle's place in the cell, and the landmarks. Decoding is its makers'.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...common.errors import EarsightError, first_line
from ...common.inference.runtime import open_session
from ...common.model_folder import installed_models

DETECTOR = "face_detector.onnx"
OUTPUTS = {"heat": 1, "sizes": 2, "offsets": 2, "points": 10}  # of its graph, with their channels
MULTIPLE = 32  # of which the sides of its pictures are
CELL = 4  # pixels of the picture to a cell of the maps
SURE = 0.5  # of a face
SAME = 0.3  # overlap (intersection over union) from which two boxes are of one face
LANDMARKS = ("right eye", "left eye", "nose", "right corner of the mouth", "left corner of the mouth")  # the person's


@dataclass(frozen=True, eq=False)
class Face:
    """A face in a picture.

    Attributes:
        box: (4,): left, top, right, bottom in pixels.
        points: (5, 2): x, y of LANDMARKS in pixels.
        score: how sure the detector is, 0 to 1.
    """

    box: np.ndarray
    points: np.ndarray
    score: float

    @property
    def size(self) -> float:
        """The square root of the box's area, pixels."""
        width, height = np.maximum(self.box[2:] - self.box[:2], 0)
        return float(np.sqrt(width * height))

    @property
    def middle(self) -> np.ndarray:
        """(2,): x, y of the box's middle."""
        return (self.box[:2] + self.box[2:]) / 2

    def moved(self, scale: float, by: np.ndarray) -> "Face":
        """The face where pixels are `scale` times as large, and then moved by (2,) pixels."""
        return Face(self.box * scale + np.tile(by, 2), self.points * scale + by, self.score)


@dataclass(frozen=True, eq=False)
class FaceDetector:
    """The detector's graph, ready to run; safe to share between threads."""

    folder: Path
    session: Any

    def __call__(self, picture: np.ndarray) -> list[Face]:
        """The faces in a picture (height, width, 3) uint8 RGB, the surest first."""
        height, width = picture.shape[:2]
        padded = cv2.copyMakeBorder(picture, 0, -height % MULTIPLE, 0, -width % MULTIPLE, cv2.BORDER_CONSTANT)
        try:
            heat, sizes, offsets, points = self.session.run(list(OUTPUTS), {"picture": padded[None]})
        except Exception as error:  # ONNX Runtime's own exceptions share no base class but this
            if "allocate" in str(error):
                raise MemoryError from error
            raise EarsightError(f"{self.folder}: its {DETECTOR} is damaged, or not what scripts/convert_faces.py writes"
                                f" ({first_line(error)})") from error
        return decode(heat[0, 0], sizes[0], offsets[0], points[0])


@cache
def open_detector(folder: str) -> FaceDetector:
    """The detector of a folder or of an installed model that has it; opened once a process, one thread.

    Raises:
        EarsightError: it is not there, or damaged.
    """
    path = detector_file(folder)
    return FaceDetector(path.parent, open_session(path, threads=1))


def detector_file(folder: str) -> Path:
    """Where the detector's graph of a folder or of an installed model is.

    Raises:
        EarsightError: there is no such folder or model, or it has no detector.
    """
    path = (Path(folder) if Path(folder).is_dir() else installed_models().get(folder, Path(folder))) / DETECTOR
    if not path.is_file():
        raise EarsightError(f"{path.parent}: no {DETECTOR}, so no face can be found; export the model again, or name "
                            "what scripts/convert_faces.py wrote (model.mouth.detector; detector=FOLDER of `prepare`)")
    return path


def decode(heat: np.ndarray, sizes: np.ndarray, offsets: np.ndarray, points: np.ndarray) -> list[Face]:
    """Maps (row, column), (2, row, column) twice, (10, row, column) -> faces, the surest first.

    Of the pairs the vertical comes first, and sizes are logarithms in cells, landmarks in shares of the box from its
    left upper corner.
    """
    rows, columns = np.nonzero(heat > SURE)
    order = np.argsort(-heat[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    found: list[Face] = []
    for row, column in zip(rows, columns):
        size = np.exp(sizes[::-1, row, column]) * CELL  # width, height
        middle = (np.array([column, row]) + offsets[::-1, row, column] + 0.5) * CELL
        corner = middle - size / 2
        places = points[:, row, column].reshape(5, 2)[:, ::-1] * size + corner
        face = Face(np.concatenate([corner, corner + size]).astype(float), places.astype(float),
                    float(heat[row, column]))
        if all(overlap(face.box, other.box) < SAME for other in found):
            found.append(face)
    return found


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes (4,)."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = float((high - low).clip(min=0).prod())
    areas = float((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod())
    return shared / (areas - shared + 1e-12)
