"""`earsight evaluate` for speech: which of checkpoint and model folder is meant, and how its clips are read."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from lhotse import CutSet
from lhotse.cut import Cut

from ..common.batch_run import default_jobs, run_parallel
from ..common.data.datamodule import read_frames_cut
from ..common.data.manifest import read_manifest
from ..common.decoding.options import decoding_options
from ..common.errors import EarsightError
from ..common.inference.runtime import Runtime
from ..common.labels import Labels
from ..common.reports.classification import ClassificationReport
from ..common.reports.evaluation import (
    JudgedTranscript,
    Outcome,
    Read,
    evaluate,
    judge,
    other_clips,
    run_checkpoint,
    run_folder,
)
from ..common.reports.noise import CLEAN, NoiseTable, error_rate
from ..common.reports.pages.page import write_page
from ..common.reports.transcription import Confidence, TranscriptionReport
from .corpora.importers import OPENERS
from .data import read_clip
from .exhibits import exhibit
from .model import SpeechModel, load_model
from .noises import NoiseSource
from .recognition.recogniser import SpeechRecogniser


def evaluate_model(model: str, manifest: str | Path, worst: int = 10, decoding: dict | None = None,
                   page: Path | None = None, others: Sequence[str | Path] = ()
                   ) -> tuple[TranscriptionReport | ClassificationReport, list[EarsightError]]:
    """Measure a checkpoint file, a model folder or an installed model on a manifest.

    Args:
        worst: how many of the worst clips the report has.
        decoding: fields of `common.decoding.options.DecodingOptions` that differ from what the folder stores; a
            checkpoint stores none, and is decoded greedily without them.
        page: folder for the report as a web page.
        others: manifests of clips that are none of a calibrated classifier's classes.

    Returns:
        The report, and an error for each clip that could not be read.
    """
    strange = other_clips(model, others, OPENERS)
    cuts = read_manifest(manifest, OPENERS)
    labels, outcomes = _run(model, cuts, decoding)
    of_checkpoint = decoding_options(Path(), {}, decoding) if decoding and Path(model).is_file() else None
    foreign = _run(model, strange, None)[1] if strange else ()
    report, errors = evaluate(cuts, labels, outcomes, worst, decoding=of_checkpoint, others=foreign)
    if page:
        write_page(page, report, model, manifest, lambda name: exhibit(cuts[name]), errors)
    return report, errors


def evaluate_noise(model: str, manifest: str | Path, kind: str, ratios: Sequence[float], decoding: dict | None = None
                   ) -> tuple[NoiseTable, list[EarsightError]]:
    """Measure a model on a manifest of sound with noise at each of several signal-to-noise ratios.

    Args:
        kind: one of `audio.noises.NOISES`; babble is made of the manifest's other clips.
        ratios: dB, infinity for none.
        decoding: see `evaluate_model`.

    Returns:
        The table, and an error for each clip that could not be read, once.

    Raises:
        EarsightError: the model takes stored frames, or the kind is unknown.
    """
    cuts = read_manifest(manifest, OPENERS)
    rate = _sample_rate(model)
    by_id = {cut.id: cut for cut in cuts}
    source = NoiseSource(kind, rate, list(by_id), lambda name: read_clip(by_id[name], rate))
    rates, measure, clips, errors = [], "", 0, {}
    for ratio in ratios:
        def change(clip: np.ndarray, name: str, ratio: float = ratio) -> np.ndarray:
            return clip if ratio == CLEAN else source.disturbed(clip, name, ratio)

        labels, outcomes = _run(model, cuts, decoding, change)
        options = decoding_options(Path(), {}, decoding) if decoding and Path(model).is_file() else None
        report, failed = evaluate(cuts, labels, outcomes, 0, decoding=options)
        (measure, errors_share), clips = error_rate(report), len(cuts) - len(failed)
        rates.append(errors_share)
        errors |= {str(error): error for error in failed}
    return NoiseTable(kind, measure, tuple(ratios), {"sound": tuple(rates)}, clips), list(errors.values())


def _sample_rate(model: str) -> int:
    """Of the sound that a model takes, Hz. Raises EarsightError where it takes none."""
    if Path(model).is_file():
        trained = load_model(model)
        rate = trained.frontend.sample_rate if isinstance(trained, SpeechModel) else 0
    else:
        rate = Runtime(model).config.sample_rate
    if not rate:
        raise EarsightError(f"model {model} takes stored frames, to which no noise can be added; name one that hears")
    return rate


def _run(model: str, cuts: CutSet, decoding: dict | None,
         change: Callable[[np.ndarray, str], np.ndarray] = lambda clip, name: clip
         ) -> tuple[Labels, Iterator[tuple[Cut, Outcome]]]:
    def sound(cut: Cut, rate: int) -> np.ndarray:
        return change(read_clip(cut, rate), cut.id)

    if Path(model).is_file():
        trained = load_model(model)
        if decoding and trained.labels.kind == "classes":
            raise _no_text(model)
        read = partial(sound, rate=trained.frontend.sample_rate) if isinstance(
            trained, SpeechModel) else read_frames_cut
        return trained.labels, run_checkpoint(trained, cuts, read)
    runtime = Runtime(model)
    if runtime.config.task == "ctc":
        rate, reader = runtime.config.sample_rate, Judge(model, decoding)
        read = partial(sound, rate=rate) if rate else read_frames_cut
        return runtime.labels, run_parallel(list(cuts), lambda cut: reader(cut.id, read(cut)), default_jobs())
    if decoding:
        raise _no_text(runtime.name)
    rate = runtime.config.sample_rate
    frames_of = (lambda cut: runtime.frames(sound(cut, rate))) if rate else read_frames_cut
    return runtime.labels, run_folder(runtime, cuts, frames_of, default_jobs(), runtime.judged)


def frames_reader(runtime: Runtime) -> Read:
    """A function that reads a clip of a manifest as the frames (time, feature) that a model folder takes."""
    rate = runtime.config.sample_rate
    return (lambda cut: runtime.frames(read_clip(cut, rate))) if rate else read_frames_cut


def _no_text(model: str) -> EarsightError:
    return EarsightError(f"model {model} writes no text; leave --decoder, --lm, --lexicon and --hotwords out")


class Judge:
    """Reads clips with a model folder as `earsight transcribe` does, long ones cut in their pauses.

    Args:
        decoding: see `evaluate_model`.
    """

    def __init__(self, model: str, decoding: dict | None):
        self._recogniser = partial(SpeechRecogniser, model, "ctc", 1, decoding)
        self._calibrated = self._recogniser()

    @cached_property
    def _raw(self) -> SpeechRecogniser:
        # A language model may be large: it is not loaded a second time unless a clip is long.
        return self._recogniser(calibrated=False)

    def __call__(self, name: str, clip: np.ndarray) -> JudgedTranscript:
        """Read a waveform (samples,) at the model's rate, or frames (time, feature)."""
        runtime, own = self._calibrated.runtime, self._calibrated
        if clip.ndim == 2:
            runtime.check_frames(clip, name)
        seconds = len(clip) * runtime.config.frame_shift if clip.ndim == 2 else len(clip) / own.sample_rate
        if seconds > runtime.config.longest_clip:
            transcript, raw = own.transcript_of(clip, name), self._raw.transcript_of(clip, name)
            return JudgedTranscript(transcript, Confidence(tuple(word.confidence for word in raw.words),
                                                           raw.confidence))
        frames = own.frames_of_samples(clip, own.sample_rate, name) if clip.ndim == 1 else clip
        return judge(own.transcriber, runtime.outputs(frames), frames)
