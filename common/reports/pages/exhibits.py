"""What a report shows of a clip: a picture of it, and its sound where it has any, small enough to stand in a page."""

import io
from dataclasses import dataclass

import numpy as np

from .html import data_uri

LONGEST = 60.0  # seconds of a clip that are shown
COLUMNS, ROWS = 1200, 128  # pixels of a picture at most
FEATURES = 96  # of stored frames that are shown


@dataclass(frozen=True)
class Exhibit:
    """A clip to look at and to listen to.

    Attributes:
        picture, sound: data URIs; no sound where the clip has none.
        about: what the picture shows.
        seconds: what the picture's width stands for; 0 where it has no axis of time.
    """

    picture: str
    about: str
    seconds: float = 0.0
    sound: str | None = None


def frames_exhibit(frames: np.ndarray, duration: float) -> Exhibit:
    """Frames (time, feature) of any origin; see `brightness`."""
    seconds = min(duration, LONGEST)
    values = brightness(frames[: max(1, round(len(frames) * seconds / duration))])
    few = f"the {FEATURES} of {frames.shape[1]} features that vary most" if frames.shape[1] > FEATURES else "features"
    return Exhibit(heat_map(values, "cividis"), f"Frames: {few} in time", seconds)


def brightness(frames: np.ndarray) -> np.ndarray:
    """Frames (time, feature) -> (feature, time) from 0 to 1: each feature's departure from its mean over the clip.

    Of more than FEATURES those that vary most, in their own order. 0 and 1 are 2.5 standard deviations away.
    """
    spread = frames.std(axis=0)
    shown = np.sort(np.argsort(-spread, kind="stable")[:FEATURES])
    standard = (frames[:, shown] - frames[:, shown].mean(axis=0)) / np.maximum(spread[shown], 1e-8)
    return np.clip((standard.T + 2.5) / 5, 0, 1)


def heat_map(values: np.ndarray, colours: str) -> str:
    """Values (row, time) from 0 to 1, row 0 at the bottom, as a PNG's data URI, in a colour map of matplotlib's."""
    import matplotlib
    from PIL import Image

    palette = (matplotlib.colormaps[colours](np.linspace(0, 1, 64))[:, :3] * 255).round().astype(np.uint8)
    grey = Image.fromarray((values[::-1] * 255).round().astype(np.uint8))
    # Averages, where there are more frames than pixels; enlarging is the browser's business.
    grey = grey.resize((min(grey.width, COLUMNS), min(grey.height, ROWS)), Image.Resampling.BOX)
    image = Image.fromarray(np.asarray(grey) // 4)
    image.putpalette(palette.tobytes())
    content = io.BytesIO()
    image.save(content, "png", optimize=True)
    return data_uri(content.getvalue(), "image/png")
