"""A person's square in a picture, turned so that the body stands upright in it."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

ROOM = 1.25  # times the circle around the body: MediaPipe's


@dataclass(frozen=True)
class Region:
    """A turned square, in pixels of the picture.

    Attributes:
        x, y: its centre, the middle of the hips.
        size: of its sides.
        angle: radians by which it is turned clockwise.
    """

    x: float
    y: float
    size: float
    angle: float

    @staticmethod
    def around(hips: np.ndarray, end: np.ndarray) -> "Region":
        """The square around a person whose hips' middle and end are given, (2,) each in pixels.

        The end is a point above the hips, in the body's sense, on the circle around the whole body: what the detector
        and the landmarker both tell for this (MediaPipe's AlignmentPointsRectsCalculator).
        """
        across, down = (end - hips).tolist()
        return Region(float(hips[0]), float(hips[1]), 2 * ROOM * math.hypot(across, down), math.atan2(across, -down))

    def crop(self, image: np.ndarray, side: int) -> np.ndarray:
        """The square as a picture (side, side, 3); beyond the image's edges its outermost pixels go on."""
        (a, b), (c, d) = self._turn() * self.size / side
        shift = np.array([self.x, self.y]) - np.array([[a, b], [c, d]]) @ np.full(2, side / 2)
        matrix = np.array([[a, b, shift[0]], [c, d, shift[1]]])
        return cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                              borderMode=cv2.BORDER_REPLICATE)

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """Points (n, 3) in shares of the square -> (n, 3) pixels of the picture; depth in pixels too."""
        planar = (points[:, :2] - 0.5) @ self._turn().T * self.size + (self.x, self.y)
        return np.column_stack([planar, points[:, 2] * self.size])

    def upright(self, points: np.ndarray) -> np.ndarray:
        """Points (n, 3) of the turned body as the picture shows them: turned back, not moved."""
        return np.column_stack([points[:, :2] @ self._turn().T, points[:, 2]])

    def _turn(self) -> np.ndarray:
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        return np.array([[cosine, -sine], [sine, cosine]])
