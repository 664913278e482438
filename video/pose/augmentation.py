"""Changes of pose features that leave the action what it is: mirrored, tilted, of other build, partly hidden."""

from dataclasses import dataclass

import numpy as np

from .features import BENDS, JOINTS, SLICES


@dataclass(frozen=True)
class PoseAugmentation:
    """How far stored pose features are changed in training.

    Attributes:
        mirror: share of clips in which left and right are exchanged.
        tilt: largest angle by which the picture is turned, degrees.
        scale: largest relative change of the limbs' length against the torso's.
        hidden: share of joints that a clip loses.
    """

    mirror: float = 0.0
    tilt: float = 0.0
    scale: float = 0.0
    hidden: float = 0.0


def augment_pose(frames: np.ndarray, settings: PoseAugmentation, rng: np.random.Generator) -> np.ndarray:
    """A clip's pose features (time, N_FEATURES), changed in one way throughout."""
    changed = mirrored(frames) if rng.random() < settings.mirror else frames
    changed = tilted(changed, np.deg2rad(settings.tilt) * rng.uniform(-1, 1))
    changed = scaled(changed, (1 + settings.scale) ** rng.uniform(-1, 1))
    return hidden(changed, rng.random(len(JOINTS)) < settings.hidden)


def mirrored(frames: np.ndarray) -> np.ndarray:
    """As a mirror shows them: what a flipped video would give."""
    changed = frames.copy()
    for name, exchanged in (("planar", _EXCHANGED), ("body", _EXCHANGED), ("velocity", _EXCHANGED), ("travel", [0])):
        vectors = frames[:, SLICES[name]].reshape(len(frames), len(exchanged), -1)[:, exchanged].copy()
        vectors[:, :, 0] *= -1
        changed[:, SLICES[name]] = vectors.reshape(len(frames), -1)
    changed[:, SLICES["visibility"]] = frames[:, SLICES["visibility"]][:, _EXCHANGED]
    changed[:, SLICES["bends"]] = frames[:, SLICES["bends"]][:, [k ^ 1 for k in range(len(BENDS))]]
    return changed


def tilted(frames: np.ndarray, angle: float) -> np.ndarray:
    """The picture turned clockwise by radians; the body in three dimensions is left as it is."""
    changed = frames.copy()
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], frames.dtype)
    for name in ("planar", "velocity", "travel"):
        vectors = frames[:, SLICES[name]].reshape(len(frames), -1, 2)
        changed[:, SLICES[name]] = (vectors @ turn).reshape(len(frames), -1)
    return changed


def scaled(frames: np.ndarray, factor: float) -> np.ndarray:
    """Somebody of another build: all lengths but the torso's, by which they are measured."""
    changed = frames.copy()
    for name in ("planar", "body", "velocity", "travel"):
        changed[:, SLICES[name]] *= factor
    return changed


def hidden(frames: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Without some joints, (joint,) bool: their features are 0."""
    changed = frames.copy()
    for name in ("planar", "body", "velocity", "visibility"):
        values = changed[:, SLICES[name]].reshape(len(frames), len(JOINTS), -1)
        values[:, joints] = 0
        changed[:, SLICES[name]] = values.reshape(len(frames), -1)
    return changed


def faster(frames: np.ndarray, speed: float) -> np.ndarray:
    """The velocities of a clip that is played `speed` times as fast."""
    changed = frames.copy()
    for name in ("velocity", "travel"):
        changed[:, SLICES[name]] *= speed
    return changed


_EXCHANGED = [0, *((k - 1 ^ 1) + 1 for k in range(1, len(JOINTS)))]  # the nose, then pairs
