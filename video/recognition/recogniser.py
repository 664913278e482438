"""From video files to classes and timelines, with a model folder. torch is never imported on this path."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ...common.errors import EarsightError
from ...common.inference.recognition import Classification, Timeline, classification
from ...common.inference.runtime import Runtime
from ...common.inference.timeline import BATCH, timeline
from ..frontends.embedding import embedding_blocks
from ..frontends.pictures import PictureSettings
from ..pose.graphs import open_graphs
from ..pose.skeleton import draw_skeleton
from ..pose.tracking import PoseTracker
from ..reading import Moment, VideoInfo, probe, sample
from .plotting import thumbnail_times

THUMBNAIL = 120  # pixels, the height of a timeline's thumbnails


class ActionRecogniser:
    """A video model folder applied to clips. Safe to share between threads.

    Args:
        model: a model folder or an installed model's name.
        threads: CPU threads that work on one clip.
    """

    def __init__(self, model: str | Path, threads: int = 1):
        self.runtime = Runtime(model, threads)
        config = self.runtime.config
        if config.medium != "video" or config.task != "classification":
            command = "transcribe" if config.task == "ctc" else "classify"
            raise EarsightError(f"model {self.runtime.name} is for {config.medium} and `earsight {command}`; "
                                "choose another (see `earsight models`)")
        self.pictures = PictureSettings.from_dict(config.frontend, self.runtime.folder)

    def blocks(self, path: str | Path) -> Iterator[np.ndarray]:
        """A video's embeddings in order, a block (time, feature) at a time."""
        return embedding_blocks(path, self.pictures, self.embed, threads=self.runtime.threads)

    def classify(self, path: str | Path) -> Classification:
        """What is done in a clip as a whole."""
        frames = np.concatenate(list(self.blocks(path)))
        return self.classification(frames, path, self._end(probe(path), len(frames)))

    def classification(self, frames: np.ndarray, path: str | Path, duration: float) -> Classification:
        """Class probabilities of embeddings (time, feature), of a clip of so many seconds."""
        logits, familiarity = self.runtime.judged(frames)
        return classification(logits, self.runtime.labels.symbols, str(path), duration, self.runtime.name, familiarity)

    def timeline(self, path: str | Path, **options: float) -> Timeline:
        """What is done when, from the file's start; embeddings are computed once, and not kept.

        Options: `common.inference.timeline`'s.
        """
        count, info = 0, probe(path)

        def counted() -> Iterator[np.ndarray]:
            nonlocal count
            for block in self.blocks(path):
                count += len(block)
                yield block

        return timeline(self.runtime.batch_judged, counted(), self.runtime.labels.symbols,
                        self.runtime.config.frame_shift, start=info.start, duration=lambda: self._end(info, count),
                        batch=BATCH, path=str(path), model=self.runtime.name, **options)

    def embed(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures (time, height, width, 3) -> embeddings, one by one: a batch would not fit the caches."""
        return np.concatenate([self.runtime.frames(picture[None]) for picture in pictures])

    def thumbnails(self, result: Timeline) -> list[tuple[float, np.ndarray]]:
        """Small pictures of a timeline's clip for `video.recognition.plotting.plot_timeline`; see `strip`."""
        info = probe(result.path)
        times = thumbnail_times(result.duration, info.width / info.height)
        seconds = max(result.duration - info.start, 1 / len(times))
        return [(moment.time, moment.image) for moment in self.strip(result.path, len(times), info.start, seconds)]

    def strip(self, path: str | Path, count: int, start: float, seconds: float) -> list[Moment]:
        """Small pictures of equal parts of a clip; see `strip`. A model that reads poses has them drawn in.

        The person is looked for in each picture anew, so that it may be another than the one that was followed.
        """
        if not self.pictures.pose:
            return strip(path, count, start, seconds)
        graphs = open_graphs(self.pictures.pose.graphs)

        def with_pose(image: np.ndarray) -> np.ndarray:
            small = shrunk(image)
            return draw_skeleton(small, PoseTracker(graphs)(image), small.shape[0] / image.shape[0])

        return strip(path, count, start, seconds, with_pose)

    def _end(self, info: VideoInfo, frames: int) -> float:
        """Seconds: the container's word where it fits what was seen, whose last moments have no frame after them."""
        seen, told = info.start + frames * self.runtime.config.frame_shift, info.duration
        return told if seen <= told <= seen + self.pictures.lag + 2 * self.runtime.config.frame_shift else seen


def shrunk(image: np.ndarray) -> np.ndarray:
    """A picture (height, width, 3) as a thumbnail."""
    import cv2

    width = max(1, round(image.shape[1] * THUMBNAIL / image.shape[0]))
    return cv2.resize(image, (width, THUMBNAIL), interpolation=cv2.INTER_AREA)


def strip(path: str | Path, count: int, start: float, seconds: float,
          small: Callable[[np.ndarray], np.ndarray] = shrunk) -> list[Moment]:
    """Small pictures of `count` equal parts of a clip, from the middle of each, until the frames end; at least one.

    Args:
        start, seconds: where in the clip the first part begins, and how long all of them are together.
        small: frame -> picture.
    """
    # The last frame of a clip of few may come before the first part's middle: the parts' beginnings are taken too.
    halves = list(sample(path, 2 * count / seconds, fit=small, start=start))
    return halves[1::2] or halves[:1]
