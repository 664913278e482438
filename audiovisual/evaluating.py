"""`earsight evaluate` for models that read sound with lips, on films or stored mouths."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from lhotse.cut import Cut

from ..audio.noises import NoiseSource
from ..common.batch_run import default_jobs, run_parallel
from ..common.data.manifest import read_manifest
from ..common.decoding.options import decoding_options
from ..common.errors import EarsightError
from ..common.labels import Labels
from ..common.reports.evaluation import JudgedTranscript, Outcome, evaluate, judge, run_checkpoint
from ..common.reports.noise import CLEAN, NoiseTable, error_rate
from ..common.reports.pages.page import write_page
from ..common.reports.transcription import TranscriptionReport
from ..video.corpora.importers import OPENERS
from ..video.lips.evaluating import mouth_exhibit
from ..video.mouth.crops import MouthSettings
from .data import frames_reader, read_rows, read_sound
from .model import load_model
from .reader import AudioVisualReader

if TYPE_CHECKING:
    from lhotse import CutSet

Change = Callable[[np.ndarray, np.ndarray, str], tuple[np.ndarray, np.ndarray]]  # of mouths and sound of a clip


def evaluate_model(model: str, manifest: str | Path, worst: int = 10, decoding: dict | None = None,
                   page: Path | None = None, others: Sequence[str | Path] = ()
                   ) -> tuple[TranscriptionReport, list[EarsightError]]:
    """Measure a checkpoint file, a model folder or an installed model on a manifest; see `audio.evaluating`."""
    if others:
        raise EarsightError(f"model {model} writes text, and knows no classes; leave --others out")
    cuts = read_manifest(manifest, OPENERS)
    report, errors = _report(model, cuts, worst, decoding)
    if page:
        mouth = _mouth(model)[0]
        write_page(page, report, model, manifest, lambda name: mouth_exhibit(cuts[name], mouth), errors)
    return report, errors


def evaluate_noise(model: str, manifest: str | Path, kind: str, ratios: Sequence[float], decoding: dict | None = None
                   ) -> tuple[NoiseTable, list[EarsightError]]:
    """See `audio.evaluating.evaluate_noise`; for sound alone, lips alone, and both."""
    cuts = read_manifest(manifest, OPENERS)
    rate = _mouth(model)[1]
    by_id = {cut.id: cut for cut in cuts}
    source = NoiseSource(kind, rate, list(by_id), lambda name: read_sound(by_id[name], rate))
    errors: dict[str, EarsightError] = {}

    def rate_of(sound: bool, lips: bool, ratio: float) -> float:
        def change(pictures: np.ndarray, samples: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
            if ratio != CLEAN and sound:
                samples = source.disturbed(samples, name, ratio)
            return pictures * lips, samples * np.float32(sound)

        report, failed = _report(model, cuts, 0, decoding, change)
        errors.update({str(error): error for error in failed})
        return error_rate(report)[1]

    lips = rate_of(False, True, CLEAN)
    rates = {"sound": tuple(rate_of(True, False, ratio) for ratio in ratios), "lips": (lips,) * len(ratios),
             "both": tuple(rate_of(True, True, ratio) for ratio in ratios)}
    return NoiseTable(kind, "WER", tuple(ratios), rates, len(cuts) - len(errors)), list(errors.values())


def _report(model: str, cuts: "CutSet", worst: int, decoding: dict | None, change: Change | None = None
            ) -> tuple[TranscriptionReport, list[EarsightError]]:
    labels, outcomes = _run(model, cuts, decoding, change)
    of_checkpoint = decoding_options(Path(), {}, decoding) if decoding and Path(model).is_file() else None
    report, errors = evaluate(cuts, labels, outcomes, worst, decoding=of_checkpoint)
    assert isinstance(report, TranscriptionReport)
    return report, errors


def _run(model: str, cuts: "CutSet", decoding: dict | None, change: Change | None
         ) -> tuple[Labels, Iterator[tuple[Cut, Outcome]]]:
    if Path(model).is_file():
        trained = load_model(model)
        read = partial(read_rows, settings=trained.mouth, sample_rate=trained.sample_rate, change=change)
        return trained.labels, run_checkpoint(trained, cuts, read)
    reader = AudioVisualReader(model, decoding=decoding)
    frames_of = frames_reader(reader.runtime, change)

    def judged(cut: Cut) -> JudgedTranscript:
        frames = frames_of(cut)
        return judge(reader.transcriber, reader.runtime.outputs(frames), frames)

    return reader.runtime.labels, run_parallel(list(cuts), judged, default_jobs())


def _mouth(model: str) -> tuple[MouthSettings, int]:
    """How a model's mouths are cut out of films, and the rate of its sound in Hz."""
    if Path(model).is_file():
        trained = load_model(model)
        return trained.mouth, trained.sample_rate
    reader = AudioVisualReader(model)
    return reader.mouth, reader.runtime.config.sample_rate
