"""HMDB51: 51 actions in clips from films and the web, cut from some 3,300 videos."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

from ...common.data.corpora.parts import Parts, read_lines
from ...common.data.cuts import group_of, label_of
from ...common.data.splits import divide
from ...common.errors import EarsightError
from .files import (
    Clip,
    add_clips,
    demand_split,
    folder_of_lists,
    note_empty_classes,
    videos_by_stem,
)

# What follows a clip's source and class: visible body parts, camera motion, people, camera's side, quality, number.
PROPERTIES = re.compile(r"(_[a-z]+){2}_np\d+(_[a-z]+){2}_\d+$")
PARTS = {"0": None, "1": "train", "2": "test"}  # marks in the official lists; 0 is not used


def prepare_hmdb51(
    source: Path,
    destination: Path,
    *,
    split: int = 1,
    dev_share: float = 0.1,
    seed: int = 0,
    lists: str = "",
    progress: bool = True,
) -> Parts:
    """HMDB51, or some classes of it: source/.../CLASS/NAME.avi (or another format), where they lie.

    The official lists, CLASS_test_split1.txt and so on, are searched in `source` and beside it. A clip's group is its
    name as far as its source and class. The lists keep a source in one part class by class: a film whose clips show
    several actions may be trained on for one and tested on for another.

    Options: `split`: 1, 2 or 3; `dev_share`: how much of each class's training part is dev instead, in whole groups
    drawn at random; `seed` of the draw; `lists`: the folder of the official lists.
    """
    demand_split(split, "HMDB51")
    if not 0 <= dev_share < 1:
        raise EarsightError(f"option dev_share is {dev_share:g}; it is at least 0 and less than 1")
    folder = folder_of_lists(source, lists, rf".+_test_split{split}\.txt", "testTrainMulti_7030_splits")
    if folder is None:
        raise EarsightError(
            f"{source}: no list CLASS_test_split{split}.txt there; unpack test_train_splits.rar into it, or name "
            "their folder as lists=DIR"
        )
    parts = Parts()
    found = videos_by_stem(source, parts)
    suffix = f"_test_split{split}.txt"
    labels = {path.name.removesuffix(suffix) for path in folder.glob(f"*{suffix}")}
    empty = note_empty_classes(parts, found.values(), labels)
    by_label: dict[str, dict[str, Path]] = {}
    for name, path in found.items():
        by_label.setdefault(path.parent.name, {})[name] = path
    if absent := labels - set(by_label) - empty:
        warnings.warn(f"{len(absent)} of {len(labels)} classes in {folder} are not there", stacklevel=2)
    clips = []
    for label, paths in sorted(by_label.items()):
        marks = _marks(folder / f"{label}{suffix}")
        parts.failures += [(name, f"in {label}{suffix} and not there") for name in marks if name not in paths]
        parts.failures += [(name, f"{paths[name]}: not in {label}{suffix}") for name in paths if name not in marks]
        used = {name: PARTS[mark] for name, mark in marks.items() if PARTS[mark] and name in paths}
        clips += [Clip(part, paths[name], label, source_and_class(name)) for name, part in used.items()]
    add_clips(parts, clips, "HMDB51", progress)
    _take_dev(parts, dev_share, seed)
    return parts


def source_and_class(name: str) -> str:
    """`April_09_brush_hair_u_nm_np1_ba_goo_0` is a clip of `April_09_brush_hair`."""
    return PROPERTIES.sub("", name)


def _marks(path: Path) -> dict[str, str]:
    """The lines `NAME.avi MARK` of a list, by name."""
    marks: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        name, _, mark = line.rpartition(" ")
        if mark not in PARTS:
            raise EarsightError(f"{path}, line {number}: {line!r} does not end with 0, 1 or 2")
        if marks.setdefault(Path(name.strip()).stem, mark) != mark:
            raise EarsightError(f"{path}, line {number}: {name.strip()} is there twice, in different parts")
    return marks


def _take_dev(parts: Parts, share: float, seed: int) -> None:
    """Move whole groups of each class from train to dev."""
    train = parts.cuts.pop("train", [])
    by_label: dict[str, list] = {}
    for cut in train:
        label = label_of(cut)
        assert label is not None  # `add_clips` gave it one
        by_label.setdefault(label, []).append(cut)
    for label in sorted(by_label):
        cuts = by_label[label]
        several = len({group_of(cut) for cut in cuts}) > 1
        chosen = divide(cuts, {"dev": share}, by="group", seed=seed) if several else {}
        for cut in cuts:
            parts.add(chosen.get(cut.id, "train"), cut)
