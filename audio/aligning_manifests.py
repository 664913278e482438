"""The clips of a manifest, aligned with their own texts."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..common.data.cuts import text_of
from ..common.data.manifest import read_manifest
from ..common.data.tables_and_folders import TABLE_SUFFIXES
from ..common.errors import EarsightError
from .corpora.importers import OPENERS
from .data import read_clip
from .recognition.aligning import Aligner, Alignment

MANIFEST_SUFFIXES = (".jsonl", ".jsonl.gz", *TABLE_SUFFIXES)


def manifest_clips(aligner: Aligner, manifest: Path) -> dict[Path, Callable[[], Alignment]]:
    """By each clip's id in a manifest, what aligns it with its own text."""
    if not manifest.name.lower().endswith(MANIFEST_SUFFIXES):
        raise EarsightError(f"{manifest}: give its text too, or a file of it (.txt); without a text, give a manifest")
    def align(cut) -> Alignment:
        clip = read_clip(cut, aligner.runtime.config.sample_rate)
        frames = aligner.recogniser.frames_of_samples(clip, aligner.recogniser.sample_rate) if clip.ndim == 1 else clip
        aligner.runtime.check_frames(frames, cut.id)
        if (text := text_of(cut)) is None:
            raise EarsightError(f"{cut.id}: the manifest gives it no text to align; give it one, or leave it out")
        return aligner.align_frames(frames, text, cut.id)

    return {Path(cut.id): partial(align, cut) for cut in read_manifest(manifest, OPENERS)}
