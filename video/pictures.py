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
ROOM = 2  # a frame is kept up to this many times as high and wide as the largest picture of it

Moment = dict[str, np.ndarray]  # the pictures (height, width, 3) uint8 of the streams that are due, by stream


@dataclass(frozen=True)
class StreamSettings:
    """The pictures of one stream.

    Attributes:
        height, width: pixels; a frame is scaled until it covers them and cropped around its centre.
        every: moments from one picture to the next; what the CNN made of the last one stands until then.
    """

    height: int
    width: int
    every: int = 1

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 32 or self.every < 1:
            raise EarsightError(f"{self}: height and width are at least 32 pixels, every at least 1")


@dataclass(frozen=True)
class PictureSettings:
    """How a video is sampled and shown to the CNN.

    Attributes:
        rate: moments a second, each of which becomes one feature frame.
        picture: the frame itself; none leaves the stream out.
        motion: the optical flow from it to a later frame; none leaves the stream out.
        lag: seconds to that later frame.
        motion_scale: grey levels a pixel of motion.
    """

    rate: float = 4.0
    picture: StreamSettings | None = StreamSettings(224, 288)
    motion: StreamSettings | None = StreamSettings(224, 288)
    lag: float = 0.12
    motion_scale: float = 12.0

    def __post_init__(self) -> None:
        if not self.streams or all(stream.every > 1 for stream in self.streams.values()):
            raise EarsightError("pictures: give picture, motion or both, and `every: 1` to one of them "
                                "(a lower `rate` serves where none needs each moment)")
        if min(self.rate, self.lag, self.motion_scale) <= 0:
            raise EarsightError(f"pictures: rate {self.rate:g}, lag {self.lag:g} and motion_scale "
                                f"{self.motion_scale:g} must be above 0")

    @staticmethod
    def from_dict(plain: dict) -> "PictureSettings":
        """Settings as `dataclasses.asdict` or a recipe writes them."""
        streams = {name: StreamSettings(**plain[name]) for name in STREAMS if plain.get(name)}
        return PictureSettings(**{**plain, **streams})

    @property
    def streams(self) -> dict[str, StreamSettings]:
        """The streams there are, in the order of their features in a frame."""
        return {name: stream for name in STREAMS if (stream := getattr(self, name)) is not None}


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
             end: float | None = None) -> Iterator[Moment]:
    """The moments of a video in order, `settings.rate` of them a second.

    Raises:
        EarsightError: see `video.reading.sample`.
    """
    motion = Motion(settings, view) if settings.motion else None
    rate = settings.rate / view.tempo
    highest, widest = (max(getattr(stream, side) for stream in settings.streams.values())
                       for side in ("height", "width"))
    moments = sample(path, rate, lag=settings.lag if motion else None,
                     fit=lambda image: shrink(image, ROOM * highest, ROOM * widest),
                     start=start + view.delay / rate * (view != View()), end=end)
    for k, moment in enumerate(moments):
        shown = {}
        if settings.picture and k % settings.picture.every == 0:
            shown["picture"] = colour(fit(moment.image, settings.picture, view), view)
        if settings.motion and k % settings.motion.every == 0:
            shown["motion"] = motion(moment.image, moment.later)
        yield shown


def shrink(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scale an image that covers height x width with room to spare down to what covers it; others stay as they are."""
    scale = max(height / image.shape[0], width / image.shape[1])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def fit(image: np.ndarray, stream: StreamSettings, view: View = View()) -> np.ndarray:
    """Crop an image (height, width[, 3]) to the pictures' shape, around its centre or as `view` says, and scale it."""
    height, width = image.shape[:2]
    scale = max(stream.height / height, stream.width / width)  # of the largest crop of that shape
    rows = min(stream.height / scale * view.size * view.stretch**0.5, height)
    columns = min(stream.width / scale * view.size / view.stretch**0.5, width)
    top, left = round((height - rows) * view.down), round((width - columns) * view.across)
    crop = image[top:top + max(round(rows), 1), left:left + max(round(columns), 1)]
    shrinks = crop.shape[0] > stream.height
    scaled = cv2.resize(crop, (stream.width, stream.height),
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

    def __init__(self, settings: PictureSettings, view: View = View()):
        self.stream = settings.motion
        self.view = view
        self.scale = settings.motion_scale
        self.flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._last: tuple[np.ndarray, np.ndarray] | None = None  # the later image of the moment before, and its grey

    def __call__(self, image: np.ndarray, later: np.ndarray) -> np.ndarray:
        """Two images (height, width, 3) uint8 -> their motion, a picture of the stream's shape."""
        first, second = self._grey(image), self._grey(later)
        self._last = later, second
        flow = self.flow.calc(first, second, None)
        flow -= np.median(flow.reshape(-1, 2), axis=0)
        speed = np.hypot(flow[..., 0], flow[..., 1])
        shown = np.dstack([flow * self.scale + GREY, speed * self.scale])
        return shown.clip(0, 255).astype(np.uint8)

    def _grey(self, image: np.ndarray) -> np.ndarray:
        if self._last and self._last[0] is image:  # one moment's later image is often the next one's own
            return self._last[1]
        return fit(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), self.stream, self.view)
