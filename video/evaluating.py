"""`earsight evaluate` for video: a checkpoint or a model folder on a manifest, its frames in several orders."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from lhotse.cut import Cut

from ..common.batch_run import default_jobs, run_parallel
from ..common.data.cuts import video_of
from ..common.data.datamodule import read_frames_cut
from ..common.data.manifest import read_manifest
from ..common.errors import EarsightError
from ..common.inference.runtime import Runtime
from ..common.labels import Labels
from ..common.reports.classification import ClassificationReport
from ..common.reports.evaluation import Outcome, evaluate, order_figures
from ..common.reports.pages.page import write_page
from ..common.reports.transcription import TranscriptionReport
from .corpora.importers import OPENERS
from .exhibits import exhibit
from .frontends.embedding import embedding_blocks
from .frontends.pictures import PictureSettings
from .model import load_model

if TYPE_CHECKING:
    from ..common.data.cuts import Cuts

Frames = Callable[[np.ndarray], np.ndarray]


def evaluate_model(model: str, manifest: str | Path, worst: int = 10, decoding: dict | None = None,
                   page: Path | None = None
                   ) -> tuple[TranscriptionReport | ClassificationReport, list[EarsightError]]:
    """Measure a checkpoint file, a model folder or an installed model on a manifest of videos or their embeddings.

    Args:
        worst: how many of the worst clips the report has.
        decoding: of text, and refused: see `audio.evaluating`.
        page: folder for the report as a web page.

    Returns:
        The report, and an error for each clip that could not be read.
    """
    if decoding:
        raise EarsightError("--decoder, --lm, --lexicon and --hotwords are for models that write text of speech")
    cuts = read_manifest(manifest, OPENERS)
    settings, embed, outputs, labels, n_features = _open(model)
    frames: dict[str, np.ndarray] = {}

    def work(cut: Cut) -> np.ndarray:
        video = video_of(cut)
        if video is None:
            found = read_frames_cut(cut)
        else:
            blocks = embedding_blocks(video["path"], settings, embed, start=cut.start, end=cut.start + cut.duration)
            found = np.concatenate(list(blocks))
        if found.shape[1] != n_features:
            raise EarsightError(f"{cut.id}: {found.shape[1]} features a frame, and the model takes {n_features}")
        frames[cut.id] = found
        return outputs(found)

    outcomes: Iterator[tuple[Cut, Outcome]] = run_parallel(list(cuts), work, default_jobs())
    report, errors = evaluate(cuts, labels, outcomes, worst,
                              lambda: order_figures(_known(cuts, frames), labels, frames, outputs))
    if page:
        write_page(page, report, model, manifest, lambda name: exhibit(cuts[name]), errors)
    return report, errors


def _known(cuts: "Cuts", frames: dict[str, np.ndarray]) -> list[Cut]:
    return [cut for cut in cuts if cut.id in frames]


def _open(model: str) -> tuple[PictureSettings, Frames, Frames, Labels, int]:
    """How a model sees a video, its CNN and its encoder as functions, its labels and the width of its frames."""
    if not Path(model).is_file():
        runtime = Runtime(model)
        settings = PictureSettings.from_dict(runtime.config.frontend, runtime.folder)
        return settings, runtime.frames, runtime.outputs, runtime.labels, runtime.config.n_features
    trained = load_model(model)

    def embed(pictures: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return trained.frontend(torch.from_numpy(pictures)[None])[0].numpy()

    def outputs(frames: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return trained(torch.from_numpy(frames)[None], torch.tensor([len(frames)]))[0][0].numpy()

    return trained.pictures, embed, outputs, trained.labels, trained.normaliser.n_input
