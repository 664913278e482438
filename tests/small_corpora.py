"""What the tests of the corpora share: clips made on the fly, and what was prepared of them."""

from pathlib import Path

import cv2
import numpy as np
import soundfile

from conftest import TONES, tone, write_wav
from earsight.common.data.manifest import read_manifest

RNG = np.random.default_rng(0)
TAKES = 6


def sound(path: Path, seconds: float = 0.2, rate: int = 8000, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, RNG.uniform(-0.5, 0.5, int(seconds * rate)), rate, **options)
    return path


def labelled_tones(folder: Path, names=TONES, takes: int = TAKES, first: int = 0) -> Path:
    """LABEL/LABEL_SPEAKER_TAKE.wav; each speaker's tones are a little higher than the one's before."""
    for label in names:
        for number in range(first, first + takes):
            path = folder / label / f"{label}_s{number % 3}x_{number}.wav"
            write_wav(path, tone(TONES.get(label, 1400.0) * (1 + 0.05 * (number % 3)), 0.4, seed=number))
    return folder


def video(path: Path, frames: int = 8, size: tuple[int, int] = (32, 24), rate: float = 8) -> Path:
    """A film of noise; `size` is width and height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = cv2.VideoWriter_fourcc(*("MJPG" if path.suffix == ".avi" else "mp4v"))
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, codec, rate, size)
    for _ in range(frames):
        writer.write(RNG.integers(0, 256, (size[1], size[0], 3), np.uint8))
    writer.release()
    return path


def read_all(paths) -> dict[str, list]:
    return {split: list(read_manifest(path)) for split, path in paths.items()}


def ids(cuts) -> set[str]:
    return {cut.id for cut in cuts}
