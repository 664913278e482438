"""One person's pose from picture to picture: found by the detector, then followed by the landmarks before."""

from dataclasses import dataclass

import numpy as np

from .detection import largest_person
from .graphs import PoseGraphs
from .regions import Region

SIDE = 256
LANDMARKS = 33  # of a body; behind them the landmarker gives points for the next region
HIPS, END = 33, 34
THERE = 0.5  # probability of a person below which it is lost


@dataclass(frozen=True, eq=False)
class Pose:
    """A person's 33 landmarks, in MediaPipe's order.

    Attributes:
        points: (33, 3): x, y in pixels of the picture; z is depth from the hips in pixels, less is nearer.
        world: (33, 3): the same in metres around the hips, along the picture's axes.
        visibility: (33,) probabilities that a landmark is in the picture and not hidden.
    """

    points: np.ndarray
    world: np.ndarray
    visibility: np.ndarray


class PoseTracker:
    """Follows the largest person of a video. Its pictures come in order, one tracker a video.

    As MediaPipe does: a person's landmarks say where to look in the next picture; where nobody is there any more, the
    detector looks again.
    """

    def __init__(self, graphs: PoseGraphs):
        self._graphs = graphs
        self._region: Region | None = None

    def __call__(self, image: np.ndarray) -> Pose | None:
        """The pose in an image (height, width, 3) uint8 RGB, or None where nobody is found."""
        followed = self._region
        pose = self._read(image, followed) if followed else None
        if pose is None:
            found = largest_person(self._graphs, image)
            pose = self._read(image, found) if found else None
        return pose

    def _read(self, image: np.ndarray, region: Region) -> Pose | None:
        landmarks, world, presence = self._graphs.landmarks(region.crop(image, SIDE))
        points = region.to_image(landmarks[:, :3] / SIDE)
        following = Region.around(points[HIPS, :2], points[END, :2])
        if presence < THERE or not (1 < following.size < 4 * max(image.shape[:2])):
            self._region = None
            return None
        self._region = following
        return Pose(points[:LANDMARKS].astype(np.float32), region.upright(world[:LANDMARKS]).astype(np.float32),
                    landmarks[:LANDMARKS, 3])
