"""Which clips are alike: what must not stand on both sides of a split where nobody has said so."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

BLOCK = 1024  # clips that are compared with all others at once
NEAR = 0.6  # share of the usual distance to the nearest clip, below which a clip is nearly another's copy
TRUSTED = 2.0  # times as often as by chance must a clip's nearest be of its own group, for a name to be believed


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Of each clip the nearest other one of its class, by the cosine of standardised features.

    Attributes:
        index: (clip,), -1 for the only clip of a class.
        distance: (clip,) 1 - cosine, from 0 to 2; inf for the only clip of a class.
    """

    index: np.ndarray
    distance: np.ndarray


def nearest_of_class(features: np.ndarray, classes: Sequence[str | None]) -> Neighbours:
    """Features (clip, feature) -> each clip's nearest of its class."""
    directions = _directions(features)
    index, distance = np.full(len(features), -1), np.full(len(features), np.inf)
    for members in _by_name(classes):
        for first in range(0, len(members), BLOCK):
            rows = members[first : first + BLOCK]
            away = 1 - directions[rows] @ directions[members].T
            away[np.arange(len(rows)), np.arange(first, first + len(rows))] = np.inf
            best = away.argmin(axis=1)
            distance[rows] = away[np.arange(len(rows)), best]
            index[rows] = np.where(np.isfinite(distance[rows]), members[best], -1)
    return Neighbours(index, distance)


def near_duplicates(features: np.ndarray, near: float = NEAR) -> np.ndarray:
    """Clusters of clips that are nearly copies: (clip, feature) -> the lowest number of a clip in each clip's cluster.

    Two clips are joined where their distance is less than `near` times the median of all clips' distances to their
    nearest, whatever their classes; clusters are joined in chains.
    """
    directions = _directions(features)
    root = np.arange(len(features))
    if len(features) < 2:
        return root
    blocks = range(0, len(directions), BLOCK)
    # Twice, as all distances of many clips would not fit into memory.
    limit = near * float(np.median(np.concatenate([_away(directions, first).min(axis=1) for first in blocks])))
    for first in blocks:
        for row, column in zip(*np.nonzero(_away(directions, first) < limit)):
            a, b = _find(root, first + int(row)), _find(root, int(column))
            root[max(a, b)] = min(a, b)
    return np.array([_find(root, i) for i in range(len(root))])


@dataclass(frozen=True)
class NameGroups:
    """Groups that the names of clips tell of.

    Attributes:
        groups: of each clip.
        part: which part of the names, from 1, where they are cut at `_`, `-`, dots and spaces.
        agreement: share of clips whose nearest clip of the same class is of the same group.
        chance: the share that clips drawn at random would have.
    """

    groups: tuple[str, ...]
    part: int
    agreement: float
    chance: float


def name_groups(names: Sequence[str], classes: Sequence[str | None], neighbours: Neighbours) -> NameGroups | None:
    """The part of the names, if any, by which clips are most alike: a speaker's name, a recording's number.

    A part is tried where all names have it, it holds a letter, and takes from 2 to half as many values as there are
    clips, each in more than one clip. It is believed where clips whose names agree in it are each other's nearest at
    least TRUSTED times as often as by chance, and 0.5 of the time.
    """
    cut = [re.split(r"[_\-. ]+", name) for name in names]
    known = neighbours.index >= 0
    found = []
    for part in range(min(map(len, cut), default=0)):
        values = [pieces[part] for pieces in cut]
        counts = Counter(values)
        if not 2 <= len(counts) <= len(names) / 2 or min(counts.values()) < 2 or not known.any():
            continue
        if not all(re.search("[^0-9]", value) for value in values) or counts == Counter(classes):
            continue
        array = np.array(values)
        agreement = float((array[neighbours.index] == array)[known].mean())
        chance = _chance(array, classes)
        if agreement >= max(TRUSTED * chance, 0.5):
            found.append(NameGroups(tuple(values), part + 1, agreement, chance))
    return max(found, key=lambda groups: groups.agreement / groups.chance, default=None)


def _chance(values: np.ndarray, classes: Sequence[str | None]) -> float:
    """How often another clip of the same class, drawn at random, has the same value."""
    same = pairs = 0
    for members in _by_name(classes):
        counts = np.unique(values[members], return_counts=True)[1]
        same += int((counts * (counts - 1)).sum())
        pairs += len(members) * (len(members) - 1)
    return same / max(pairs, 1)


def _by_name(names: Sequence[str | None]) -> Iterator[np.ndarray]:
    places = defaultdict(list)
    for place, name in enumerate(names):
        places[name].append(place)
    return map(np.array, places.values())


def _directions(features: np.ndarray) -> np.ndarray:
    standard = features - features.mean(axis=0)
    standard /= standard.std(axis=0) + 1e-6
    return (standard / (np.linalg.norm(standard, axis=1, keepdims=True) + 1e-9)).astype(np.float32)


def _away(directions: np.ndarray, first: int) -> np.ndarray:
    rows = directions[first : first + BLOCK]
    away = 1 - rows @ directions.T
    away[np.arange(len(rows)), np.arange(first, first + len(rows))] = np.inf
    return away


def _find(root: np.ndarray, place: int) -> int:
    while root[place] != place:
        root[place] = root[root[place]]
        place = int(root[place])
    return place
