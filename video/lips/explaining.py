"""`earsight explain` for lips: the mouth, frames, posteriors, words, gates."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...common.explain.encoder_graph import run_encoder
from ...common.explain.explaining import Choice, check_duration, inside_panels, inside_title, output_panel
from ...common.explain.figure import AXIS, Panel, figure, frames_panel, pictures_panel, words_panel
from ...common.reports import layout
from .reader import FilmReader, LipReader

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STRIP = 0.85  # inches, how high its pictures are


def explain(path: str | Path, model: str | Path, choice: Choice = Choice()) -> "Figure":
    """What a model that reads lips does with a film, as a figure.

    Raises:
        EarsightError: the film or the model cannot be read, the film is too long, or there is no such layer or unit.
    """
    reader, path = LipReader(model), Path(path)
    runtime, rate = reader.runtime, reader.mouth.rate
    rows, seconds = shown_rows(reader, path)
    frames = reader.frames(rows)
    run = run_encoder(runtime.folder, frames)
    words = reader.transcript(rows).words
    panels = [mouths_panel(rows.reshape(-1, reader.mouth.side, reader.mouth.side), seconds),
              frames_panel("frames", frames, 1 / rate, f"{frames.shape[1]} features"),
              output_panel(runtime, frames, run), words_panel(words), *inside_panels(runtime, run, choice)]
    said = f"{layout.number(len(words), 'word')} · {runtime.name}, {inside_title(runtime, run, choice)}"
    return figure(path.name, said, seconds, panels, words)


def shown_rows(reader: FilmReader, path: Path) -> tuple[np.ndarray, float]:
    """A film's rows (time, width), and its seconds. Raises EarsightError where it is too long to be drawn."""
    blocks, seconds = [], 0.0
    for block in reader.rows(path):
        blocks.append(block)
        check_duration(path, seconds := seconds + len(block) / reader.mouth.rate)
    return np.concatenate(blocks), seconds


def mouths_panel(pictures: np.ndarray, seconds: float) -> Panel:
    """Some of a film's mouths (time, side, side) uint8, at their times."""
    count = max(1, int(AXIS / (STRIP + 0.06)))
    places = ((np.arange(count) + 0.5) * len(pictures) / count).astype(int)
    return pictures_panel([np.repeat(pictures[place, :, :, None], 3, axis=-1) for place in places], seconds)
