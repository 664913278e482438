"""Stored feature frames: plain `.npy` arrays, and the `.mfc` files of AN4's own front end."""

from pathlib import Path

import numpy as np

from ...common.containers import inspect
from ...common.errors import EarsightError

FRAME_SUFFIXES = frozenset({".npy", ".mfc"})
AN4_COEFFICIENTS = 13  # floats a frame in AN4's .mfc files


def read_frames(path: str | Path) -> np.ndarray:
    """Feature frames float32 (time, feature): `.npy` (2-D floats, not pickled), or AN4's `.mfc`.

    An `.mfc` is big-endian: one int32, the number of floats that follow, then float32, 13 a frame.
    """
    path = Path(path)
    inspect(path, "sound")
    suffix = path.suffix.lower()
    if suffix not in FRAME_SUFFIXES:
        raise EarsightError(f"{path}: frames are read from .npy and .mfc; convert it with numpy.save")
    frames = _read_mfc(path) if suffix == ".mfc" else _read_npy(path)
    if not np.isfinite(frames).all():
        row = int(np.flatnonzero(~np.isfinite(frames).all(axis=1))[0])
        raise EarsightError(f"{path}: NaN or infinite values, first in frame {row}; compute the frames again")
    return frames


def _read_mfc(path: Path) -> np.ndarray:
    data = path.read_bytes()
    count = int.from_bytes(data[:4], "big", signed=True)
    if len(data) != 4 + 4 * count:
        raise EarsightError(
            f"{path}: its header announces {count} floats and {max(len(data) - 4, 0) / 4:g} follow; "
            "it is cut short or not AN4's .mfc: copy it again"
        )
    if count == 0 or count % AN4_COEFFICIENTS:
        raise EarsightError(f"{path}: {count} floats, not frames of {AN4_COEFFICIENTS}; save it as .npy")
    return np.frombuffer(data, ">f4", offset=4).reshape(-1, AN4_COEFFICIENTS).astype(np.float32)


def _read_npy(path: Path) -> np.ndarray:
    try:
        frames = np.load(path, allow_pickle=False)
    except Exception as error:  # numpy reads the header as Python, which raises what it likes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise EarsightError(f"{path}: not a plain .npy array ({reason}); write it with numpy.save") from error
    if not isinstance(frames, np.ndarray):
        raise EarsightError(f"{path}: an archive of arrays, not one array; write it with numpy.save")
    if frames.ndim != 2 or not np.issubdtype(frames.dtype, np.floating) or 0 in frames.shape:
        raise EarsightError(
            f"{path}: holds {frames.dtype} of shape {frames.shape}, not floats (time, feature); "
            "save it as array.astype('float32') with one row a frame"
        )
    with np.errstate(over="ignore"):  # what overflows is reported as infinite
        return np.ascontiguousarray(frames, np.float32)
