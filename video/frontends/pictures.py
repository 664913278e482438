"""From a video's frames to what the CNN sees: pictures of what is there, and of how it moves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...common.ahead import ahead
from ...common.errors import EarsightError
from ..pose.features import N_FEATURES, PoseFeatures
from ..pose.graphs import open_graphs
from ..pose.tracking import PoseTracker
from ..reading import Moment as Sampled
from ..reading import sample, sample_live
from .motion import Flow, histograms, motion_picture, n_histograms

STREAMS = ("picture", "motion", "flow", "pose")
CNN_STREAMS = ("picture", "motion")  # the others are features as they come
AHEAD = 8  # decoded moments that may wait
ROOM = 2  # a frame is kept up to this many times as high and wide as the largest picture of it

# By stream, what is due: a picture (height, width, 3) uint8, or features of the flow or the pose, (feature,) float32.
Moment = dict[str, np.ndarray]


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

    @property
    def shape(self) -> tuple[int, int]:
        """Of its pictures: height, width."""
        return self.height, self.width


@dataclass(frozen=True)
class FlowSettings(StreamSettings):
    """Histograms of the optical flow, which no CNN reads; see `video.frontends.motion.histograms`.

    Attributes:
        height, width: of the pictures that the flow is taken between; see `StreamSettings`.
        grids: the flow is divided into as many rows and columns, each in turn.
    """

    grids: tuple[int, ...] = (2, 4)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.grids or min(self.grids) < 1 or max(self.grids) > 8:
            raise EarsightError(f"pictures.flow.grids {list(self.grids)}: give numbers of rows, from 1 to 8")


@dataclass(frozen=True)
class PoseSettings:
    """The pose of the largest person, which no CNN here reads; see `video.pose.features`.

    Attributes:
        every: moments from one pose to the next, which stands until then.
        graphs: what finds and reads people: a folder that scripts/convert_pose.py wrote, or a model that has the same
            (the packaged one unless told otherwise). An exported model has its own.
    """

    every: int = 1
    graphs: str = "actions-10"

    def __post_init__(self) -> None:
        if self.every < 1:
            raise EarsightError(f"pictures.pose.every {self.every}: give 1 or more")

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the picture that a person is read in."""
        return 256, 256


@dataclass(frozen=True)
class PictureSettings:
    """How a video is sampled, and what of it the model sees.

    Attributes:
        rate: moments a second, each of which becomes one feature frame.
        picture: the frame itself; none leaves the stream out.
        motion: the optical flow from it to a later frame, as a picture; none leaves the stream out.
        flow: histograms of the optical flow; none leaves the stream out.
        pose: the largest person's pose; none leaves the stream out.
        lag: seconds to that later frame.
        motion_scale: grey levels a pixel of motion.
    """

    rate: float = 4.0
    picture: StreamSettings | None = StreamSettings(224, 288)
    motion: StreamSettings | None = StreamSettings(224, 288)
    flow: FlowSettings | None = None
    pose: PoseSettings | None = None
    lag: float = 0.12
    motion_scale: float = 12.0

    def __post_init__(self) -> None:
        # A stream alone may have the rate of the model that it is to join (scripts/join_streams.py).
        if not self.streams or len(self.streams) > 1 and all(stream.every > 1 for stream in self.streams.values()):
            raise EarsightError("pictures: give picture, motion, flow or pose, and `every: 1` to one of them "
                                "(a lower `rate` serves where none needs each moment)")
        if min(self.rate, self.lag, self.motion_scale) <= 0:
            raise EarsightError(f"pictures: rate {self.rate:g}, lag {self.lag:g} and motion_scale "
                                f"{self.motion_scale:g} must be above 0")

    @staticmethod
    def from_dict(plain: dict, folder: Path | None = None) -> "PictureSettings":
        """Settings as `dataclasses.asdict` or a recipe writes them; `folder`: of the model that has its own graphs.

        Raises:
            EarsightError: settings that are none, of a folder's `config.json` or a recipe.
        """
        try:
            streams: dict = {name: StreamSettings(**plain[name]) for name in CNN_STREAMS
                             if plain.get(name) is not None}
            if plain.get("flow") is not None:
                streams["flow"] = FlowSettings(**{**plain["flow"], "grids": tuple(plain["flow"].get("grids", (2, 4)))})
            if plain.get("pose") is not None:
                streams["pose"] = PoseSettings(**{**plain["pose"], **({"graphs": str(folder)} if folder else {})})
            return PictureSettings(**{**plain, **streams})
        except (TypeError, AttributeError) as error:  # a name that is none, or a value of another kind
            raise EarsightError(f"{folder or 'pictures'}: settings of pictures that are none ({str(error)[:80]}); "
                                "export the model again, or mend the recipe") from error

    @property
    def streams(self) -> dict[str, StreamSettings | PoseSettings]:
        """The streams there are, in the order of their features in a frame."""
        return {name: stream for name in STREAMS if (stream := getattr(self, name)) is not None}

    def widths(self, embedding: int) -> tuple[int, ...]:
        """Each stream's share of a frame's features, where the CNN gives `embedding` of them a picture."""
        own = {"flow": n_histograms(self.flow.grids) if self.flow else 0, "pose": N_FEATURES}
        return tuple(own.get(name, embedding) for name in self.streams)


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
        saturation=factor(settings.saturation),
        cast=(factor(settings.cast), factor(settings.cast), factor(settings.cast)))


def pictures(path: str | Path, settings: PictureSettings, view: View = View(), start: float = 0.0,
             end: float | None = None, threads: int = 1) -> Iterator[Moment]:
    """The moments of a video in order, `settings.rate` of them a second.

    Args:
        threads: that may work on it; with more than one the video is decoded in a thread of its own.

    Raises:
        EarsightError: see `video.reading.sample`.
    """
    rate = settings.rate / view.tempo
    begin = start + view.delay / rate * (view != View())
    moments = sample(path, rate, lag=_lag(settings), fit=_room(settings), start=begin, end=end)
    return _seen(ahead(moments, AHEAD) if threads > 1 else moments, settings, view)


def live_pictures(source: str, settings: PictureSettings) -> Iterator[Moment]:
    """The same of a camera or a stream, as they come; see `video.reading.sample_live`.

    Where one picture stands for several moments, as after others took too long, it is looked at once.
    """
    return _seen(sample_live(source, settings.rate, _lag(settings), _room(settings)), settings, View(), once=True)


def _lag(settings: PictureSettings) -> float | None:
    return settings.lag if settings.motion or settings.flow else None


def _room(settings: PictureSettings) -> Callable[[np.ndarray], np.ndarray]:
    height, width = (max(sides) for sides in zip(*(stream.shape for stream in settings.streams.values())))
    return lambda image: shrink(image, ROOM * height, ROOM * width)


def _seen(moments: Iterator[Sampled], settings: PictureSettings, view: View, once: bool = False) -> Iterator[Moment]:
    """What the model sees of each moment; `once`: what a CNN made of a picture stands while the picture does."""
    flow, greys = Flow(), _Greys(view)
    pose = _Posing(settings.pose, settings.rate, view) if settings.pose else None
    before: Sampled | None = None
    shown: Moment = {}
    for k, moment in enumerate(moments):
        if once and before is not None and moment.image is before.image:
            yield {stream: features for stream, features in shown.items() if stream not in CNN_STREAMS}
            continue
        before = moment
        fields: dict[tuple[int, int], np.ndarray] = {}
        for stream in (settings.motion, settings.flow):
            if stream and k % stream.every == 0 and stream.shape not in fields:
                assert moment.later is not None  # with a lag there is one
                fields[stream.shape] = flow(greys(moment.image, stream), greys(moment.later, stream))
        shown = {}
        if settings.picture and k % settings.picture.every == 0:
            shown["picture"] = colour(fit(moment.image, settings.picture.shape, view), view)
        if settings.motion and k % settings.motion.every == 0:
            shown["motion"] = motion_picture(fields[settings.motion.shape], settings.motion_scale)
        if settings.flow and k % settings.flow.every == 0:
            shown["flow"] = histograms(fields[settings.flow.shape], settings.flow.grids)
        if pose and k % pose.every == 0:
            shown["pose"] = pose(moment.image)
        yield shown


class _Greys:
    """Images in grey, in a stream's shape; one moment's later image is often the next one's own, and kept for it."""

    def __init__(self, view: View):
        self.view = view
        self._last: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}

    def __call__(self, image: np.ndarray, stream: StreamSettings) -> np.ndarray:
        last = self._last.get(stream.shape)
        if last is not None and last[0] is image:
            return last[1]
        grey = fit(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), stream.shape, self.view)
        self._last[stream.shape] = image, grey
        return grey


class _Posing:
    """One image after another to features of the pose in it: of the whole frame, for a person may be anywhere in it."""

    def __init__(self, settings: PoseSettings, rate: float, view: View):
        self.every, self._view = settings.every, view
        self._tracker = PoseTracker(open_graphs(settings.graphs))
        self._features = PoseFeatures(settings.every / rate)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        seen = colour(fit(image, image.shape[:2], self._view), self._view)
        return self._features(self._tracker(seen))


def shrink(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scale an image that covers height x width with room to spare down to what covers it; others stay as they are."""
    scale = max(height / image.shape[0], width / image.shape[1])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def fit(image: np.ndarray, shape: tuple[int, int], view: View = View()) -> np.ndarray:
    """Crop an image (height, width[, 3]) to a shape (height, width), around its centre or as `view` says, and scale it.
    """
    height, width = image.shape[:2]
    scale = max(shape[0] / height, shape[1] / width)  # of the largest crop of that shape
    rows = min(shape[0] / scale * view.size * view.stretch**0.5, height)
    columns = min(shape[1] / scale * view.size / view.stretch**0.5, width)
    top, left = round((height - rows) * view.down), round((width - columns) * view.across)
    crop = image[top:top + max(round(rows), 1), left:left + max(round(columns), 1)]
    # Linear interpolation leaves no pixel out until it halves the image, and takes a quarter of the time of areas.
    halves = crop.shape[0] >= 2 * shape[0]
    scaled = cv2.resize(crop, (shape[1], shape[0]),
                        interpolation=cv2.INTER_AREA if halves else cv2.INTER_LINEAR)
    return np.ascontiguousarray(scaled[:, ::-1]) if view.flip else scaled


def colour(image: np.ndarray, view: View) -> np.ndarray:
    """Change brightness, contrast, saturation and colour cast of an image (height, width, 3) uint8."""
    if (view.brightness, view.contrast, view.saturation, view.cast) == (0.0, 1.0, 1.0, (1.0, 1.0, 1.0)):
        return image
    changed = image.astype(np.float32)
    grey = changed.mean(axis=-1, keepdims=True)
    cast = np.array(view.cast, np.float32)
    changed = (grey + (changed - grey) * view.saturation) * cast * view.contrast + view.brightness
    return changed.clip(0, 255).astype(np.uint8)
