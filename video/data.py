"""Video clips as training reads them: stored embeddings, or pictures of frames for a CNN that is trained too."""

from dataclasses import dataclass

import numpy as np
from lhotse.cut import Cut

from ..common.data.cuts import video_of
from ..common.data.datamodule import Clip, SequenceData, read_frames_cut
from ..common.errors import EarsightError
from ..common.nn.frames import stretch_frames
from .corpora.importers import OPENERS
from .frontends.pictures import PictureSettings, View, ViewSettings, draw_view, pictures
from .pose.augmentation import PoseAugmentation, augment_pose, faster
from .pose.features import N_FEATURES


@dataclass(frozen=True)
class SequenceAugmentation:
    """Augmentation of stored embeddings.

    Attributes:
        tempo: largest relative change of speed.
        part: smallest part of a clip that is shown, as a share of it.
        pose: of the features of poses.
    """

    tempo: float = 0.0
    part: float = 1.0
    pose: PoseAugmentation = PoseAugmentation()


class VideoData(SequenceData):
    """Videos or their stored embeddings, for `earsight train`.

    Args:
        views: augmentation of videos: of the pictures that `earsight prepare embeddings` takes, and of those that are
            read in training; none by default.
        augmentation: of stored embeddings.
        options: see `SequenceData`.
    """

    openers = OPENERS
    pictures: PictureSettings | None = None  # the model's, which sets them

    def __init__(self, train: str | list[str], validation: str | list[str], test: str | list[str] | None = None,
                 labels: str = "classes", lexicon: str | None = None, vocabulary: int = 100,
                 auxiliary_labels: str | None = None, batch_duration: float = 120.0, curriculum: int = 0,
                 buckets: int = 10, workers: int = 1, seed: int = 1, views: ViewSettings | None = None,
                 augmentation: SequenceAugmentation = SequenceAugmentation()):
        super().__init__(train, validation, test, labels, lexicon, vocabulary, auxiliary_labels, batch_duration,
                         curriculum, buckets, workers, seed)
        self.views = views
        self.augmentation = augmentation

    def read(self, cut: Cut, rng: np.random.Generator | None) -> Clip:
        if video_of(cut) is not None:
            if self.pictures is None:
                raise EarsightError(f"{cut.id}: is a video, and the model takes stored frames; prepare them "
                                    "(`earsight prepare embeddings`), or train a VideoModel")
            view = draw_view(self.views, rng) if rng is not None and self.views else View()
            return read_pictures(cut, self.pictures, view)
        frames = read_frames_cut(cut)
        if rng is None:
            return frames
        length = max(1, round(len(frames) * rng.uniform(self.augmentation.part, 1)))
        first = int(rng.integers(len(frames) - length + 1))
        speed = 1 + self.augmentation.tempo * rng.uniform(-1, 1)
        changed = stretch_frames(frames[first:first + length], speed)
        if self.pictures and self.pictures.pose:  # the last stream
            pose = faster(changed[:, -N_FEATURES:], speed)
            changed[:, -N_FEATURES:] = augment_pose(pose, self.augmentation.pose, rng)
        return changed


def read_video(cut: Cut, settings: PictureSettings) -> Clip:
    """What a video model takes of a clip as it is: all its pictures, or its stored embeddings."""
    return read_frames_cut(cut) if video_of(cut) is None else read_pictures(cut, settings)


def read_pictures(cut: Cut, settings: PictureSettings, view: View = View()) -> tuple[np.ndarray, ...]:
    """All pictures of a clip: (time / every, height, width, 3) uint8 for each stream."""
    video = video_of(cut)
    if video is None:
        raise EarsightError(f"{cut.id}: is no video and has no stored frames; prepare it as a video")
    moments = list(pictures(video["path"], settings, view, cut.start, cut.start + cut.duration))
    return tuple(np.stack([moment[stream] for moment in moments if stream in moment]) for stream in settings.streams)
