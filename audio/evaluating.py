"""`earsight evaluate` for speech: which of checkpoint and model folder is meant, and how its clips are read."""

from functools import partial
from pathlib import Path

from audio.corpora import OPENERS
from audio.data import read_clip
from audio.model import SpeechModel, load_model
from common.batch_run import default_jobs
from common.classification_report import ClassificationReport
from common.data import read_frames_cut
from common.errors import EarsightError
from common.evaluation import evaluate, judge, run_checkpoint, run_folder
from common.manifest import read_manifest
from common.runtime import Runtime
from common.transcribing import folder_transcriber
from common.transcription_report import TranscriptionReport


def evaluate_model(model: str, manifest: str | Path, worst: int = 10, decoding: dict | None = None
                   ) -> tuple[TranscriptionReport | ClassificationReport, list[EarsightError]]:
    """Measure a checkpoint file, a model folder or an installed model on a manifest.

    Args:
        decoding: fields of `common.decoding_options.DecodingOptions` that differ from what the folder stores; a
            checkpoint is decoded greedily.

    Returns:
        The report, and an error for each clip that could not be read.
    """
    cuts = read_manifest(manifest, OPENERS)
    if Path(model).is_file():
        if decoding:
            raise EarsightError(f"{model}: a checkpoint is decoded greedily; export it, and evaluate the model folder")
        trained = load_model(model)
        read = partial(read_clip, sample_rate=trained.mfcc_settings.sample_rate) if isinstance(
            trained, SpeechModel) else read_frames_cut
        return evaluate(cuts, trained.labels, run_checkpoint(trained, cuts, read), worst)
    runtime = Runtime(model)
    rate = runtime.config.sample_rate
    read = partial(read_clip, sample_rate=rate) if rate else read_frames_cut
    run = partial(run_folder, runtime, cuts, read, default_jobs())
    if runtime.config.task == "ctc":
        transcriber = folder_transcriber(runtime.folder, runtime.config, decoding)
        return evaluate(cuts, runtime.labels, run(partial(judge, transcriber)), worst)
    if decoding:
        raise EarsightError(f"model {runtime.name} writes no text; leave --decoder, --lm, --lexicon and --hotwords out")
    return evaluate(cuts, runtime.labels, run(), worst)
