"""The two graphs of the pose stream: one finds people in a picture, the other reads a person's landmarks.

They are MediaPipe's BlazePose (Bazarevsky et al., 2020), as `scripts/convert_pose.py` converts them.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ...common.errors import EarsightError, first_line
from ...common.inference.runtime import open_session
from ...common.model_folder import find_model

DETECTOR, LANDMARKER = "pose_detector.onnx", "pose_landmarker.onnx"

_opening = Lock()


@dataclass(frozen=True, eq=False)
class PoseGraphs:
    """Both graphs, ready to run; safe to share between threads."""

    folder: Path
    detector: Any
    landmarker: Any

    def detect(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Picture (224, 224, 3) uint8 -> what is said of each anchor: boxes (2254, 12), probabilities (2254,)."""
        boxes, scores = self._run(self.detector, ["boxes", "scores"], picture)
        return boxes[0], _probabilities(scores[0, :, 0])

    def landmarks(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Picture (256, 256, 3) uint8 -> landmarks (39, 4): x, y, z in its pixels, and the probability that each is
        visible; the same places in metres (39, 3); and the probability that there is a person."""
        landmarks, world, presence = self._run(self.landmarker, ["landmarks", "world", "presence"], picture)
        landmarks = landmarks.reshape(39, 5)
        landmarks[:, 3] = _probabilities(landmarks[:, 3])
        return landmarks[:, :4], world.reshape(39, 3), float(presence[0, 0])

    def _run(self, session: Any, names: list[str], picture: np.ndarray) -> list[np.ndarray]:
        try:
            return session.run(names, {"picture": picture[None]})
        except Exception as error:  # ONNX Runtime's own exceptions share no base class but this
            if "allocate" in str(error):
                raise MemoryError from error
            raise EarsightError(f"{self.folder}: its pose graphs are damaged, or not the ones that "
                                f"scripts/convert_pose.py writes ({first_line(error)})") from error


def open_graphs(folder: str) -> PoseGraphs:
    """The graphs of a folder or of an installed model that has them; opened once a process, one thread each.

    Raises:
        EarsightError: they are not there, or damaged.
    """
    with _opening:  # `cache` would have the threads of several clips, which begin together, open them all
        return _opened(folder)


@cache
def _opened(folder: str) -> PoseGraphs:
    found = graphs_folder(folder)
    return PoseGraphs(found, *(open_session(found / name, threads=1) for name in (DETECTOR, LANDMARKER)))


def graphs_folder(folder: str) -> Path:
    """Where the graphs of a folder or of an installed model are.

    Raises:
        EarsightError: there is no such folder or model, or it has no pose graphs.
    """
    found = find_model(folder)
    if missing := next((name for name in (DETECTOR, LANDMARKER) if not (found / name).is_file()), None):
        raise EarsightError(f"{found}: no {missing}, so the pose stream cannot run; export the model again, or name in "
                            "model.pictures.pose.graphs what scripts/convert_pose.py wrote or a model that has it")
    return found


def _probabilities(logits: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * logits))  # this form cannot overflow
