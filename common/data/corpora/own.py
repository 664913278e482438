"""Clips of one's own, in a table or in a folder per class, and their division into train, dev and test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import EarsightError
from ...texts import TextForm, in_form
from ..cuts import Failures
from ..openers import MEDIA, Openers
from ..splits import divide
from ..tables_and_folders import TABLE_SUFFIXES, read_folder, read_table
from .parts import SPLITS, Importer, Parts, progress_bar, split_named, summary

if TYPE_CHECKING:
    from ..cuts import Cuts


def own_corpora(openers: Openers) -> dict[str, Importer]:
    """The importers of a table (`csv`) and of a folder per class (`folder`), whose clips `openers` look into."""
    return {"csv": partial(prepare_own, table_clips, openers), "folder": partial(prepare_own, folder_clips, openers)}


def table_clips(source: Path, openers: Openers, failures: Failures) -> Cuts:
    """The clips of a CSV or TSV as `common.data.tables_and_folders.read_table` describes it."""
    if source.suffix.lower() not in TABLE_SUFFIXES or not source.is_file():
        raise EarsightError(f"{source}: not a table; give a .csv or .tsv file")
    return read_table(source, openers, failures)


def folder_clips(source: Path, openers: Openers, failures: Failures) -> Cuts:
    """The clips of a folder per class, source/LABEL/*.wav or *.mp4."""
    if not source.is_dir():
        raise EarsightError(f"{source}: not a folder; give one that holds a folder per class")
    return read_folder(source, openers, failures)


def prepare_own(
    read: Callable[[Path, Openers, Failures], Cuts],
    openers: Openers,
    source: Path,
    destination: Path,
    *,
    dev_share: float = 0.1,
    test_share: float = 0.1,
    by: str = "auto",
    seed: int = 0,
    case: str = "lower",
    punctuation: str = "keep",
    numbers: str = "keep",
    language: str = "",
    medium: str = "auto",
    progress: bool = True,
) -> Parts:
    """The clips that `read` (`table_clips` or `folder_clips`) finds in `source`.

    A table's column `split` says what goes where (train, dev, test). Without it whole groups are drawn at
    random until test and dev hold their shares of the time. Options: `dev_share`, `test_share`; `by`: group,
    speaker or clip, never divided between two splits (`auto`: the first of these that every clip has; the parts
    of one video file stay together); `seed` of the draw; `case` of the text: lower, upper or keep; `punctuation`:
    keep or drop; `numbers`: keep, or words for English ones; `language`: its code (tr), kept with the text, which says
    how letters change their case (see `common.texts`); `medium`: what a video file is taken for, its pictures (video),
    its sound (sound), or its pictures where the clip has a label and no text (auto).
    """
    if min(dev_share, test_share) < 0 or dev_share + test_share >= 1:
        shares = f"dev_share {dev_share:g} and test_share {test_share:g}"
        raise EarsightError(f"options {shares}: give each at least 0, and less than 1 in all")
    media = MEDIA if openers.video else MEDIA[:2]
    if medium not in media:
        raise EarsightError(f"option medium is {medium!r}; it is one of {', '.join(media)}")
    form = TextForm(case=case, punctuation=punctuation, numbers=numbers, language=language)
    parts = Parts()
    bar = partial(progress_bar, description=source.name, progress=progress)
    chosen_openers = replace(openers, medium=medium, watch=bar)
    cuts = []
    for cut in read(source, chosen_openers, parts.failures):
        said = cut.supervisions[0]
        if said.text:
            said.text = in_form(said.text, form, f"{source}: clip {cut.id}")
        said.language = language or said.language
        try:
            cuts.append(openers.settle(cut, destination))
        except EarsightError as error:
            parts.failures.append((cut.id, str(error)))
    if not cuts:
        return parts  # `prepare` says why each of them cannot be used
    given = {cut.id: (cut.supervisions[0].custom or {}).get("split") for cut in cuts}
    if any(given.values()):
        chosen = _given_splits(given, source)
    else:
        try:
            chosen = divide(cuts, {"test": test_share, "dev": dev_share}, by=by, seed=seed)
        except EarsightError as error:
            raise EarsightError(f"{source}: {error}{summary(parts.failures, '; left out: ')}") from error
    for cut in cuts:
        parts.add(chosen[cut.id], cut)
    return parts


def _given_splits(given: dict[str, str | None], source: Path) -> dict[str, str]:
    chosen = {}
    for name, split in given.items():
        if not split:
            raise EarsightError(f"{source}: clip {name} has no split; it is one of {', '.join(SPLITS)}")
        chosen[name] = split_named(split)
        if chosen[name] not in SPLITS:
            names = ", ".join(SPLITS)
            raise EarsightError(f"{source}: clip {name} has the split {split!r}; it is one of {names}")
    return chosen
