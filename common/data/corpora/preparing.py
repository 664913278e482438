"""Corpora, each laid out as its makers publish it, turned into manifests: train, dev and test.

`prepare(importers, "an4", source, destination)` writes destination/{train,dev,test}.jsonl.gz and returns their paths.
"""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ...errors import EarsightError, require
from ...paths import keep_inputs
from ...texts import FORMS
from ..cuts import EMPTY_CLASS, clip_files, group_of
from ..manifest import write_manifest
from ..splits import demand_classes, demand_whole, source_of
from .parts import SPLITS, Importer, Parts, summary

OF_MANIFESTS = ("embeddings", "mouths")
RECIPE = "lhotse:"  # before the name of one of lhotse's recipes


def prepare(
    importers: Mapping[str, Importer],
    corpus: str,
    source: str | Path,
    destination: str | Path,
    *,
    recipes: Callable[[], Mapping[str, Importer]] = dict,
    progress: bool = True,
    **options: Any,
) -> dict[str, Path]:
    """Write destination/{train,dev,test}.jsonl.gz, those that the corpus has; return their paths by split.

    An importer that writes something else, shards, says in `Parts.written` where it lies.

    `corpus` is a name in `importers`, or in what `recipes` gives, which is asked for a name that is not; `options`
    are the keyword arguments of its importer, as values or as strings. Nothing is written where two splits share a
    group or a video file, or training lacks a class. Broken clips are left out of the manifests, and named in the
    EarsightError that is raised once these are written.
    """
    require("lhotse", "train")
    source, destination = Path(source), Path(destination)
    importer = _importer(corpus, importers, recipes)
    parameters = inspect.signature(importer).parameters.values()
    known = {each.name: each for each in parameters if each.kind is each.KEYWORD_ONLY and each.name != "progress"}
    options = {name: _option(corpus, name, value, known) for name, value in options.items()}
    if lacking := [name for name, each in known.items() if each.default is each.empty and name not in options]:
        raise EarsightError(f"{corpus} needs the option {lacking[0]}; give {lacking[0]}=...")
    if not os.path.exists(source):
        raise EarsightError(f"{source}: not there; give the place where {corpus} lies")
    for split in SPLITS:
        # These are of manifests, which are called as those that are written.
        given = source / f"{split}.jsonl.gz" if source.is_dir() and corpus in OF_MANIFESTS else source
        keep_inputs(destination / f"{split}.jsonl.gz", (given,), "destination")
    parts = importer(source, destination, progress=progress, **options)
    _leave_out_strange_names(parts)
    if not any(parts.cuts.values()):
        if parts.failures:
            raise EarsightError(f"{source}: none of {len(parts.failures)} clips of {corpus} can be used "
                                f"({summary(parts.failures)})")
        raise EarsightError(f"{source}: no usable clip of {corpus} found; check the folder's layout")
    _demand_sound_splits(parts, source)
    paths = parts.written or _write(parts, destination)
    if parts.failures:
        total = len(parts.failures) + sum(map(len, parts.cuts.values()))
        what = "clips and classes" if any(EMPTY_CLASS in reason for _, reason in parts.failures) else "clips"
        raise EarsightError(
            f"{source}: {len(parts.failures)} of {total} {what} left out ({summary(parts.failures)}); "
            f"the manifests in {destination} hold the others"
        )
    return paths


def _leave_out_strange_names(parts: Parts) -> None:
    """Take clips out whose files' names are no text, which a manifest cannot hold."""
    for split, cuts in parts.cuts.items():
        strange = [cut for cut in cuts if any(map(_is_strange, [cut.id, *map(str, clip_files(cut))]))]
        if strange:
            parts.failures.extend((cut.id, f"{cut.id}: a name that is not UTF-8; rename the file") for cut in strange)
            names = {cut.id for cut in strange}
            parts.cuts[split] = type(cuts)(cut for cut in cuts if cut.id not in names)


def _is_strange(name: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in name)


def parse_options(words: Iterable[str]) -> dict[str, str]:
    """The command line's NAME=VALUE words as keyword arguments."""
    options = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise EarsightError(f"{word}: not an option; options are given as NAME=VALUE")
        options[name] = value
    return options


def _importer(
    corpus: str, importers: Mapping[str, Importer], recipes: Callable[[], Mapping[str, Importer]]
) -> Importer:
    if corpus in importers:
        return importers[corpus]
    more = recipes()
    if corpus in more:
        return more[corpus]
    by_bare_name = {name.removeprefix(RECIPE): name for name in (*more, *importers)}
    near = difflib.get_close_matches(corpus.removeprefix(RECIPE).lower(), by_bare_name, n=3, cutoff=0.6)
    known = ", ".join([*importers, *([f"{RECIPE}NAME"] if more else [])])
    hint = f"did you mean {' or '.join(by_bare_name[name] for name in near)}?" if near else f"known: {known}"
    raise EarsightError(f"unknown corpus {corpus!r}; {hint}")


def _option(corpus: str, name: str, value: Any, known: dict[str, inspect.Parameter]) -> Any:
    """Check an option's name, and turn a string from the command line into its default's type."""
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none'}"
        raise EarsightError(f"{corpus} has no option {name!r}; {hint}")
    if name in FORMS and value not in FORMS[name]:
        raise EarsightError(f"option {name} is {value!r}; it is one of {', '.join(FORMS[name])}")
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


def _demand_sound_splits(parts: Parts, source: Path) -> None:
    splits = {split: parts.cuts[split] for split in SPLITS if split in parts.cuts}
    try:
        demand_whole(splits, "group", group_of)
        demand_whole(splits, "video", source_of)
        demand_classes(splits)
    except EarsightError as error:
        raise EarsightError(f"{source}: {error}{summary(parts.failures, '; left out: ')}") from error


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

