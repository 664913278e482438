"""`earsight evaluate` for series: a checkpoint or a model folder on a manifest or a table."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from lhotse import CutSet
from lhotse.cut import Cut

from ..common.batch_run import default_jobs
from ..common.data.cuts import custom_of
from ..common.data.manifest import read_manifest
from ..common.errors import EarsightError
from ..common.inference.runtime import Runtime
from ..common.labels import Labels
from ..common.reports.classification import ClassificationReport
from ..common.reports.evaluation import Outcome, evaluate, run_checkpoint, run_folder
from ..common.reports.pages.exhibits import Exhibit, frames_exhibit
from ..common.reports.pages.page import write_page
from ..common.reports.transcription import TranscriptionReport
from .data import OPENERS, read_series_cut
from .matching import matched
from .model import load_model
from .reading.series import filled


def evaluate_model(model: str, manifest: str | Path, worst: int = 10, decoding: dict | None = None,
                   page: Path | None = None
                   ) -> tuple[TranscriptionReport | ClassificationReport, list[EarsightError]]:
    """Measure a checkpoint file, a model folder or an installed model on series.

    Args:
        manifest: a manifest of frames, or a table of series.
        worst: how many of the worst series the report has.
        decoding: of text, and refused: see `audio.evaluating`.
        page: folder for the report as a web page.

    Returns:
        The report, and an error for each series that could not be read.
    """
    if decoding:
        raise EarsightError("--decoder, --lm, --lexicon and --hotwords are for models that write text of speech")
    cuts = read_manifest(manifest, OPENERS)
    labels, shift, outcomes = _run(model, cuts)
    report, errors = evaluate(cuts, labels, outcomes, worst)
    if page:
        write_page(page, report, model, manifest, lambda name: _exhibit(cuts[name], shift), errors)
    return report, errors


def _run(model: str, cuts: CutSet) -> tuple[Labels, float, Iterator[tuple[Cut, Outcome]]]:
    if Path(model).is_file():
        trained = load_model(model)
        layout = trained.settings["layout"]
        read = partial(fitting, layout=layout, model=str(model))
        return trained.labels, layout["frame_shift"], run_checkpoint(trained, cuts, read)
    runtime = Runtime(model)
    read = partial(fitting, layout=runtime.config.frontend, model=runtime.name)
    return runtime.labels, runtime.config.frame_shift, run_folder(runtime, cuts, read, default_jobs())


def fitting(cut: Cut, layout: dict, model: str) -> np.ndarray:
    """A cut's frames (time, channel), the channels as the model takes them.

    Raises:
        EarsightError: it lacks some of them.
    """
    frames, about = read_series_cut(cut, layout["frame_shift"]), custom_of(cut).get("series")
    channels = about["channels"] if about and about["named"] else None
    return matched(frames, channels, layout, cut.id, f"model {model}")


def _exhibit(cut: Cut, frame_shift: float) -> Exhibit:
    return frames_exhibit(filled(read_series_cut(cut, frame_shift)), cut.duration)
