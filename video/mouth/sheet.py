"""Mouths on one sheet, so that a person sees what a model sees: a clip a row, from its beginning to its end."""

from collections.abc import Mapping

import cv2
import numpy as np

COLUMNS = 12  # pictures of a clip
NAME = 16  # pixels, the height of a clip's name above its row


def row(pictures: np.ndarray, columns: int = COLUMNS) -> np.ndarray:
    """`columns` of a clip's pictures (time, side, side), evenly spaced in time -> (side, columns * side)."""
    places = ((np.arange(columns) + 0.5) * len(pictures) / columns).astype(int)
    return np.concatenate(list(pictures[places]), axis=1)


def contact_sheet(clips: Mapping[str, np.ndarray]) -> np.ndarray:
    """Clips (time, side, side) uint8 by name, all of one side, as one picture (height, width) uint8."""
    rows = []
    for name, pictures in clips.items():
        strip = row(pictures)
        lost = int((~pictures.any(axis=(1, 2))).sum())
        said = f"{name}: no face in {lost} of {len(pictures)} pictures" if lost else name
        title = np.full((NAME, strip.shape[1]), 255, np.uint8)
        cv2.putText(title, said, (2, NAME - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 0, 1, cv2.LINE_AA)
        rows += [title, strip]
    return np.concatenate(rows)


def as_png(picture: np.ndarray) -> bytes:
    """A picture (height, width) uint8 as a PNG file's content."""
    return cv2.imencode(".png", picture)[1].tobytes()
