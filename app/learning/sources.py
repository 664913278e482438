"""What `learn` is given, looked at: which clips there are, of which medium, what is wrong with them."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...common.data.corpora.embeddings import file_digest
from ...common.data.corpora.own import folder_clips, prepare_own, table_clips
from ...common.data.corpora.parts import Parts
from ...common.data.cuts import clip_files, custom_of, frames_of, label_of, text_of, video_of
from ...common.data.manifest import read_manifest
from ...common.data.tables_and_folders import TABLE_SUFFIXES
from ...common.errors import EarsightError
from ...common.reports.layout import duration, number
from ...common.series.corpora import holds_series, prepare_series
from ..media import openers

MEDIA = {"speech": "sound", "video": "videos", "series": "series", "frames": "stored frames"}
TASKS = ("auto", "classes", "text")
MOST_CLASSES = 1000
NAMED = 3  # clips or labels that a line names


@dataclass(frozen=True, eq=False)
class Material:
    """The clips of all sources.

    Attributes:
        cuts: one a clip, in order.
        medium: "speech", "video", "series" or "frames".
        task: "classes" or "text".
        failures: clips that cannot be used: name, reason.
        warnings: what is wrong besides, a line each.
        held_out: names of the clips that the user has set apart as a test.
    """

    cuts: tuple[Any, ...]
    medium: str
    task: str
    failures: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    held_out: frozenset[str] = frozenset()

    def target(self, cut: Any) -> str:
        """A clip's label or text."""
        return (label_of(cut) if self.task == "classes" else text_of(cut)) or ""

    def described(self) -> str:
        """How much there is."""
        what = [f"{number(len(self.cuts), 'clip')} of {MEDIA[self.medium]}",
                duration(sum(cut.duration for cut in self.cuts))]
        if self.task == "classes":
            what.append(number(len(set(map(self.target, self.cuts))), "class", "classes"))
        else:
            words = [word for cut in self.cuts for word in self.target(cut).split()]
            what.append(f"{number(len(words), 'word')}, {len(set(words))} different ones")
        if self.failures:
            what.append(f"{len(self.failures)} that cannot be used")
        return ", ".join(what)


def read_sources(sources: Sequence[str | Path], folder: Path, task: str = "auto") -> Material:
    """Read folders of classes, tables and manifests; convert into `folder` what training cannot read where it lies.

    Raises:
        EarsightError: a source that cannot be read, or clips that are of several media, or tell nothing to learn, or of
            which one class alone is there.
    """
    parts = [_read(Path(source), folder) for source in sources]
    failures = [failure for each in parts for failure in each.failures]
    splits = [(split, cut) for each in parts for split, found in each.cuts.items() for cut in found]
    cuts = _with_own_ids([cut for _, cut in splits])
    places = {_place(cut) for split, cut in splits if split == "test"}
    if not cuts:
        why = f"; {failures[0][0]}: {failures[0][1]}" if failures else ""
        raise EarsightError(f"{', '.join(map(str, sources))}: no clip that can be used{why}")
    medium = _medium(cuts, sources)
    task = _task(cuts, task, sources)
    warnings: list[str] = []
    if task == "classes":
        if (count := len(set(map(label_of, cuts)))) > MOST_CLASSES:
            raise EarsightError(f"{', '.join(map(str, sources))}: {count} classes, and {MOST_CLASSES} are what is "
                                "measured and shown here; take fewer, or train with a recipe (`earsight train fit`)")
        cuts = _without_contradictions(cuts, sources, warnings)
        warnings += _looks_alike(map(label_of, cuts))
        _demand_classes(cuts, sources, warnings)
    held_out = frozenset(cut.id for cut in cuts if _place(cut) in places)
    if len(held_out) == len(cuts):
        raise EarsightError(f"{', '.join(map(str, sources))}: all clips are of the split test; nothing is to learn")
    return Material(tuple(cuts), medium, task, tuple(failures), tuple(warnings), held_out)


def _read(source: Path, folder: Path) -> Parts:
    if not os.path.exists(source):
        raise EarsightError(f"{source}: not there; name a folder per class, a table (.csv, .tsv) or a manifest")
    table = source.suffix.lower() in TABLE_SUFFIXES
    if holds_series(source):
        return prepare_series(source, folder, dev_share=0, test_share=0)
    if source.is_dir() or table:
        read = table_clips if table else folder_clips
        return prepare_own(read, openers(), source, folder, dev_share=0, test_share=0, punctuation="drop")
    failures: list[tuple[str, str]] = []
    cuts = list(read_manifest(source, openers(), failures))
    return Parts({"train": cuts}, failures)


def _with_own_ids(cuts: list[Any]) -> list[Any]:
    """Clips of several sources may share a name, and get a number then; one that comes twice is taken once."""
    taken: dict[str, Any] = {}
    for cut in cuts:
        name = cut.id
        if name in taken and _place(taken[name]) == _place(cut) and label_of(taken[name]) == label_of(cut):
            continue
        number = 2
        while name in taken:
            name, number = f"{cut.id}-{number}", number + 1
        taken[name] = cut if name == cut.id else replace(cut, id=name)
    return list(taken.values())


def _place(cut: Any) -> tuple:
    return (*map(str, clip_files(cut)), cut.start, cut.duration)


def _medium(cuts: Iterable[Any], sources: Sequence[str | Path]) -> str:
    def medium(cut: Any) -> str:
        if video_of(cut) is not None:
            return "video"
        if frames_of(cut) is None:
            return "speech"
        return "series" if custom_of(cut).get("series") else "frames"

    found = Counter(map(medium, cuts))
    if len(found) > 1:
        told = ", ".join(f"{count} of {MEDIA[name]}" for name, count in found.most_common())
        raise EarsightError(f"{', '.join(map(str, sources))}: clips of several media ({told}); a model reads one: "
                            "teach each in a folder of its own")
    return next(iter(found))


def _task(cuts: Sequence[Any], task: str, sources: Sequence[str | Path]) -> str:
    labelled = sum(label_of(cut) is not None for cut in cuts)
    spoken = sum(text_of(cut) is not None for cut in cuts)
    if task == "auto":
        task = "classes" if labelled == len(cuts) else "text"
    told = labelled if task == "classes" else spoken
    if told < len(cuts):
        lacking = next(cut.id for cut in cuts if (label_of if task == "classes" else text_of)(cut) is None)
        raise EarsightError(f"{', '.join(map(str, sources))}: {len(cuts) - told} of {len(cuts)} clips have no "
                            f"{'label' if task == 'classes' else 'text'} to learn, such as {lacking}; give them one, "
                            "or leave them out")
    if task == "text" and not any(text_of(cut) for cut in cuts):
        raise EarsightError(f"{', '.join(map(str, sources))}: all texts are empty; say what is said in the clips")
    return task


def _without_contradictions(cuts: Sequence[Any], sources: Sequence[str | Path], warnings: list[str]) -> list[Any]:
    """Clips without those that stand in two classes with the same content: which is right, nobody can know.

    Raises:
        EarsightError: of a class no other clip is left.
    """
    content: dict[tuple, set[str]] = defaultdict(set)
    keys = {}
    sizes = Counter(_size(cut) for cut in cuts)
    for cut in cuts:
        # Files of different sizes differ: few are read here.
        digests = [file_digest(path) for path in clip_files(cut)] if sizes[_size(cut)] > 1 else [cut.id]
        keys[cut.id] = (*digests, round(cut.start, 3), round(cut.duration, 3))
        content[keys[cut.id]].add(str(label_of(cut)))
    twice = [cut for cut in cuts if len(content[keys[cut.id]]) > 1]
    if not twice:
        return list(cuts)
    left = Counter(label_of(cut) for cut in cuts) - Counter(label_of(cut) for cut in twice)
    for cut in twice:
        classes = sorted(content[keys[cut.id]])
        if not left[label_of(cut)]:
            count = sum(label_of(one) == label_of(cut) for one in twice)
            other = next(name for name in classes if name != label_of(cut))
            raise EarsightError(f"{', '.join(map(str, sources))}: all {number(count, 'clip')} of class {label_of(cut)} "
                                f"stand in class {other} too, with the same content; a clip has one label: remove one "
                                "of the two")
    names = ", ".join(cut.id for cut in twice[:NAMED]) + (", ..." if len(twice) > NAMED else "")
    warnings.append(f"{number(len(twice), 'clip')} of the same content with different labels left out ({names}: "
                    f"{' and '.join(sorted(content[keys[twice[0].id]]))}); a clip has one label: remove the wrong ones")
    gone = {cut.id for cut in twice}
    return [cut for cut in cuts if cut.id not in gone]


def _size(cut: Any) -> tuple[int, ...]:
    return tuple(path.stat().st_size if path.is_file() else -1 for path in clip_files(cut))


def _looks_alike(labels: Iterable[str | None]) -> list[str]:
    """Labels that differ by case, spaces and punctuation only, which may be one class written in two ways."""
    forms: dict[str, set[str]] = defaultdict(set)
    for label in sorted({label for label in labels if label is not None}):
        forms[re.sub(r"[\W_]+", "", label.casefold()) or label].add(label)
    return [f"labels {' and '.join(map(repr, sorted(alike)))} differ by case, spaces or punctuation only, and are "
            "taught as classes of their own; if they are one, write them alike"
            for alike in forms.values() if len(alike) > 1]


def _demand_classes(cuts: Sequence[Any], sources: Sequence[str | Path], warnings: list[str]) -> None:
    counts = Counter(label_of(cut) for cut in cuts)
    if len(counts) < 2:
        raise EarsightError(f"{', '.join(map(str, sources))}: one class only, {next(iter(counts))}; a classifier needs "
                            "two or more: add a folder of clips of something else")
    lonely = sorted(str(label) for label, count in counts.items() if count == 1)
    if len(lonely) == len(counts):
        raise EarsightError(f"{', '.join(map(str, sources))}: {len(counts)} classes of one clip each; nothing could be "
                            "held out, and nothing measured: give each class two clips at least, better ten")
    if lonely:
        shown = ", ".join(lonely[:NAMED]) + (", ..." if len(lonely) > NAMED else "")
        warnings.append(f"{number(len(lonely), 'class', 'classes')} of one clip ({shown}): taught, but how well is not "
                        "measured; add clips")
