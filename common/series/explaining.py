"""`earsight explain` for series: channels, class probabilities, gates."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import EarsightError
from ..explain.encoder_graph import run_encoder
from ..explain.explaining import Choice, inside_panels, inside_title, output_panel
from ..explain.figure import figure, frames_panel
from .reading.series import filled
from .recognition import SeriesRecogniser

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 6000  # times; of more, nothing could be seen


def explain(path: str | Path, model: str | Path, choice: Choice = Choice()) -> "Figure":
    """What a model does with the only series of a table, as a figure.

    Raises:
        EarsightError: the table or the model cannot be read, the series is too long, or there is no such layer or unit.
    """
    recogniser = SeriesRecogniser(model)
    runtime, path = recogniser.runtime, Path(path)
    frames, shift = recogniser.frames(path), runtime.config.frame_shift
    if len(frames) > MOST:
        raise EarsightError(f"{path}: {len(frames)} times, and a picture shows {MOST} at most; cut a part out")
    run = run_encoder(runtime.folder, frames)
    panels = [frames_panel("channels", filled(frames), shift, f"{frames.shape[1]} channels")]
    panels.append(output_panel(runtime, frames, run))
    panels += inside_panels(runtime, run, choice)
    result = recogniser.classify(path)
    said = f"{result.label} {result.probabilities[result.label]:.0%}"
    said = f"{said} · {runtime.name}, {inside_title(runtime, run, choice)}"
    return figure(path.name, said, len(frames) * shift, panels)
