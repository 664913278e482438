"""A pose drawn into a picture."""

import cv2
import numpy as np

from .tracking import Pose

# Pairs of landmarks, by what colour their bone has: Okabe and Ito's green, orange and blue, as RGB.
BONES = {
    (0, 158, 115): ((11, 12), (11, 23), (12, 24), (23, 24), (0, 11), (0, 12)),  # torso and neck
    (230, 159, 0): ((11, 13), (13, 15), (23, 25), (25, 27), (27, 31)),  # the person's left
    (0, 114, 178): ((12, 14), (14, 16), (24, 26), (26, 28), (28, 32)),  # the person's right
}
SEEN = 0.3  # visibility below which a bone's end is left out
FINE = 3  # bits behind the point of coordinates


def draw_skeleton(image: np.ndarray, pose: Pose | None, scale: float = 1.0) -> np.ndarray:
    """A copy of an image (height, width, 3) uint8 RGB with the person's bones.

    Args:
        pose: None draws nothing.
        scale: pixels of this image a pixel of that which the pose is of.
    """
    drawn = image.copy()
    if pose is None:
        return drawn
    width = max(1, round(min(image.shape[:2]) / 60))
    # OpenCV's integers are of 32 bits; far outside the picture nothing is seen.
    ends = (pose.points[:, :2] * scale).clip(-1e4, 1e4) * 2**FINE
    for outline, thickness in ((True, width + 2), (False, width)):  # a dark edge, seen on any ground
        for colour, bones in BONES.items():
            for first, last in bones:
                if min(pose.visibility[first], pose.visibility[last]) >= SEEN:
                    points = [tuple(np.rint(ends[end]).astype(int).tolist()) for end in (first, last)]
                    cv2.line(drawn, *points, (20, 20, 20) if outline else colour, thickness, cv2.LINE_AA, FINE)
    return drawn
