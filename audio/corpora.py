"""Speech corpora, each laid out as its makers publish it, turned into manifests: train, dev and test.

`prepare("an4", source, destination)` writes destination/{train,dev,test}.jsonl.gz and returns their paths.
Sound that soundfile reads stays where it is; other sound and feature files are converted into it.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from audio.corpus_an4 import prepare_an4
from audio.corpus_files import OPENERS
from audio.corpus_fsdd import prepare_fsdd
from audio.corpus_grid import prepare_grid
from audio.corpus_lhotse import known_recipes, prepare_librispeech, prepare_recipe
from audio.corpus_own import folder_clips, prepare_own, table_clips
from audio.corpus_parts import CASES, SPLITS, Parts
from common.errors import EarsightError, require
from common.manifest import write_manifest

__all__ = ["CORPORA", "OPENERS", "prepare"]

CORPORA: dict[str, Callable[..., Parts]] = {
    "an4": prepare_an4,
    "grid": prepare_grid,
    "fsdd": prepare_fsdd,
    "librispeech": prepare_librispeech,
    "csv": partial(prepare_own, table_clips),
    "folder": partial(prepare_own, folder_clips),
}


def prepare(
    corpus: str, source: str | Path, destination: str | Path, *, progress: bool = True, **options: Any
) -> dict[str, Path]:
    """Write destination/{train,dev,test}.jsonl.gz, those that the corpus has; return their paths by split.

    `corpus` is a name in CORPORA, or `lhotse:NAME` for any of lhotse's recipes; `options` are the keyword
    arguments of that corpus's importer (a recipe's own, and `case`), as values or as strings. Broken
    clips are left out of the manifests, and named in the EarsightError that is raised once these are written.
    """
    require("lhotse", "train")
    source, destination = Path(source), Path(destination)
    importer, known = _importer(corpus)
    options = {name: _option(corpus, name, value, known) for name, value in options.items()}
    if not source.exists():
        raise EarsightError(f"{source}: not there; give the place where {corpus} lies")
    parts = importer(source, destination, progress=progress, **options)
    if not any(parts.cuts.values()):
        found = f" ({_summary(parts.failures)})" if parts.failures else ""
        raise EarsightError(f"{source}: no usable clip of {corpus} found{found}; check the folder's layout")
    paths = _write(parts, destination)
    if parts.failures:
        total = len(parts.failures) + sum(map(len, parts.cuts.values()))
        raise EarsightError(
            f"{source}: {len(parts.failures)} of {total} clips left out ({_summary(parts.failures)}); "
            f"the manifests in {destination} hold the others"
        )
    return paths


def _write(parts: Parts, destination: Path) -> dict[str, Path]:
    names = [*SPLITS, *(name for name in parts.cuts if name not in SPLITS)]
    paths = {}
    for split in names:
        path = destination / f"{split}.jsonl.gz"
        if parts.cuts.get(split):
            paths[split] = write_manifest(parts.cuts[split], path)
        else:
            # A manifest of an earlier run, split another way, would leak into this one.
            path.unlink(missing_ok=True)
    return paths


def _importer(corpus: str) -> tuple[Callable[..., Parts], dict[str, inspect.Parameter]]:
    """The function that imports `corpus`, and the options it takes."""
    if corpus in CORPORA:
        parameters = inspect.signature(CORPORA[corpus]).parameters
        known = {name: each for name, each in parameters.items() if each.kind is each.KEYWORD_ONLY}
        return CORPORA[corpus], {name: each for name, each in known.items() if name != "progress"}
    recipes = known_recipes()
    name = corpus.removeprefix("lhotse:")
    if corpus.startswith("lhotse:") and name in recipes:
        parameters = dict(inspect.signature(recipes[name]).parameters)
        # The first one is the corpus's folder, output_dir is ours to choose.
        known = {key: each for key, each in list(parameters.items())[1:] if key != "output_dir"}
        case = inspect.Parameter("case", inspect.Parameter.KEYWORD_ONLY, default="lower")
        return partial(prepare_recipe, recipes[name]), {**known, "case": case}
    near = difflib.get_close_matches(name.lower(), [*CORPORA, *recipes], n=3, cutoff=0.6)
    named = [each if each in CORPORA else f"lhotse:{each}" for each in near]
    hint = f"did you mean {' or '.join(named)}?" if named else f"known: {', '.join(CORPORA)}, lhotse:NAME"
    raise EarsightError(f"unknown corpus {corpus!r}; {hint}")


def _option(corpus: str, name: str, value: Any, known: dict[str, inspect.Parameter]) -> Any:
    """Check an option's name, and turn a string from the command line into its default's type."""
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none'}"
        raise EarsightError(f"{corpus} has no option {name!r}; {hint}")
    if name == "case" and value not in CASES:
        raise EarsightError(f"option case is {value!r}; it is one of {', '.join(CASES)}")
    default = known[name].default
    if isinstance(value, str) and isinstance(default, bool):
        if value.lower() not in ("true", "false"):
            raise EarsightError(f"option {name} is {value!r}; it is true or false")
        return value.lower() == "true"
    if isinstance(value, str) and isinstance(default, (int, float)):
        try:
            return type(default)(value)
        except ValueError as error:
            raise EarsightError(f"option {name} is {value!r}; it is a number like {default}") from error
    return value


def _summary(failures: list[tuple[str, str]], shown: int = 3) -> str:
    named = "; ".join(f"{name}: {reason}" for name, reason in failures[:shown])
    more = len(failures) - shown
    return f"{named}; and {more} more" if more > 0 else named
