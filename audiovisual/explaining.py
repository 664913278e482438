"""`earsight explain` for sound with lips: what is seen and heard, what either says alone and both together."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..audio.reading import ReadingOptions
from ..common.explain.encoder_graph import run_encoder
from ..common.explain.explaining import Choice, inside_panels, inside_title
from ..common.explain.figure import (
    BLUE,
    ORANGE,
    SOFT,
    Panel,
    figure,
    posteriors_panel,
    waveform_panel,
    words_panel,
)
from ..common.reports import layout
from ..video.lips.explaining import mouths_panel, shown_rows
from .reader import AudioVisualReader
from .rows import apart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STREAMS = ("sound", "lips")
UNSEEN = 0.02  # of probability: where taking away either stream changes less, both count alike


def explain(path: str | Path, model: str | Path, choice: Choice = Choice()) -> "Figure":
    """What a model of sound with lips does with a film, as a figure.

    Raises:
        EarsightError: the film or the model cannot be read, the film is too long, or there is no such layer or unit.
    """
    reader, path = AudioVisualReader(model), Path(path)
    runtime, rate = reader.runtime, reader.mouth.rate
    (rows, seconds), pixels = shown_rows(reader, path), reader.mouth.side**2
    lag = reader.lag(rows)
    heard, seen = apart(rows, pixels)
    frames = reader.frames(rows)
    run = run_encoder(runtime.folder, frames)
    shift, symbols = runtime.config.stride / rate, runtime.labels.symbols
    samples = rows[:, pixels:].reshape(-1)
    panels = [mouths_panel(rows[:, :pixels].astype(np.uint8).reshape(-1, reader.mouth.side, reader.mouth.side),
                           seconds),
              waveform_panel(samples, runtime.config.sample_rate)]
    alone = [runtime.outputs(reader.frames(part)) for part in (heard, seen)]
    for name, outputs in zip(("sound alone", "lips alone"), alone):
        panels.append(replace(posteriors_panel(outputs, symbols, shift), name=name, height=1.1))
    panels.append(replace(posteriors_panel(run.outputs, symbols, shift), name="both"))
    weights = runtime.weights(frames)
    panels.append(_weights_panel(leaning(run.outputs, *alone) if weights is None else weights, shift))
    words = reader.read(rows, str(path), ReadingOptions(quiet=True)).words  # the title tells of a lag
    panels += [words_panel(words), *inside_panels(runtime, run, choice)]
    said = f"{layout.number(len(words), 'word')} · {runtime.name}, {inside_title(runtime, run, choice, STREAMS)}"
    if lag.seconds:
        said = f"sound {abs(lag.seconds):.2f} s {'late' if lag.seconds > 0 else 'early'} · {said}"
    return figure(path.name, said, seconds, panels, words)


def leaning(both: np.ndarray, by_sound: np.ndarray, by_lips: np.ndarray) -> np.ndarray:
    """How far a model without weights leans on sound and on lips at each moment: (time, 2), adding up to 1.

    Log-probabilities (time, label) that it gives for both, and for either where the other is taken away: the less that
    taking a stream away changes what is said, in total variation, the less it counted.
    """
    changes = [np.abs(np.exp(both) - np.exp(left)).sum(axis=1) / 2 + UNSEEN for left in (by_lips, by_sound)]
    return np.stack(changes, axis=1) / np.sum(changes, axis=0)[:, None]


def _weights_panel(weights: np.ndarray, shift: float) -> Panel:
    """How much either stream counts at each moment, (time, 2)."""
    times = (np.arange(len(weights)) + 0.5) * shift

    def draw(axes: "Axes") -> None:
        axes.fill_between(times, weights[:, 0], color=BLUE, alpha=0.6, linewidth=0)
        axes.fill_between(times, weights[:, 0], 1, color=ORANGE, alpha=0.6, linewidth=0)
        axes.set_ylim(0, 1)

    return Panel("weight", 0.7, draw, (("of sound", BLUE), ("of lips", ORANGE), ("at each moment", SOFT)), (0, 1))
