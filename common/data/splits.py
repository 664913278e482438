"""The division of clips into train, dev and test: what stays together, and what would spoil a division."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..errors import EarsightError
from .cuts import group_of, label_of, speaker_of, text_of, video_of

Key = Callable[[Any], str | None]


def source_of(cut: Any) -> str | None:
    """The video file that a cut's pictures are in, whose parts must not be split between training and test."""
    video = video_of(cut)
    return None if video is None else os.path.realpath(video["path"])  # by whatever link


def class_of(cut: Any) -> str | None:
    """The label of a clip that is there to be classified: one without text."""
    return label_of(cut) if text_of(cut) is None else None


def divide(cuts: list[Any], shares: dict[str, float], *, by: str = "auto", seed: int = 0) -> dict[str, str]:
    """Give each cut's id its split: whole groups at random, until each split holds its share of the time.

    Of each class a split gets about its share, what `shares` does not ask for is train, and train keeps a clip of
    every class. `by`: `group`, `speaker`, or
    `clip` (clips of one group or one video file stay together); `auto` takes the first of these that every clip
    has. Raises EarsightError where there are fewer groups than splits.
    """
    if by == "auto":
        by = next(name for name, way in WAYS.items() if all(way(cut) is not None for cut in cuts))
    units = _units(cuts, by)
    seconds: dict[str, float] = {}
    classes: dict[str, set[str | None]] = {}
    for cut in cuts:
        unit = units[cut.id]
        seconds[unit] = seconds.get(unit, 0.0) + cut.duration
        classes.setdefault(unit, set()).add(class_of(cut))
    wanted = {split: share for split, share in shares.items() if share > 0}
    if len(seconds) < len(wanted) + 1:
        raise EarsightError(
            f"{len(seconds)} {by}{'s' * (len(seconds) != 1)} cannot be divided into {len(wanted) + 1} splits; give "
            f"more, {'' if by == 'clip' else 'or divide by=clip, '}or fewer splits (dev_share=0 test_share=0), or name "
            "each clip's in the table's column split"
        )
    order = _mixed(classes, random.Random(seed))
    left = Counter(each for unit in order for each in classes[unit])  # groups in train by class
    total, split_of = sum(seconds.values()), {}
    for number, (split, share) in enumerate(wanted.items()):
        # At least one group each, and one left for train and for every split still to come.
        most = len(order) - (len(wanted) - number)
        taken, held = [], 0.0
        for unit in reversed(order):
            spare = all(left[each] > 1 for each in classes[unit])
            # It may bring the split as far above its share as it was below, no further.
            if len(taken) < most and spare and held + seconds[unit] / 2 <= share * total:
                taken.append(unit)
                held += seconds[unit]
                left -= Counter(classes[unit])
        if not taken:
            taken = [min(order, key=lambda unit: (any(left[each] < 2 for each in classes[unit]), seconds[unit]))]
            left -= Counter(classes[taken[0]])
        split_of.update(dict.fromkeys(taken, split))
        order = [unit for unit in order if unit not in split_of]
    return {name: split_of.get(unit, "train") for name, unit in units.items()}


def _mixed(classes: dict[str, set[str | None]], rng: random.Random) -> list[str]:
    """The units at random, those of like classes spread evenly from the first to the last."""
    alike: dict[frozenset[str | None], list[str]] = {}
    for unit in sorted(classes):
        alike.setdefault(frozenset(classes[unit]), []).append(unit)
    places = {}
    for units in alike.values():
        rng.shuffle(units)
        places |= {unit: (rank + rng.random()) / len(units) for rank, unit in enumerate(units)}
    return sorted(places, key=places.__getitem__)


def _units(cuts: list[Any], by: str) -> dict[str, str]:
    """What each cut must stay together with, by the cut's id."""
    if by not in WAYS:
        raise EarsightError(f"option by is {by!r}; it is auto, {', '.join(WAYS)}")
    without = next((cut.id for cut in cuts if WAYS[by](cut) is None), None)
    if without is not None:
        raise EarsightError(f"clip {without} has no {by} to divide by; fill that column or choose another")
    return {cut.id: str(WAYS[by](cut)) for cut in cuts}


WAYS: dict[str, Key] = {
    "group": group_of,
    "speaker": speaker_of,
    "clip": lambda cut: group_of(cut) or source_of(cut) or cut.id,
}


def demand_whole(splits: Mapping[str, Iterable[Any]], what: str, key: Key) -> None:
    """Raise EarsightError where two splits share a `what` (a group, a video file), the `key` of a cut."""
    first: dict[str, tuple[str, str]] = {}
    for split, cuts in splits.items():
        for cut in cuts:
            name = key(cut)
            here = (split, cut.id)
            other, identity = first.setdefault(name, here) if name is not None else here
            if other != split:
                raise EarsightError(
                    f"{what} {name} is in {other} ({identity}) and in {split} ({cut.id}); keep a {what} in one split"
                )


def demand_classes(splits: Mapping[str, Iterable[Any]]) -> None:
    """Raise EarsightError where training clips have one class only, or lack one that another split has."""
    trained = {class_of(cut) for cut in splits.get("train", ())} - {None}
    if not trained:
        return
    for split, cuts in splits.items():
        unknown = next((cut for cut in cuts if class_of(cut) is not None and class_of(cut) not in trained), None)
        if unknown is not None:
            raise EarsightError(
                f"label {class_of(unknown)} is in {split} ({unknown.id}) and not in train; "
                "add training clips of it, or leave these out"
            )
    if len(trained) == 1:
        raise EarsightError(f"one class only, {trained.pop()}; a classifier needs two or more")
