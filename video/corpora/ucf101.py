"""UCF101: 101 actions in clips from the web, 25 recordings (groups) a class, cut into 4 to 7 clips each."""

from __future__ import annotations

import re
import warnings
from pathlib import Path, PurePosixPath
from typing import Any

from ...common.data.corpora.parts import Parts, names_in, read_lines
from ...common.errors import EarsightError
from .files import (
    Clip,
    add_clips,
    demand_split,
    folder_of_lists,
    note_empty_classes,
    videos_by_stem,
)

NAME = re.compile(r"v_(?P<label>.+)_g(?P<group>\d\d)_c\d\d")  # v_HandStandPushups_g01_c04
GROUPS = range(1, 26)
TEST_GROUPS = {1: range(1, 8), 2: range(8, 15), 3: range(15, 22)}  # of each official split, in every class


def prepare_ucf101(
    source: Path,
    destination: Path,
    *,
    split: int = 1,
    dev_groups: str = "23,24,25",
    lists: str = "",
    progress: bool = True,
) -> Parts:
    """UCF101, or some classes of it: source/.../CLASS/v_CLASS_gGG_cCC.avi (or another format), where they lie.

    The official lists (trainlist01.txt, testlist01.txt) are searched in `source` and beside it. Where there are
    none, the rule that they follow is: groups 1 to 7 are test in split 1, 8 to 14 in split 2, 15 to 21 in split 3,
    the others train. A clip's label is its class folder, its group CLASS_gGG.

    Options: `split`: 1, 2 or 3; `dev_groups`: the groups of train that are dev instead, with commas between, none if
    it is empty; `lists`: the folder of the official lists.
    """
    demand_split(split, "UCF101")
    parts = Parts()
    found = {name: path for name, path in videos_by_stem(source, parts).items() if _is_named(name, path, parts)}
    folder = folder_of_lists(source, lists, r"(train|test)list0\d\.txt|classInd\.txt", "ucfTrainTestlist")
    if folder is None:
        note_empty_classes(parts, found.values())
        splits = {name: "test" if _group(name) in TEST_GROUPS[split] else "train" for name in found}
    else:
        splits = _listed(folder, split, found, parts)
    held_out = _dev_groups(dev_groups, splits)
    clips = []
    for name, part in splits.items():
        label, group = _label(found[name]), _group(name)
        part = "dev" if part == "train" and group in held_out else part
        clips.append(Clip(part, found[name], label, f"{label}_g{group:02d}"))
    add_clips(parts, clips, "UCF101", progress)
    return parts


def _is_named(name: str, path: Path, parts: Parts) -> bool:
    named = NAME.fullmatch(name) is not None
    if not named:
        parts.failures.append((name, f"{path}: not called v_CLASS_gGG_cCC, so its class and group are not known"))
    return named


def _part_of(name: str, part: str) -> str:
    named = NAME.fullmatch(name)
    assert named is not None  # `_is_named` has looked
    return named[part]


def _group(name: str) -> int:
    return int(_part_of(name, "group"))


def _label(path: Path) -> str:
    """The class folder; where a clip lies in a folder of another name, the class that it is called after."""
    label, folder = _part_of(path.stem, "label"), path.parent.name
    # The folder is HandstandPushups, its clips are called v_HandStandPushups.
    return folder if folder.casefold() == label.casefold() else label


def _listed(folder: Path, split: int, found: dict[str, Path], parts: Parts) -> dict[str, str]:
    """The split of each clip that the official lists name and that is there.

    A clip that is listed and missing, though others of its class are there, and one that is there and not listed, are
    failures.
    """
    splits: dict[str, str] = {}
    labels: dict[str, str] = {}
    for part in ("train", "test"):
        path = folder / f"{part}list{split:02d}.txt"
        for number, line in enumerate(read_lines(path), start=1):
            clip = PurePosixPath(line.split()[0])  # a training list goes on with the number of the class
            if len(clip.parts) != 2 or NAME.fullmatch(clip.stem) is None:
                raise EarsightError(f"{path}, line {number}: {line!r} is not CLASS/v_CLASS_gGG_cCC.avi")
            if splits.setdefault(clip.stem, part) != part:
                raise EarsightError(f"{path}, line {number}: {clip.stem} is in the other list too; keep it in one")
            labels[clip.stem] = clip.parent.name
    empty = note_empty_classes(parts, found.values(), set(labels.values()))
    present = {_label(path) for path in found.values()}
    absent = set(labels.values()) - present - empty
    if absent:
        warnings.warn(f"{len(absent)} of {len(set(labels.values()))} classes in {folder} are not there", stacklevel=2)
    usable = {}
    for name, part in splits.items():
        if name in found and _label(found[name]) == labels[name]:
            usable[name] = part
        elif name in found:
            parts.failures.append((name, f"{found[name]}: the lists have it as {labels[name]}; which is it?"))
        elif labels[name] in present:
            parts.failures.append((name, f"in {part}list{split:02d}.txt and not there"))
    parts.failures += [
        (name, f"{path}: in neither list of split {split}") for name, path in found.items() if name not in splits
    ]
    return usable


def _dev_groups(given: Any, splits: dict[str, str]) -> set[int]:
    """The numbers of the groups that are taken from train, each checked against what is there."""
    numbers = {int(name) if str(name).isdecimal() else 0 for name in names_in(given)}
    if not numbers:
        return numbers
    if not numbers <= set(GROUPS):
        raise EarsightError(f"option dev_groups is {given!r}; UCF101's groups are 1 to 25, with commas between")
    of_part = {part: {_group(name) for name in splits if splits[name] == part} for part in ("train", "test")}
    if tested := sorted(numbers & of_part["test"]):
        raise EarsightError(f"option dev_groups names group {tested[0]}, which this split tests on; name others")
    if of_part["train"] and not numbers & of_part["train"]:
        raise EarsightError(
            f"option dev_groups is {given}, and no training clip is of these groups; name others, or give dev_groups="
        )
    return numbers
