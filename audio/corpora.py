"""Speech corpora, each laid out as its makers publish it, turned into manifests: train, dev and test.

Sound that soundfile reads stays where it is; other sound and feature files are converted into the destination.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import common.corpora
from audio.corpus_an4 import prepare_an4
from audio.corpus_files import OPENERS
from audio.corpus_fsdd import prepare_fsdd
from audio.corpus_grid import prepare_grid
from audio.corpus_lhotse import prepare_librispeech, recipes
from common.corpus_own import own_corpora
from common.corpus_parts import Importer

__all__ = ["CORPORA", "OPENERS", "prepare", "recipes"]

CORPORA: dict[str, Importer] = {
    "an4": prepare_an4,
    "grid": prepare_grid,
    "fsdd": prepare_fsdd,
    "librispeech": prepare_librispeech,
}


def prepare(corpus: str, source: str | Path, destination: str | Path, **options: Any) -> dict[str, Path]:
    """Prepare a corpus of CORPORA, `lhotse:NAME` for any of lhotse's recipes, or sound in a `csv` or `folder`.

    See `common.corpora.prepare`.
    """
    importers = {**CORPORA, **own_corpora(OPENERS)}
    return common.corpora.prepare(importers, corpus, source, destination, recipes=recipes, **options)
