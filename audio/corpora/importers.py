"""Speech corpora, each laid out as its makers publish it, turned into manifests: train, dev and test.

Sound that soundfile reads stays where it is; other sound and feature files are converted into the destination.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...common.data.corpora import preparing
from ...common.data.corpora.own import own_corpora
from ...common.data.corpora.parts import Importer
from .an4 import prepare_an4
from .files import OPENERS
from .fsdd import prepare_fsdd
from .grid import prepare_grid
from .lhotse_recipes import prepare_librispeech, recipes
from .pseudo import prepare_pseudo

__all__ = ["CORPORA", "OPENERS", "prepare", "recipes"]

CORPORA: dict[str, Importer] = {
    "an4": prepare_an4,
    "grid": prepare_grid,
    "fsdd": prepare_fsdd,
    "librispeech": prepare_librispeech,
    "pseudo": prepare_pseudo,
}


def prepare(corpus: str, source: str | Path, destination: str | Path, **options: Any) -> dict[str, Path]:
    """Prepare a corpus of CORPORA, `lhotse:NAME` for any of lhotse's recipes, or sound in a `csv` or `folder`.

    See `common.data.corpora.preparing.prepare`.
    """
    importers = {**CORPORA, **own_corpora(OPENERS)}
    return preparing.prepare(importers, corpus, source, destination, recipes=recipes, **options)
