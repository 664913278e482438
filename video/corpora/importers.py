"""Video corpora, each laid out as its makers publish it, turned into manifests of clips where they lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...common.data.corpora import preparing
from ...common.data.corpora.own import own_corpora
from ...common.data.corpora.parts import Importer
from .embeddings import prepare_embeddings
from .files import OPENERS
from .hmdb51 import prepare_hmdb51
from .kinetics import prepare_kinetics
from .mouths import prepare_mouths
from .ucf101 import prepare_ucf101

__all__ = ["CORPORA", "OPENERS", "prepare"]

CORPORA: dict[str, Importer] = {
    "ucf101": prepare_ucf101,
    "hmdb51": prepare_hmdb51,
    "kinetics": prepare_kinetics,
    "embeddings": prepare_embeddings,
    "mouths": prepare_mouths,
}


def prepare(corpus: str, source: str | Path, destination: str | Path, **options: Any) -> dict[str, Path]:
    """Prepare a corpus of CORPORA, or videos in a `csv` or `folder`. See `common.data.corpora.preparing.prepare`."""
    return preparing.prepare({**CORPORA, **own_corpora(OPENERS)}, corpus, source, destination, **options)
