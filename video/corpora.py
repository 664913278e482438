"""Video corpora, each laid out as its makers publish it, turned into manifests of clips where they lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import common.corpora
from common.corpus_own import own_corpora
from common.corpus_parts import Importer
from video.corpus_embeddings import prepare_embeddings
from video.corpus_files import OPENERS
from video.corpus_hmdb51 import prepare_hmdb51
from video.corpus_kinetics import prepare_kinetics
from video.corpus_ucf101 import prepare_ucf101

__all__ = ["CORPORA", "OPENERS", "prepare"]

CORPORA: dict[str, Importer] = {
    "ucf101": prepare_ucf101,
    "hmdb51": prepare_hmdb51,
    "kinetics": prepare_kinetics,
    "embeddings": prepare_embeddings,
}


def prepare(corpus: str, source: str | Path, destination: str | Path, **options: Any) -> dict[str, Path]:
    """Prepare a corpus of CORPORA, or videos in a `csv` or `folder`. See `common.corpora.prepare`."""
    return common.corpora.prepare({**CORPORA, **own_corpora(OPENERS)}, corpus, source, destination, **options)
