"""Clips of one's own, in a table or in a folder per class, and their division into train, dev and test."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audio.corpus_files import OPENERS, in_place
from audio.corpus_parts import SPLITS, Parts, cased, progress_bar, split_named
from common.cuts import Failures, group_of, speaker_of
from common.errors import EarsightError
from common.tables_and_folders import TABLE_SUFFIXES, Openers, read_folder, read_table

if TYPE_CHECKING:
    from lhotse import CutSet


def table_clips(source: Path, openers: Openers, failures: Failures) -> CutSet:
    """The clips of a CSV or TSV as `common.tables_and_folders.read_table` describes it."""
    if source.suffix.lower() not in TABLE_SUFFIXES or not source.is_file():
        raise EarsightError(f"{source}: not a table; give a .csv or .tsv file")
    return read_table(source, openers, failures)


def folder_clips(source: Path, openers: Openers, failures: Failures) -> CutSet:
    """The clips of a folder per class, source/LABEL/*.wav."""
    if not source.is_dir():
        raise EarsightError(f"{source}: not a folder; give one that holds a folder per class")
    return read_folder(source, openers, failures)


def prepare_own(
    read: Callable[[Path, Openers, Failures], CutSet],
    source: Path,
    destination: Path,
    *,
    dev_share: float = 0.1,
    test_share: float = 0.1,
    by: str = "auto",
    seed: int = 0,
    case: str = "lower",
    progress: bool = True,
) -> Parts:
    """The clips that `read` (`table_clips` or `folder_clips`) finds in `source`.

    A table's column `split` says what goes where (train, dev, test). Without it whole groups are drawn at
    random until test and dev hold their shares of the time. Options: `dev_share`, `test_share`; `by`: group,
    speaker or clip, never divided between two splits (`auto`: the first of these that every clip has); `seed`
    of the draw; `case` of the text: lower, upper or keep.
    """
    if min(dev_share, test_share) < 0 or dev_share + test_share >= 1:
        shares = f"dev_share {dev_share:g} and test_share {test_share:g}"
        raise EarsightError(f"options {shares}: give each at least 0, and less than 1 in all")
    parts = Parts()
    openers = replace(OPENERS, watch=lambda clips: progress_bar(clips, source.name, progress))
    cuts = []
    for cut in read(source, openers, parts.failures):
        said = cut.supervisions[0]
        said.text = cased(said.text, case) if said.text else said.text
        try:
            cuts.append(in_place(cut, destination))
        except EarsightError as error:
            parts.failures.append((cut.id, str(error)))
    given = {cut.id: (cut.supervisions[0].custom or {}).get("split") for cut in cuts}
    if any(given.values()):
        chosen = _given_splits(given, source)
        _demand_whole_groups(cuts, chosen, source)
    else:
        chosen = divide(cuts, {"test": test_share, "dev": dev_share}, by=by, seed=seed)
    for cut in cuts:
        parts.add(chosen[cut.id], cut)
    return parts


def divide(cuts: list[Any], shares: dict[str, float], *, by: str = "auto", seed: int = 0) -> dict[str, str]:
    """Give each cut's id its split: whole groups at random, until each split holds its share of the time.

    What `shares` does not ask for is train. Raises EarsightError where there are fewer groups than splits.
    """
    units = _units(cuts, by)
    seconds: dict[str, float] = {}
    for cut in cuts:
        seconds[units[cut.id]] = seconds.get(units[cut.id], 0.0) + cut.duration
    wanted = {split: share for split, share in shares.items() if share > 0}
    if len(seconds) < len(wanted) + 1:
        raise EarsightError(
            f"{len(seconds)} {by if by != 'auto' else 'group or speaker'}s cannot be divided into "
            f"{len(wanted) + 1} splits; name the splits in the table's column split, or divide by=clip"
        )
    order = sorted(seconds)
    random.Random(seed).shuffle(order)
    total, split_of = sum(seconds.values()), {}
    for split, share in wanted.items():
        held = 0.0
        # At least one group each, and one left for train and for every split still to come.
        to_come = len(wanted) - len(set(split_of.values()))
        while len(order) > to_come and (held == 0 or held + seconds[order[-1]] / 2 <= share * total):
            unit = order.pop()
            held += seconds[unit]
            split_of[unit] = split
    return {name: split_of.get(unit, "train") for name, unit in units.items()}


def _units(cuts: list[Any], by: str) -> dict[str, str]:
    """What each cut must stay together with, by the cut's id."""
    ways = {"group": group_of, "speaker": speaker_of, "clip": lambda cut: cut.id}
    if by == "auto":
        by = next(name for name, way in ways.items() if all(way(cut) is not None for cut in cuts))
    if by not in ways:
        raise EarsightError(f"option by is {by!r}; it is auto, {', '.join(ways)}")
    without = next((cut.id for cut in cuts if ways[by](cut) is None), None)
    if without is not None:
        raise EarsightError(f"clip {without} has no {by} to divide by; fill that column or choose another")
    return {cut.id: str(ways[by](cut)) for cut in cuts}


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


def _demand_whole_groups(cuts: list[Any], chosen: dict[str, str], source: Path) -> None:
    first: dict[str, Any] = {}
    for cut in cuts:
        group = group_of(cut)
        other = first.setdefault(group, cut) if group is not None else cut
        if chosen[other.id] != chosen[cut.id]:
            raise EarsightError(
                f"{source}: group {group} is in {chosen[other.id]} ({other.id}) and in {chosen[cut.id]} "
                f"({cut.id}); keep a group in one split"
            )
