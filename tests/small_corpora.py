"""What the tests of the corpora share: clips made on the fly, and what was prepared of them."""

from pathlib import Path

import numpy as np
import soundfile

from common.manifest import read_manifest

RNG = np.random.default_rng(0)


def sound(path: Path, seconds: float = 0.2, rate: int = 8000, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, RNG.uniform(-0.5, 0.5, int(seconds * rate)), rate, **options)
    return path


def read_all(paths) -> dict[str, list]:
    return {split: list(read_manifest(path)) for split, path in paths.items()}


def ids(cuts) -> set[str]:
    return {cut.id for cut in cuts}
