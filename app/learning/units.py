"""Which clips stay together where some are held out: those of one speaker, recording or scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...common.data.cuts import group_of, speaker_of
from ...common.data.likeness import name_groups, near_duplicates, nearest_of_class
from ...common.data.splits import source_of

LEAK = ("nothing tells which clips are of one speaker, recording or scene, and no two are nearly the same: each was "
        "held out alone. If some are cuts of one recording or takes of one person, that is a leak, and the figures are "
        "too good; it would look like this: almost no errors here, many on new speakers or scenes. Name what belongs "
        "together in a column `group` or `speaker` of a table, or in the files' names (LABEL_SPEAKER_TAKE)")


@dataclass(frozen=True, eq=False)
class Units:
    """Attributes:
        numbers: (clip,) of each clip's unit.
        names: of each clip's unit.
        kind: what a unit is, in the plural, for a reader: speakers, groups, ...
        how: how that is known, a sentence; a warning where it is not.
        known: whether it is.
    """

    numbers: np.ndarray
    names: tuple[str, ...]
    kind: str
    how: str
    known: bool


def find_units(cuts: Sequence[Any], classes: Sequence[str | None], features: np.ndarray) -> Units:
    """Of clips with the means of their frames (clip, feature): as their manifest says, or else as their names or their
    likeness tell."""
    for kind, way in (("speakers", speaker_of), ("groups", group_of), ("videos", source_of)):
        names = [way(cut) for cut in cuts]
        if all(name is not None for name in names) and 1 < len(set(names)) < len(names):
            return _units([str(name) for name in names], kind, f"the {kind} are named", True)
    found = name_groups([cut.id for cut in cuts], classes, nearest_of_class(features, classes))
    if found is not None:
        few = ", ".join(list(dict.fromkeys(found.groups))[:3])
        how = (f"part {found.part} of the clips' names ({few}, ...) tells what belongs together: clips that agree in "
               f"it are each other's nearest {found.agreement:.0%} of the time, {found.chance:.0%} by chance")
        return _units(list(found.groups), "groups", how, True)
    clusters = near_duplicates(features)
    if len(set(clusters.tolist())) < len(cuts):
        together = len(cuts) - len(set(clusters.tolist()))
        how = (f"clips that are nearly the same were found ({together} beside others) and stay together; other clips "
               "of one speaker or scene may stand on both sides, and the figures be too good: name them in a column "
               "`group`")
        return _units([cuts[int(number)].id for number in clusters], "clips or near-duplicates", how, False)
    return _units([cut.id for cut in cuts], "clips", LEAK, False)


def _units(names: list[str], kind: str, how: str, known: bool) -> Units:
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return Units(np.array([numbers[name] for name in names]), tuple(names), kind, how, known)
