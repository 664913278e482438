"""What importers of corpora share: the parts they find, the names of splits, the text of lists and transcripts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import EarsightError
from ...texts import TextForm, read_text
from ..cuts import Failures

SPLIT_WORDS = {
    "train": {"train", "training"},
    "dev": {"dev", "valid", "validation", "validate", "val"},
    "test": {"test"},
}
SPLITS = tuple(SPLIT_WORDS)


@dataclass
class Parts:
    """What an importer found: the cuts of each split, and the clips it could not use, with the reasons.

    `written` has the place of each split that the importer has written itself, where no manifests are to be written.
    """

    cuts: dict[str, list[Any]] = field(default_factory=dict)
    failures: Failures = field(default_factory=list)
    written: dict[str, Path] = field(default_factory=dict)

    def add(self, split: str, cut: Any) -> None:
        self.cuts.setdefault(split, []).append(cut)


# (source, destination, *, progress, and the corpus's own options) -> what was found
Importer = Callable[..., Parts]


def split_named(name: str) -> str:
    """The split that a part's name tells of: train-clean-100 is train, valid is dev, TEST is test."""
    words = set(re.split(r"[^a-z]+", name.lower()))
    return next((split for split, names in SPLIT_WORDS.items() if names & words), name)


def manifests_in(source: Path) -> dict[str, Path]:
    """The manifests of a prepared corpus by split: those of a folder, or one file, whose name tells its split."""
    if source.is_file():
        return {next((split for split in SPLITS if source.name.startswith(split)), "train"): source}
    found = {split: source / f"{split}.jsonl.gz" for split in SPLITS if (source / f"{split}.jsonl.gz").is_file()}
    if not found:
        raise EarsightError(f"{source}: holds no train, dev or test.jsonl.gz; prepare the corpus first")
    return found


def cased(text: str, case: str) -> str:
    """English `text` small (lower), capital (upper) or as it is (keep), and in its one form (`common.texts`)."""
    return TextForm(case=case, language="en")(text)


def names_in(value: Any) -> list[str]:
    """A list of names, or one string of them with commas as the command line gives it."""
    if isinstance(value, str):
        return [name.strip() for name in value.split(",") if name.strip()]
    return list(value)


def read_lines(path: Path) -> list[str]:
    """The lines of a corpus's own list, stripped, without empty ones. Raises EarsightError with the file's name."""
    try:
        return [line.strip() for line in read_text(path, "the corpus's list").splitlines() if line.strip()]
    except EarsightError as error:
        if isinstance(error.__cause__, OSError):
            raise EarsightError(f"{path}: {error.__cause__.strerror}; the corpus is not complete") from error
        raise


def summary(failures: Failures, before: str = "", shown: int = 3) -> str:
    """The first clips that could not be used, with the reasons, `before` it where there are any."""
    named = "; ".join(f"{name}: {reason}" for name, reason in failures[:shown])
    more = len(failures) - shown
    return before * bool(failures) + (f"{named}; and {more} more" if more > 0 else named)


def progress_bar(
    items: Iterable[Any], description: str, progress: bool, total: int | None = None
) -> Iterator[Any]:
    """Go through clips under a progress bar, if one is wanted; `total` where `items` do not know their number."""
    from tqdm import tqdm

    # disable=None: no bar where nobody watches (a log file, a pipe)
    return iter(tqdm(items, desc=description, unit="clip", total=total, disable=None if progress else True))
