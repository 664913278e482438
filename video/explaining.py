"""`earsight explain` for video: pictures, embeddings, class probabilities, gates."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..common.explain.encoder_graph import run_encoder
from ..common.explain.explaining import Choice, check_duration, inside_panels, inside_title, output_panel
from ..common.explain.figure import AXIS, figure, frames_panel, pictures_panel
from ..common.inference.recognition import classification
from .frontends.pictures import CNN_STREAMS
from .reading import probe
from .recognition.recogniser import ActionRecogniser

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STRIP = 0.85  # inches, how high its pictures are
NAMES = {"picture": "embeddings", "motion": "embeddings", "flow": "flow", "pose": "pose"}
ABOUT = {"picture": "of pictures", "motion": "of their motion", "flow": "histograms", "pose": "of the largest person"}


def explain(path: str | Path, model: str | Path, choice: Choice = Choice()) -> "Figure":
    """What a video model does with a clip, as a figure.

    Raises:
        EarsightError: the clip or the model cannot be read, the clip is too long, or there is no such layer or unit.
    """
    recogniser = ActionRecogniser(model)
    runtime, path = recogniser.runtime, Path(path)
    probed = probe(path)
    check_duration(path, probed.duration - probed.start)
    frames = np.concatenate(list(recogniser.blocks(path)))
    shift = runtime.config.frame_shift
    duration = len(frames) * shift
    check_duration(path, duration)
    run = run_encoder(runtime.folder, frames)
    count = max(1, int(AXIS / (STRIP * probed.width / probed.height + 0.06)))
    shown = recogniser.strip(path, count, probed.start, duration)[:count]
    panels = [pictures_panel([moment.image for moment in shown], duration)]
    streams = recogniser.pictures.streams
    of_cnn = frames.shape[1] - sum(recogniser.pictures.widths(0))
    widths = recogniser.pictures.widths(of_cnn // max(1, len(streams.keys() & set(CNN_STREAMS))))
    for name, part in zip(streams, np.split(frames, np.cumsum(widths)[:-1], axis=1)):
        panels.append(frames_panel(NAMES[name], part, shift, ABOUT[name]))
    panels.append(output_panel(runtime, frames, run))
    panels += inside_panels(runtime, run, choice)
    result = classification(runtime.outputs(frames), runtime.labels.symbols, str(path), duration, runtime.name)
    said = f"{result.label} {result.probabilities[result.label]:.0%}"
    said = f"{said} · {runtime.name}, {inside_title(runtime, run, choice, tuple(streams))}"
    return figure(path.name, said, duration, panels)
