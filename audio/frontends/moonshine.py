"""Moonshine's encoder: the graph that its makers publish for ONNX Runtime, run as it is."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...common.errors import EarsightError
from ...common.inference.runtime import open_graph, run_graph

# Three convolutions of the tiny encoder: kernels of 127, 7 and 3 samples or frames, strides of 64, 3 and 2.
KERNELS, STRIDES = (127, 7, 3), (64, 3, 2)
SHORTEST = 895  # samples, that give one frame


class MoonshineGraph(nn.Module):
    """The graph as a part of a torch model: its bytes are the model's state, and no gradient passes through it.

    Args:
        path: encoder_model.ort or encoder_model.onnx; none leaves the graph to a checkpoint.

    Raises:
        EarsightError: the file is missing, or is no graph of such an encoder.
    """

    HOP, WIDTH = 384, 288
    graph: Tensor

    def __init__(self, path: Path | None) -> None:
        super().__init__()
        self._session: Any = None
        content = b""
        if path is not None:
            try:
                content = path.read_bytes()
            except OSError as error:
                raise EarsightError(f"{path}: the weights cannot be read ({error.strerror}); "
                                    "scripts/pretrained_weights.py fetches them") from error
        self.register_buffer("graph", torch.from_numpy(np.frombuffer(content, np.uint8).copy()))
        if path is not None:
            self._demand_encoder(path)

    @property
    def content(self) -> bytes:
        """The graph's file."""
        return self.graph.cpu().numpy().tobytes()

    def run(self, samples: np.ndarray) -> np.ndarray:
        """A waveform (samples,) in [-1, 1] at 16 kHz, SHORTEST or more -> frames (time, 288)."""
        if self._session is None:
            self._session = open_graph(self.content, "Moonshine's encoder", 1)
        return run_graph(self._session, samples[None])[0]

    @staticmethod
    def n_frames(samples: int) -> int:
        """How many frames a clip of so many samples has."""
        count = max(samples, SHORTEST)
        for kernel, stride in zip(KERNELS, STRIDES, strict=True):
            count = (count - kernel) // stride + 1
        return count

    def _demand_encoder(self, path: Path) -> None:
        try:
            frames = self.run(np.zeros(self.HOP * 10, np.float32))
            right = frames.ndim == 2 and frames.shape[1] == self.WIDTH
        except Exception as error:  # ONNX Runtime's own exceptions share no base class but this
            raise EarsightError(f"{path}: no graph of Moonshine's tiny encoder that ONNX Runtime runs; name its "
                                "encoder_model.ort or .onnx") from error
        if not right:
            raise EarsightError(f"{path}: a graph that gives {frames.shape}, and Moonshine's tiny encoder gives frames "
                                f"of {self.WIDTH} features; name its encoder_model.ort or .onnx")

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any, **options: Any) -> None:
        # torch copies into buffers of the same size; ours is as large as the file.
        if prefix + "graph" in state_dict:
            self.graph = state_dict[prefix + "graph"].clone()
            self._session = None
        super()._load_from_state_dict(state_dict, prefix, *args, **options)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_session": None}  # a session cannot be copied; it is opened again
