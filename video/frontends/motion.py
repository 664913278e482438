"""Motion between two pictures: dense optical flow, as a picture for a CNN or as histograms."""

from typing import cast

import cv2
import numpy as np

GREY = 128  # no motion
ORIENTATIONS = 8
FIELD = 64  # cells a side of the field that histograms are taken of


class Flow:
    """Dense optical flow by inverse search (Kroeger et al., 2016), less what the camera does.

    The median over the picture is subtracted: that is how the camera moves, as a rule, and what is left is how people
    do.
    """

    def __init__(self):
        # The preset of medium quality takes five times as long.
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Two grey images (height, width) uint8 -> (height, width, 2) float32, pixels to the right and down."""
        no_guess = cast("np.ndarray", None)  # OpenCV's annotations know no None
        field = self._search.calc(first, second, no_guess)
        # Every fourth pixel each way tells the median to a hundredth of a pixel as a rule, in a fifteenth of the time.
        median = np.median(field[::4, ::4].reshape(-1, 2), axis=0)
        # Row by row: numpy takes ten times as long to subtract a pair from each pixel.
        return (field.reshape(len(field), -1) - np.tile(median, field.shape[1])).reshape(field.shape)


def motion_picture(field: np.ndarray, scale: float) -> np.ndarray:
    """A flow field as a picture (height, width, 3) uint8: right and left in red, down and up in green around grey,
    speed in blue, `scale` grey levels a pixel."""
    across, down = cv2.split(field)
    planes = across * scale + GREY, down * scale + GREY, cv2.magnitude(across, down) * scale
    return cv2.merge([plane.clip(0, 255).astype(np.uint8) for plane in planes])


def n_histograms(grids: tuple[int, ...]) -> int:
    """How many features `histograms` gives."""
    return sum(3 * ORIENTATIONS * rows * rows for rows in grids)


def histograms(field: np.ndarray, grids: tuple[int, ...]) -> np.ndarray:
    """Where in the picture what moves in which direction: (feature,) float32.

    For each grid of rows x rows cells, histograms over orientations, weighted by size, of the flow (HOF: Laptev et al.,
    2008) and of the spatial gradients of its two components (motion boundaries, which a moving camera leaves alone:
    Dalal et al., 2006). Motion counts in picture heights; square roots keep the strong from hiding the weak (Perronnin
    et al., 2010).
    """
    small = cv2.resize(field, (FIELD, FIELD), interpolation=cv2.INTER_AREA) / field.shape[0]
    across, down = np.ascontiguousarray(small[..., 0]), np.ascontiguousarray(small[..., 1])
    vectors = [(across, down), *((cv2.Sobel(each, cv2.CV_32F, 1, 0), cv2.Sobel(each, cv2.CV_32F, 0, 1))
                                 for each in (across, down))]
    oriented = [_oriented(x, y) for x, y in vectors]
    found = [_by_cell(size, orientation, grid) for grid in grids for size, orientation in oriented]
    return np.sqrt(np.concatenate(found, dtype=np.float32))


def _oriented(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The size of each vector, and its orientation from 0 to ORIENTATIONS - 1."""
    size, angle = cv2.cartToPolar(x, y)
    return size, np.rint(angle * (ORIENTATIONS / (2 * np.pi))).astype(np.intp) % ORIENTATIONS


def _by_cell(size: np.ndarray, orientation: np.ndarray, grid: int) -> np.ndarray:
    """(grid * grid * ORIENTATIONS,): the mean size of the vectors of each orientation in each cell."""
    cell = np.arange(FIELD) * grid // FIELD
    index = (cell[:, None] * grid + cell) * ORIENTATIONS + orientation
    return np.bincount(index.ravel(), size.ravel(), grid * grid * ORIENTATIONS) / FIELD**2
