"""From a video's frames to what the CNN sees: pictures of what is there, and of how it moves."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from common.errors import EarsightError
from video.reading import sample

STREAMS = ("picture", "motion")
GREY = 128  # no motion


@dataclass(frozen=True)
class PictureSettings:
    """How a video is sampled and shown to the CNN.

    Attributes:
        rate: moments a second, each of which becomes one feature frame.
        height, width: of the pictures, pixels; a frame is scaled until it covers them and cropped around its centre.
        streams: "picture" (the frame itself), "motion" (the optical flow from it to a later frame), or both.
        lag: seconds to that later frame.
        motion_scale: grey levels a pixel of motion.
    """

    rate: float = 8.0
    height: int = 128
    width: int = 160
    streams: tuple[str, ...] = STREAMS
    lag: float = 0.1
    motion_scale: float = 16.0

    def __post_init__(self) -> None:
        if not self.streams or not set(self.streams) <= set(STREAMS) or len(set(self.streams)) < len(self.streams):
            raise EarsightError(f"pictures.streams {list(self.streams)} are unknown; choose from {', '.join(STREAMS)}")
        if min(self.rate, self.lag, self.motion_scale) <= 0 or min(self.height, self.width) < 32:
            raise EarsightError(f"{self}: rate, lag and motion_scale are above 0, height and width at least 32 pixels")

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of one moment: (stream, height, width, 3)."""
        return len(self.streams), self.height, self.width, 3


@dataclass(frozen=True)
class View:
    """One way of looking at a clip: itself, or an augmented one (drawn by `draw_view`).

    Attributes:
        size: share of the frame's largest crop that is kept.
        across, down: where that crop lies, 0 (left, top) to 1.
        stretch: of its width against its height.
        flip: left and right exchanged.
        tempo: how fast the clip is played.
        delay: where in the first interval sampling starts, as a share of it.
        brightness: added, grey levels; contrast, saturation, cast (red, green, blue): factors.
    """

    size: float = 1.0
    across: float = 0.5
    down: float = 0.5
    stretch: float = 1.0
    flip: bool = False
    tempo: float = 1.0
    delay: float = 0.0
    brightness: float = 0.0
    contrast: float = 1.0
    saturation: float = 1.0
    cast: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class ViewSettings:
    """How far augmented views go from the clip; see `View`.

    Attributes:
        size: smallest crop; stretch, tempo, contrast, saturation, cast: largest relative change.
        flip: share of views that are flipped.
        brightness: largest change, grey levels.
    """

    size: float = 0.7
    stretch: float = 0.12
    flip: float = 0.5
    tempo: float = 0.2
    brightness: float = 25.0
    contrast: float = 0.3
    saturation: float = 0.4
    cast: float = 0.1


def draw_view(settings: ViewSettings, rng: np.random.Generator) -> View:
    """An augmented view of a clip."""

    def factor(most: float) -> float:
        return float((1 + most) ** rng.uniform(-1, 1))

    return View(
        size=rng.uniform(settings.size, 1), across=rng.random(), down=rng.random(), stretch=factor(settings.stretch),
        flip=bool(rng.random() < settings.flip), tempo=factor(settings.tempo), delay=rng.random(),
        brightness=rng.uniform(-1, 1) * settings.brightness, contrast=factor(settings.contrast),
        saturation=factor(settings.saturation), cast=tuple(factor(settings.cast) for _ in range(3)))


def pictures(path: str | Path, settings: PictureSettings, view: View = View(), start: float = 0.0,
             end: float | None = None) -> Iterator[np.ndarray]:
    """The moments of a video in order, `settings.rate` of them a second: (stream, height, width, 3) uint8 each.

    Raises:
        EarsightError: see `video.reading.sample`.
    """
    motion = Motion(settings) if "motion" in settings.streams else None
    rate = settings.rate / view.tempo
    moments = sample(path, rate, lag=settings.lag if motion else None, fit=lambda image: fit(image, settings, view),
                     start=start + view.delay / rate * (view != View()), end=end)
    for moment in moments:
        shown = {"picture": colour(moment.image, view)}
        if motion:
            shown["motion"] = motion(moment.image, moment.later)
        yield np.stack([shown[stream] for stream in settings.streams])


def fit(image: np.ndarray, settings: PictureSettings, view: View = View()) -> np.ndarray:
    """Crop an image (height, width, 3) to the pictures' shape, around its centre or as `view` says, and scale it."""
    height, width = image.shape[:2]
    scale = max(settings.height / height, settings.width / width)  # of the largest crop of that shape
    rows = min(settings.height / scale * view.size * view.stretch**0.5, height)
    columns = min(settings.width / scale * view.size / view.stretch**0.5, width)
    top, left = round((height - rows) * view.down), round((width - columns) * view.across)
    crop = image[top:top + max(round(rows), 1), left:left + max(round(columns), 1)]
    shrinks = crop.shape[0] > settings.height
    scaled = cv2.resize(crop, (settings.width, settings.height),
                        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.ascontiguousarray(scaled[:, ::-1]) if view.flip else scaled


def colour(image: np.ndarray, view: View) -> np.ndarray:
    """Change brightness, contrast, saturation and colour cast of an image (height, width, 3) uint8."""
    if (view.brightness, view.contrast, view.saturation, view.cast) == (0.0, 1.0, 1.0, (1.0, 1.0, 1.0)):
        return image
    changed = image.astype(np.float32)
    grey = changed.mean(axis=-1, keepdims=True)
    changed = (grey + (changed - grey) * view.saturation) * np.float32(view.cast) * view.contrast + view.brightness
    return changed.clip(0, 255).astype(np.uint8)


class Motion:
    """Pictures of optical flow: right and left in red, down and up in green around grey, speed in blue.

    The flow is dense inverse search's (Kroeger et al., 2016). Its median over the picture is subtracted: that is how
    the camera moves, as a rule, and what is left is how people do.
    """

    def __init__(self, settings: PictureSettings):
        self.scale = settings.motion_scale
        self.flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def __call__(self, image: np.ndarray, later: np.ndarray) -> np.ndarray:
        """Two images (height, width, 3) uint8 -> their motion, the same shape."""
        first, second = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (image, later))
        flow = self.flow.calc(first, second, None)
        flow -= np.median(flow.reshape(-1, 2), axis=0)
        speed = np.hypot(flow[..., 0], flow[..., 1])
        shown = np.dstack([flow * self.scale + GREY, speed * self.scale])
        return shown.clip(0, 255).astype(np.uint8)
