"""A pose as features that do not hang on where in the picture, how large and from which side somebody is seen.

A frame holds, in this order (`SLICES`):
- planar: joints from the hips' middle along the picture's axes, in lengths of the torso; (joint, 2)
- body: the same in three dimensions, turned about the vertical until hips and shoulders lie across; (joint, 3)
- velocity: how `planar` changes; (joint, 2) a second
- travel: how the hips move through the picture, torso lengths a second; (2,)
- visibility: of each joint
- bends: cosines of the angles at elbows, shoulders, hips and knees; -1 is stretched
- there: 1 where somebody is seen; else all is 0.
"""

import numpy as np

from .tracking import Pose

# Of MediaPipe's landmarks: the nose, then left and right of ears, shoulders, elbows, wrists, hips, knees, ankles, toes.
JOINTS = (0, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28, 31, 32)
SHOULDERS, HIPS = (3, 4), (9, 10)  # places in JOINTS; left, right
# (end, joint, end) in JOINTS' places, left and right in pairs.
BENDS = ((3, 5, 7), (4, 6, 8), (5, 3, 9), (6, 4, 10), (3, 9, 11), (4, 10, 12), (9, 11, 13), (10, 12, 14))
FASTEST = 12.0  # torso lengths a second: what seems to be faster is another person, or an error
SHORTEST = 0.4  # of the joints' spread: a torso seen along its axis must not blow everything up

_SIZES = {"planar": 2 * len(JOINTS), "body": 3 * len(JOINTS), "velocity": 2 * len(JOINTS), "travel": 2,
          "visibility": len(JOINTS), "bends": len(BENDS), "there": 1}
_ENDS = np.cumsum(list(_SIZES.values())).tolist()
SLICES = {name: slice(end - size, end) for (name, size), end in zip(_SIZES.items(), _ENDS)}
N_FEATURES = _ENDS[-1]


class PoseFeatures:
    """Features of one pose after another; it keeps the last for velocities.

    Args:
        seconds: from a pose to the next.
    """

    def __init__(self, seconds: float):
        self.seconds = seconds
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    def __call__(self, pose: Pose | None) -> np.ndarray:
        """(N_FEATURES,) float32."""
        frame = np.zeros(N_FEATURES, np.float32)
        if pose is None:
            self._last = None
            return frame
        points, joints = pose.points[list(JOINTS)], pose.world[list(JOINTS)]
        torso = _torso(points)
        hips = points[list(HIPS), :2].mean(axis=0)
        planar = (points[:, :2] - hips) / torso
        frame[SLICES["planar"]] = planar.ravel()
        frame[SLICES["body"]] = (_facing(joints) / _torso(joints)).ravel()
        if self._last is not None:
            before, place = self._last
            frame[SLICES["velocity"]] = ((planar - before) / self.seconds).clip(-FASTEST, FASTEST).ravel()
            frame[SLICES["travel"]] = ((hips - place) / torso / self.seconds).clip(-FASTEST, FASTEST)
        frame[SLICES["visibility"]] = pose.visibility[list(JOINTS)]
        frame[SLICES["bends"]] = _bends(joints)
        frame[SLICES["there"]] = 1
        self._last = planar, hips
        return frame


def _torso(points: np.ndarray) -> float:
    """The distance between the middles of shoulders and hips of joints (joint, 3)."""
    middle = points[list(HIPS)].mean(axis=0)
    spread = np.sqrt(((points - middle) ** 2).sum(axis=1).mean())
    return max(float(np.linalg.norm(points[list(SHOULDERS)].mean(axis=0) - middle)), SHORTEST * float(spread), 1e-6)


def _facing(joints: np.ndarray) -> np.ndarray:
    """Joints (joint, 3) around the hips, turned about the vertical: x from the body's right to its left, y down,
    z completes them."""
    lefts, rights = joints[[SHOULDERS[0], HIPS[0]]].sum(axis=0), joints[[SHOULDERS[1], HIPS[1]]].sum(axis=0)
    across, depth = (lefts - rights)[[0, 2]]
    length = float(np.hypot(across, depth))
    across, depth = (across / length, depth / length) if length > 1e-6 else (1.0, 0.0)
    x, y, z = (joints - joints[list(HIPS)].mean(axis=0)).T
    return np.column_stack([x * across + z * depth, y, z * across - x * depth])


def _bends(joints: np.ndarray) -> np.ndarray:
    first, middle, last = (joints[[bend[k] for bend in BENDS]] for k in range(3))
    one, other = first - middle, last - middle
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return (one * other).sum(axis=1) / np.maximum(lengths, 1e-9)
