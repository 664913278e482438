"""`earsight evaluate`: a checkpoint or a model folder over a manifest, to one report."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lhotse import CutSet
from lhotse.cut import Cut
from tqdm import tqdm

from ..batch_run import Result, run_parallel
from ..data.cuts import group_of, label_of, speaker_of, text_of
from ..data.datamodule import make_batch
from ..data.manifest import read_manifest
from ..data.openers import Openers
from ..decoding.options import DecodingOptions
from ..errors import EarsightError
from ..files import write_whole
from ..inference.confidence import confidences
from ..inference.recognition import Transcript
from ..inference.runtime import Runtime
from ..inference.transcribing import Transcriber
from ..inference.unknown import Familiarity
from ..inference.word_times import Timing
from ..labels import Labels, form_of
from ..model_folder import find_model, read_config
from ..nn.module import SequenceModel
from .classification import ClassificationReport, ClassificationResult, classification_report
from .frame_order import OrderFigures
from .transcription import Confidence, TranscriptionReport, TranscriptResult, transcription_report

Read = Callable[[Cut], np.ndarray]  # a clip's waveform (samples,) or frames (time, feature)


@dataclass(frozen=True)
class JudgedTranscript:
    """A transcript, and the confidence in its words and in all of it that it had without a calibration."""

    transcript: Transcript
    raw: Confidence


# Log-probabilities (time, label) or logits (label,), what was read from them, or why there is nothing. Logits of a
# model folder come with what `Runtime.judged` says of the clip besides.
Outcome = np.ndarray | tuple[np.ndarray, Familiarity | None] | JudgedTranscript | EarsightError

BATCH_DURATION = 60.0  # seconds
SHUFFLES = 5


def evaluate(cuts: CutSet, labels: Labels, outcomes: Iterable[tuple[Cut, Outcome]], worst: int = 10,
             order: Callable[[], OrderFigures] | None = None, decoding: DecodingOptions | None = None,
             others: Iterable[tuple[Cut, Outcome]] = ()
             ) -> tuple[TranscriptionReport | ClassificationReport, list[EarsightError]]:
    """Compare what a model put out with what the manifest says.

    Texts are compared in the form in which the model writes (`common.labels.form_of`): where it has no capitals, or no
    commas, these are no errors.

    Args:
        order: called after the last outcome; what the order of a clip's frames is worth, for a classifier's report.
        decoding: of log-probabilities; greedy by default.
        others: clips of none of a calibrated classifier's classes, for `OtherFigures`.

    Returns:
        The report over the clips that could be read and compared, and an error for each of the others.
    """
    classified: list[ClassificationResult] = []
    read: list[TranscriptResult] = []
    errors: list[EarsightError] = []
    form = form_of(labels)
    transcriber = None if labels.kind == "classes" else Transcriber(labels, Timing(shift=1.0), options=decoding)
    for cut, outcome in tqdm(outcomes, total=len(cuts), unit="clip", disable=None):
        if isinstance(outcome, EarsightError):
            errors.append(outcome)
        elif transcriber is not None:
            if (said := text_of(cut)) is None:
                errors.append(EarsightError(f"{cut.id}: has no text to compare the model's with; give it one, an empty "
                                            "one where nothing is said, or leave it out"))
                continue
            timed = isinstance(outcome, JudgedTranscript)  # a checkpoint's outputs alone do not tell the times
            judged = outcome if isinstance(outcome, JudgedTranscript) else judge(transcriber, outcome, np.zeros((0, 0)))
            transcript = judged.transcript
            heard = transcript.words if timed else ()
            calibrated = Confidence(tuple(word.confidence for word in transcript.words), transcript.confidence)
            read.append(TranscriptResult(cut.id, speaker_of(cut), form(said), transcript.text, cut.duration,
                                         judged.raw, calibrated, heard))
        elif isinstance(outcome, tuple | np.ndarray):
            if (label := label_of(cut)) is None:
                errors.append(EarsightError(f"{cut.id}: has no label to compare the model's with; give it one, or "
                                            "leave it out"))
                continue
            classified.append(_classified(cut, label, outcome))
    if not classified and not read:
        raise errors[0] if errors else EarsightError("the manifest is empty; nothing can be evaluated")
    if transcriber is None:
        figures = order() if order else None
        foreign = []
        for cut, outcome in others:
            if isinstance(outcome, EarsightError):
                errors.append(outcome)
            elif isinstance(outcome, tuple):
                foreign.append(_classified(cut, label_of(cut) or "", outcome))
        return classification_report(classified, labels.symbols, worst, figures, foreign), errors
    return transcription_report(read, worst), errors


def _classified(cut: Cut, label: str, outcome: np.ndarray | tuple[np.ndarray, Familiarity | None]
                ) -> ClassificationResult:
    logits, familiarity = outcome if isinstance(outcome, tuple) else (outcome, None)
    probabilities = np.exp(logits - logits.max(), dtype=np.float64)
    return ClassificationResult(cut.id, speaker_of(cut) or group_of(cut), label, probabilities / probabilities.sum(),
                                familiarity)


def other_clips(model: str, manifests: Sequence[str | Path], openers: Openers) -> CutSet:
    """The clips of manifests that are none of a classifier's classes.

    Raises:
        EarsightError: the model tells nothing of such clips.
    """
    calibrated = not Path(model).is_file() and read_config(find_model(model)).unknown
    if manifests and not calibrated:
        raise EarsightError(f"model {model} does not tell what is none of its classes; export it where it is a "
                            "checkpoint, and see `earsight calibrate`")
    return CutSet.from_cuts(cut for manifest in manifests for cut in read_manifest(manifest, openers))


def tell(report: TranscriptionReport | ClassificationReport, json: Path | None, plot: Path | None) -> None:
    """Print a report; write its figures to `json`, and the confusion matrix to `plot`, where they are given."""
    if json:
        write_whole(json, report.json())
    if plot:
        if isinstance(report, TranscriptionReport):
            raise EarsightError("--plot draws a confusion matrix, and this model writes text; leave --plot out")
        report.plot(plot)
    print(report.text())


def order_figures(cuts: Iterable[Cut], labels: Labels, frames: Mapping[str, np.ndarray],
                  outputs: Callable[[np.ndarray], np.ndarray]) -> OrderFigures:
    """Accuracy of a classifier with the frames of every clip as they are, shuffled (several times), and reversed.

    Args:
        frames: (time, feature) by the clip's id; whatever motion they hold was computed from the true order.
        outputs: frames -> logits.
    """
    cuts = list(cuts)

    def accuracy(reordered: Callable[[np.ndarray], np.ndarray]) -> float:
        right = [labels.symbols[outputs(reordered(frames[cut.id])).argmax()] == label_of(cut) for cut in cuts]
        return sum(right) / len(right)

    rng = np.random.default_rng(0)
    shuffled = tuple(accuracy(rng.permutation) for _ in range(SHUFFLES))
    return OrderFigures(accuracy(lambda x: x), shuffled, accuracy(lambda x: np.ascontiguousarray(x[::-1])))


def run_checkpoint(model: SequenceModel, cuts: CutSet, read: Read) -> Iterator[tuple[Cut, Outcome]]:
    """Outputs of a trained model in torch, in batches of clips of similar duration."""
    for group in _groups(cuts):
        clips = []
        for cut in group:
            try:
                clips.append((cut, read(cut)))
            except EarsightError as error:
                yield cut, error
        if not clips:
            continue
        by_id = {cut.id: cut for cut, _ in clips}
        batch = make_batch(clips)
        with torch.inference_mode():
            outputs, lengths = model.predict_step(batch)
        for name, output, length in zip(batch.ids, outputs.float().numpy(), lengths.tolist()):
            yield by_id[name], output[:length] if output.ndim == 2 else output


def run_folder(runtime: Runtime, cuts: CutSet, read: Read, jobs: int, finish: Callable[[np.ndarray], Result]
               ) -> Iterator[tuple[Cut, Result | EarsightError]]:
    """What a model folder makes of clips in ONNX Runtime, one by one, as `earsight transcribe` and `classify` run it.

    Args:
        finish: what becomes of a clip's frames (time, feature).
    """

    def work(cut: Cut) -> Result:
        clip = read(cut)
        frames = runtime.frames(clip) if clip.ndim == 1 else clip
        runtime.check_frames(frames, cut.id)
        return finish(frames)

    yield from run_parallel(list(cuts), work, jobs)


def judge(transcriber: Transcriber, log_probs: np.ndarray, frames: np.ndarray) -> JudgedTranscript:
    """Read log-probabilities (time, label) of frames (time * stride, feature)."""
    readings = transcriber.decoder(log_probs)
    transcript = transcriber.transcript(readings, log_probs, frames, len(log_probs) * transcriber.timing.shift)
    of_words, of_all = confidences(readings, log_probs, frames, None)
    return JudgedTranscript(transcript, Confidence(tuple(of_words), of_all))


def _groups(cuts: CutSet) -> Iterator[list[Cut]]:
    group: list[Cut] = []
    for cut in sorted(cuts, key=lambda cut: cut.duration):
        if group and cut.duration * (len(group) + 1) > BATCH_DURATION:
            yield group
            group = []
        group.append(cut)
    if group:
        yield group
