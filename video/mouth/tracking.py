"""One face through a video: the largest, found in some pictures, and its landmarks in all of them."""

from collections.abc import Sequence

import cv2
import numpy as np

from .faces import Face, FaceDetector

WHOLE = 320  # pixels, the longer side of a picture in which a face is looked for anywhere
FINER = 960  # the same where none was found: faces far away
SIDE = 160  # pixels of the square in which a known face is looked for
ROOM = 2.0  # sides of that square in sizes of the face
FAST = 0.5  # sizes of the face: what moved further from one finding to the next is another face, or a cut
SMOOTHING = (0.25, 0.5, 0.25)  # over neighbouring findings: CenterFace's landmarks shake by 1 % of the face


class FaceTracker:
    """Follows the largest face of a video. Its pictures come in order, one tracker a video."""

    def __init__(self, detector: FaceDetector):
        self._detector = detector
        self._last: Face | None = None

    def __call__(self, image: np.ndarray) -> Face | None:
        """The face in an image (height, width, 3) uint8 RGB, or None where there is none."""
        face = self._near(image, self._last) if self._last else None
        for side in () if face else (WHOLE, FINER):
            face = self._anywhere(image, side)
            if face or max(image.shape[:2]) <= side:
                break
        self._last = face
        return face

    def _near(self, image: np.ndarray, last: Face) -> Face | None:
        """A face about where the last one was."""
        scale = ROOM * last.size / SIDE
        corner = last.middle - ROOM * last.size / 2
        matrix = np.column_stack([scale * np.eye(2), corner])
        square = cv2.warpAffine(image, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        faces = [face.moved(scale, corner) for face in self._detector(square)]
        nearest = min(faces, key=lambda face: float(np.linalg.norm(face.middle - last.middle)), default=None)
        return nearest if nearest is None or nearest.size > 0.5 * last.size else None

    def _anywhere(self, image: np.ndarray, side: int) -> Face | None:
        """The largest face of the whole picture, looked at with its longer side scaled down to `side` pixels."""
        scale = max(1.0, max(image.shape[:2]) / side)
        size = max(1, round(image.shape[1] / scale)), max(1, round(image.shape[0] / scale))
        faces = self._detector(cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale > 1 else image)
        largest = max(faces, key=lambda face: face.size, default=None)
        return largest and largest.moved(scale, np.zeros(2))


def landmarks(found: Sequence[Face | None], every: int, count: int, longest_gap: int) -> np.ndarray:
    """The landmarks (count, 5, 2) of all pictures, smoothed and interpolated; NaN where the face is lost for long.

    Args:
        found: the face in each `every`-th picture, from the first.
        longest_gap: pictures without a face that are interpolated, or held at the ends.
    """
    result = np.full((count, 5, 2), np.nan)
    places = every * np.array([k for k, face in enumerate(found) if face], int)
    faces = [face for face in found if face]
    if not faces:
        return result
    nearest = np.abs(np.arange(count)[:, None] - places).argmin(axis=1)
    for piece in _pieces(faces, places, longest_gap):
        points = _smoothed(np.stack([faces[k].points for k in piece]))
        own = np.flatnonzero(np.isin(nearest, piece))
        flat = points.reshape(len(piece), -1)
        result[own] = np.stack([np.interp(own, places[piece], column) for column in flat.T], axis=1).reshape(-1, 5, 2)
    result[np.abs(np.arange(count) - places[nearest]) > longest_gap] = np.nan
    return result


def _pieces(faces: Sequence[Face], places: np.ndarray, longest_gap: int) -> list[np.ndarray]:
    """The findings in a row that are of one face, as places in `faces`."""
    ends = [k + 1 for k, (one, next_one) in enumerate(zip(faces, faces[1:]))
            if np.linalg.norm(one.middle - next_one.middle) > FAST * max(one.size, next_one.size)
            or places[k + 1] - places[k] > longest_gap]
    return np.split(np.arange(len(faces)), ends)


def _smoothed(points: np.ndarray) -> np.ndarray:
    """(finding, 5, 2), each with its neighbours; the first and the last are repeated outwards."""
    padded = np.concatenate([points[:1], points, points[-1:]])
    shifted = np.stack([padded[k:k + len(points)] for k in range(len(SMOOTHING))])
    return np.average(shifted, axis=0, weights=SMOOTHING)
