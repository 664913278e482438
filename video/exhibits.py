"""Videos or stored embeddings as a report shows them."""

import io

import numpy as np
from lhotse.cut import Cut

from ..common.data.cuts import video_of
from ..common.data.datamodule import read_frames_cut
from ..common.reports.pages.exhibits import Exhibit, frames_exhibit
from ..common.reports.pages.html import data_uri
from .reading import sample
from .recognition.recogniser import shrunk

PICTURES = 8
GAP = 4  # pixels between pictures


def exhibit(cut: Cut) -> Exhibit:
    """A strip of pictures, evenly spaced in time, or a picture of the clip's stored frames.

    Raises:
        EarsightError: the clip cannot be read.
    """
    video = video_of(cut)
    if video is None:
        return frames_exhibit(read_frames_cut(cut), cut.duration)
    step = cut.duration / PICTURES
    first = cut.start + step / 2
    moments = sample(video["path"], 1 / step, fit=shrunk, start=first, end=cut.start + cut.duration)
    images = [np.pad(moment.image, ((0, 0), (0, GAP), (0, 0)), constant_values=128) for moment in moments][:PICTURES]
    about = f"A picture every {step:.2f} s, from {first:.2f} s on"
    return Exhibit(_jpeg(np.concatenate(images, axis=1)[:, :-GAP]), about)


def _jpeg(image: np.ndarray) -> str:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(image).save(content, "jpeg", quality=80)
    return data_uri(content.getvalue(), "image/jpeg")
