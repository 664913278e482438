"""From a video to pictures of the mouth: small, grey, upright, and of one size whatever the face's in the film."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...common.errors import EarsightError
from ..reading import sample
from ..reading.source import JITTER
from .faces import open_detector
from .tracking import FaceTracker, landmarks

# Where LANDMARKS are in an upright face: the five points that ArcFace's pictures are aligned to (InsightFace).
MEAN_FACE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
                      [70.7299, 92.2041]])
MOUTH = MEAN_FACE[3:].mean(axis=0)
EYES = float(np.linalg.norm(MEAN_FACE[1] - MEAN_FACE[0]))  # how far they are apart
LARGEST = 960  # pixels, the longer side of the pictures that are held until the face in them is known
BLOCK = 10.0  # seconds of film that are held at once
LOST = 1.0  # seconds without a face that are bridged


@dataclass(frozen=True)
class MouthSettings:
    """How a film is turned into pictures of a mouth.

    Attributes:
        rate: pictures a second; films of another rate are resampled by their times.
        side: pixels of the square pictures.
        width: of the pictures, in distances between the eyes.
        every: pictures from one in which the face is looked for to the next; between them it is interpolated.
        detector: what finds faces: a folder that scripts/convert_faces.py wrote, or a model that reads lips. An
            exported model has its own.
    """

    rate: float = 25.0
    side: int = 96
    width: float = 1.75
    every: int = 8
    detector: str = "data/faces"

    def __post_init__(self) -> None:
        if not (self.rate > 0 and self.width > 0 and self.side >= 16 and self.every >= 1):
            raise EarsightError(f"model.mouth: rate {self.rate:g}, width {self.width:g}, side {self.side} and every "
                                f"{self.every}: rate and width are above 0, side is at least 16, every at least 1")

    @staticmethod
    def from_dict(plain: dict, folder: Path) -> "MouthSettings":
        """Settings as a model folder holds them, with the folder's own detector."""
        return MouthSettings(**{**plain, "detector": str(folder)})


def mouth_pictures(path: str | Path, settings: MouthSettings, start: float = 0.0, end: float | None = None
                   ) -> np.ndarray:
    """The mouth of a film's largest face, (time, side, side) uint8; black where there is no face for long.

    Raises:
        EarsightError: the film cannot be read, or no face is found in it.
    """
    pictures = np.concatenate(list(mouth_blocks(path, settings, start, end)))
    if not pictures.any():
        raise no_face(path)
    return pictures


def stored(pictures: np.ndarray) -> np.ndarray:
    """Pictures (time, side, side) as the frames (time, side * side) that are stored of them."""
    return pictures.reshape(len(pictures), -1)


def no_face(path: str | Path) -> EarsightError:
    """What is said of a film in which nobody is seen."""
    return EarsightError(f"{path}: no face is found in it, so there are no lips to read; give a film that shows one "
                         "from the front")


def mouth_blocks(path: str | Path, settings: MouthSettings, start: float = 0.0, end: float | None = None
                 ) -> Iterator[np.ndarray]:
    """The same in blocks of BLOCK seconds, so that memory does not grow with the film; a block may be black."""
    tracker, length = FaceTracker(open_detector(settings.detector)), max(1, round(BLOCK * settings.rate))
    found, greys = [], []
    for number, moment in enumerate(sample(path, settings.rate, fit=_shrunk, start=start, end=end)):
        if number == 0 and moment.time > start + JITTER:  # times count from the film's start
            late = round((moment.time - start) * settings.rate)
            for first in range(0, late, length):
                yield np.zeros((min(length, late - first), settings.side, settings.side), np.uint8)
        if len(greys) % settings.every == 0:
            found.append(tracker(moment.image))
        greys.append(cv2.cvtColor(moment.image, cv2.COLOR_RGB2GRAY))
        if len(greys) == length:
            yield _cropped(found, greys, settings)
            found, greys = [], []
    if greys:
        yield _cropped(found, greys, settings)


def _shrunk(image: np.ndarray) -> np.ndarray:
    scale = LARGEST / max(image.shape[:2])
    if scale >= 1:
        return image
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _cropped(found: list, greys: list[np.ndarray], settings: MouthSettings) -> np.ndarray:
    points = landmarks(found, settings.every, len(greys), round(LOST * settings.rate))
    crops = np.zeros((len(greys), settings.side, settings.side), np.uint8)
    for crop, grey, places in zip(crops, greys, points):
        if not np.isnan(places).any():
            crop[:] = crop_mouth(grey, places, settings)
    return crops


def crop_mouth(grey: np.ndarray, points: np.ndarray, settings: MouthSettings) -> np.ndarray:
    """The mouth (side, side) in a picture (height, width) uint8 of a face with landmarks (5, 2)."""
    scale = settings.side / (settings.width * EYES)  # pixels of the crop in a unit of MEAN_FACE
    target = (MEAN_FACE - MOUTH) * scale + (settings.side - 1) / 2
    matrix = similarity(points, target)
    shrinking = 1 / np.hypot(*matrix[:, 0])
    if shrinking > 1.5:  # linear interpolation would leave pixels out
        size = max(1, round(grey.shape[1] / shrinking)), max(1, round(grey.shape[0] / shrinking))
        share = np.array([size[0] / grey.shape[1], size[1] / grey.shape[0]])
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        matrix = similarity((points + 0.5) * share - 0.5, target)
    return cv2.warpAffine(grey, matrix, (settings.side, settings.side), flags=cv2.INTER_LINEAR,
                          borderMode=cv2.BORDER_REPLICATE)


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The turn, scale and shift (2, 3) that bring points (n, 2) nearest to others, by least squares.

    In complex numbers: target = a source + b, a the regression's slope.
    """
    x, y = (points[:, 0] + 1j * points[:, 1] for points in (source, target))
    centred = x - x.mean()
    slope = (centred.conj() @ (y - y.mean())) / max(float((abs(centred) ** 2).sum()), 1e-9)
    shift = y.mean() - slope * x.mean()
    return np.array([[slope.real, -slope.imag, shift.real], [slope.imag, slope.real, shift.imag]])
