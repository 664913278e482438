"""LibriSpeech, and any other corpus that lhotse has a recipe for."""

from __future__ import annotations

import inspect
import re
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ...common.data.corpora.parts import Importer, Parts, names_in, progress_bar, split_named
from ...common.data.corpora.preparing import RECIPE
from ...common.errors import EarsightError
from ...common.texts import TextForm, in_form
from .files import LHOTSE_READS, in_place

if TYPE_CHECKING:
    from lhotse.cut import Cut

    from ...common.data.cuts import Cuts


def prepare_librispeech(
    source: Path, destination: Path, *, parts: str = "", case: str = "lower", progress: bool = True
) -> Parts:
    """LibriSpeech, or the part of it that is there: source/{train-clean-100,dev-clean,...}/.../*.flac.

    All training parts make up train, and so on; where there are several, each has its own manifest too
    (test-clean.jsonl.gz, test-other.jsonl.gz). Option `parts`: those to take, with commas between; all that
    are there if it is empty. `case`: lower, upper or keep (the corpus's own is upper).
    """
    from lhotse.recipes import prepare_librispeech as recipe

    wanted = names_in(parts)
    for part in wanted:
        if not (source / part).is_dir():
            raise EarsightError(f"{source / part}: no such part of LibriSpeech; download it or leave it out")
    return prepare_recipe(
        recipe, source, destination, case=case, progress=progress, dataset_parts=wanted or "auto"
    )


def prepare_recipe(
    recipe: Callable[..., Any],
    source: Path,
    destination: Path,
    *,
    case: str = "lower",
    progress: bool = True,
    **options: Any,
) -> Parts:
    """Run one of lhotse's recipes, and cut what it gives into one cut a supervision.

    Its parts go to train, dev and test by their names; a part of another name keeps it. The recipe's own
    folders besides the first are options.
    """
    parameters = inspect.signature(recipe).parameters
    first = next(iter(parameters))
    with tempfile.TemporaryDirectory() as scratch:
        if "output_dir" in parameters and parameters["output_dir"].default is inspect.Parameter.empty:
            options["output_dir"] = scratch
        try:
            given = recipe(**{first: source}, **options)
        except EarsightError:
            raise
        except Exception as error:  # recipes assert, and raise what their parsers do
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise EarsightError(
                f"{source}: lhotse's {recipe.__name__} cannot read it ({reason[0]}); check its layout"
            ) from error
        found = [(_part_name(keys), list(_supervised_cuts(leaf))) for keys, leaf in _leaves(given)]
    parts = Parts()
    by_split: dict[str, set[str]] = {}
    for name, _ in found:
        by_split.setdefault(split_named(name), set()).add(name)
    identities: set[str] = set()
    for name, cuts in found:
        split = split_named(name)
        for cut in progress_bar(cuts, name, progress):
            if cut.id in identities:
                cut = cut.with_id(f"{cut.id}-{name}")
            identities.add(cut.id)
            try:
                for said in cut.supervisions:
                    form = TextForm(case=case, language=said.language or "")
                    said.text = in_form(said.text, form, f"{source}: clip {cut.id}") if said.text else said.text
                cut = in_place(cut, destination, LHOTSE_READS)
            except EarsightError as error:
                parts.failures.append((cut.id, str(error)))
                continue
            parts.add(split, cut)
            if len(by_split[split]) > 1:
                parts.add(name, cut)
    return parts


def recipes() -> dict[str, Importer]:
    """lhotse's recipes as importers, `lhotse:NAME`; a recipe's own parameters are the options."""
    from lhotse import recipes as known

    prefix = "prepare_"
    names = [name for name in dir(known) if name.startswith(prefix)]
    return {f"{RECIPE}{name.removeprefix(prefix)}": _recipe_importer(getattr(known, name)) for name in names}


def _recipe_importer(recipe: Callable[..., Any]) -> Importer:
    importer = partial(prepare_recipe, recipe)
    own = list(inspect.signature(importer).parameters.values())
    named = [each for each in own if each.kind is not each.VAR_KEYWORD]
    # The recipe's first parameter is the corpus's folder, output_dir is ours to choose.
    more = [
        each.replace(kind=each.KEYWORD_ONLY)
        for each in list(inspect.signature(recipe).parameters.values())[1:]
        if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
        and each.name not in ("output_dir", *(known.name for known in named))
    ]
    setattr(importer, "__signature__", inspect.Signature([*named, *more]))
    return importer


def _leaves(given: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Find the {recordings, supervisions} or {cuts} in what a recipe returns, however it nests them."""
    from lhotse import CutSet

    if isinstance(given, CutSet):
        given = {"cuts": given}
    elif isinstance(given, tuple) and len(given) == 2:
        given = dict(zip(("recordings", "supervisions"), given, strict=True))
    if not isinstance(given, dict):
        return
    if given.get("cuts") is not None or given.get("supervisions") is not None:
        yield keys, given
        return
    for key, value in given.items():
        yield from _leaves(value, (*keys, str(key)))


def _supervised_cuts(leaf: dict[str, Any]) -> Iterator[Cut]:
    """One cut a supervision, called as the supervision is."""
    from lhotse import CutSet

    cuts = leaf.get("cuts")
    if cuts is None:
        cuts = CutSet.from_manifests(recordings=leaf["recordings"], supervisions=leaf["supervisions"])
    for cut in cast("Cuts", cuts.trim_to_supervisions(keep_overlapping=False)):
        yield cut.with_id(cut.supervisions[0].id)


def _part_name(keys: tuple[str, ...]) -> str:
    return re.sub(r"[^\w.-]+", "-", "-".join(keys)) or "train"
