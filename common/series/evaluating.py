"""`earsight evaluate` for series: a checkpoint or a model folder on a manifest or a table."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from lhotse import CutSet
from lhotse.cut import Cut

from ..batch_run import default_jobs
from ..data.manifest import read_manifest
from ..data.openers import Openers
from ..errors import EarsightError
from ..inference.runtime import Runtime
from ..labels import Labels
from ..reports.classification import ClassificationReport
from ..reports.evaluation import Outcome, Read, evaluate, run_checkpoint, run_folder
from ..reports.pages.exhibits import Exhibit, frames_exhibit
from ..reports.pages.page import write_page
from ..reports.transcription import TranscriptionReport
from .corpora import with_tables
from .data import fitting, read_series_cut
from .matching import table_options
from .model import load_model
from .reading.series import filled


def evaluate_model(model: str, manifest: str | Path, worst: int = 10, decoding: dict | None = None,
                   page: Path | None = None, others: Sequence[str | Path] = ()
                   ) -> tuple[TranscriptionReport | ClassificationReport, list[EarsightError]]:
    """Measure a checkpoint file, a model folder or an installed model on series.

    Args:
        manifest: a manifest of frames, or a table of series.
        worst: how many of the worst series the report has.
        decoding: of text, and refused: see `audio.evaluating`.
        page: folder for the report as a web page.
        others: of calibrated classifiers, and refused.

    Returns:
        The report, and an error for each series that could not be read.
    """
    if decoding:
        raise EarsightError("--decoder, --lm, --lexicon and --hotwords are for models that write text of speech")
    if others:
        raise EarsightError(f"model {model} is of series, which are not calibrated; leave --others out")
    labels, layout, run = _open(model)
    owner = f"model {Path(model).name}"
    openers = with_tables(Openers(), partial(table_options, layout=layout, owner=owner, labelled=True))
    cuts = read_manifest(manifest, openers)
    report, errors = evaluate(cuts, labels, run(cuts, partial(fitting, layout=layout, owner=owner)), worst)
    if page:
        write_page(page, report, model, manifest, lambda name: _exhibit(cuts[name], layout["frame_shift"]), errors)
    return report, errors


Run = Callable[[CutSet, Read], Iterator[tuple[Cut, Outcome]]]


def _open(model: str) -> tuple[Labels, dict, Run]:
    """A model's labels and layout, and how it runs."""
    if Path(model).is_file():
        trained = load_model(model)
        return trained.labels, trained.settings["layout"], partial(run_checkpoint, trained)
    runtime = Runtime(model)
    return runtime.labels, runtime.config.frontend, partial(run_folder, runtime, jobs=default_jobs(),
                                                            finish=runtime.judged)


def _exhibit(cut: Cut, frame_shift: float) -> Exhibit:
    return frames_exhibit(filled(read_series_cut(cut, frame_shift)), cut.duration)
