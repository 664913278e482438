"""`earsight evaluate` for models that read lips: a checkpoint or a model folder on films or stored mouths."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from lhotse.cut import Cut

from ...common.batch_run import default_jobs, run_parallel
from ...common.data.manifest import read_manifest
from ...common.decoding.options import decoding_options
from ...common.errors import EarsightError
from ...common.labels import Labels
from ...common.reports.classification import ClassificationReport
from ...common.reports.evaluation import JudgedTranscript, Outcome, evaluate, judge, run_checkpoint
from ...common.reports.pages.exhibits import Exhibit
from ...common.reports.pages.html import data_uri
from ...common.reports.pages.page import write_page
from ...common.reports.transcription import TranscriptionReport
from ..corpora.importers import OPENERS
from ..mouth.crops import MouthSettings
from ..mouth.sheet import as_png, row
from .data import frames_reader, read_mouths
from .model import load_model
from .reader import LipReader

if TYPE_CHECKING:
    from lhotse import CutSet


def evaluate_model(model: str, manifest: str | Path, worst: int = 10, decoding: dict | None = None,
                   page: Path | None = None, others: Sequence[str | Path] = ()
                   ) -> tuple[TranscriptionReport | ClassificationReport, list[EarsightError]]:
    """Measure a checkpoint file, a model folder or an installed model on a manifest; see `audio.evaluating`."""
    if others:
        raise EarsightError(f"model {model} writes text, and knows no classes; leave --others out")
    cuts = read_manifest(manifest, OPENERS)
    labels, mouth, outcomes = _run(model, cuts, decoding)
    of_checkpoint = decoding_options(Path(), {}, decoding) if decoding and Path(model).is_file() else None
    report, errors = evaluate(cuts, labels, outcomes, worst, decoding=of_checkpoint)
    if page:
        write_page(page, report, model, manifest, lambda name: mouth_exhibit(cuts[name], mouth), errors)
    return report, errors


def _run(model: str, cuts: "CutSet", decoding: dict | None
         ) -> tuple[Labels, MouthSettings, Iterator[tuple[Cut, Outcome]]]:
    if Path(model).is_file():
        trained = load_model(model)
        return trained.labels, trained.mouth, run_checkpoint(
            trained, cuts, partial(read_mouths, settings=trained.mouth))
    reader = LipReader(model, decoding=decoding)
    frames_of = frames_reader(reader.runtime)

    def read(cut: Cut) -> JudgedTranscript:
        frames = frames_of(cut)
        return judge(reader.transcriber, reader.runtime.outputs(frames), frames)

    return reader.runtime.labels, reader.mouth, run_parallel(list(cuts), read, default_jobs())


def mouth_exhibit(cut: Cut, mouth: MouthSettings) -> Exhibit:
    """A strip of a clip's mouths, evenly spaced in time."""
    pictures = read_mouths(cut, mouth).astype(np.uint8).reshape(-1, mouth.side, mouth.side)
    return Exhibit(data_uri(as_png(row(pictures)), "image/png"), "The mouth, evenly spaced in time")
