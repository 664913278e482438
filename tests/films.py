"""Small films for the tests of video: two classes that only their motion tells apart."""

from pathlib import Path

import av
import numpy as np


def write_film(path: Path, frames: list[np.ndarray], rate: int = 16) -> Path:
    """Encode RGB frames (height, width, 3) without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "bgr0"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def sliding(count: int, shape: tuple[int, int], across: bool = True, seed: int = 0, step: int = 2) -> list[np.ndarray]:
    """A textured square that slides to the right, or down, over a still ground."""
    rng = np.random.default_rng(seed)
    ground = np.kron(rng.integers(40, 110, (shape[0] // 4 + 1, shape[1] // 4 + 1, 3)), np.ones((4, 4, 1)))
    square = np.kron(rng.integers(130, 250, (4, 4, 3)), np.ones((4, 4, 1)))
    frames = []
    for i in range(count):
        image = ground[:shape[0], :shape[1]].astype(np.uint8)
        moved, fixed = (i * step) % (shape[across] - 16), (shape[not across] - 16) // 2
        top, left = (fixed, moved) if across else (moved, fixed)
        image[top:top + 16, left:left + 16] = square
        frames.append(image)
    return frames


def corpus(folder: Path, clips: int = 6, seconds: float = 1.0) -> Path:
    """FOLDER/across/*.mkv and FOLDER/down/*.mkv."""
    for across, label in ((True, "across"), (False, "down")):
        for i in range(clips):
            frames = sliding(round(16 * seconds), (48, 64), across, seed=i)
            write_film(folder / label / f"{label}{i}.mkv", frames)
    return folder
