"""`earsight prepare series`, and tables of series wherever a manifest is asked for."""

from __future__ import annotations

import hashlib
import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.corpora.parts import SPLITS, Importer, Parts, names_in, progress_bar, split_named
from ..data.cuts import Failures, frames_cut
from ..data.openers import CLIP_SUFFIXES, Openers
from ..data.splits import divide
from ..errors import EarsightError
from ..files import whole_file
from ..paths import files_under
from ..texts import tidy
from .matching import matched
from .reading import SERIES_SUFFIXES, Series, SeriesTable, TableOptions, is_table, read_series
from .reading.times import on_grid, usual_step

if TYPE_CHECKING:
    from lhotse.cut import MonoCut

DEFAULT_STEP = 1.0  # seconds, where neither the file nor the user says how many
PAIR = re.compile(r"(.+)_(TRAIN|TEST)", re.IGNORECASE)
PREFERRED = (".ts", ".parquet", ".pq", ".npz", ".arff", ".tsv", ".csv")  # of files of one name


@dataclass(frozen=True)
class Source:
    """A file of series, and what its place tells of them: their split, their class."""

    path: Path
    split: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class Sampling:
    """How series become frames.

    Attributes:
        rate: Hz, of series whose file gives no times; 0 where it is not known.
        resample: seconds between two frames; 0 for the files' own.
        window: seconds of a clip; 0 takes whole series.
        hop: seconds from one window to the next; 0: no overlap.
    """

    rate: float = 0.0
    resample: float = 0.0
    window: float = 0.0
    hop: float = 0.0

    def __post_init__(self):
        for name, value in vars(self).items():
            if not 0 <= value < 1e9:
                raise EarsightError(f"option {name} is {value:g}; it is a number from 0 (not given) on")
        if self.hop and not self.window:
            raise EarsightError(f"option hop is {self.hop:g} s without a window; give window=SECONDS too")


def holds_series(path: str | Path, clips: Collection[str] = CLIP_SUFFIXES) -> bool:
    """Whether a path is a table of series, or a folder of them: X_TRAIN.ts and X_TEST.ts, or LABEL/*.csv.

    A folder that holds a file with one of the suffixes `clips` is one of clips, whatever tables lie beside them.
    """
    path = Path(path)
    if not path.is_dir():
        return is_table(path)
    if files_under(path, {*clips} - SERIES_SUFFIXES):
        return False
    try:
        return bool(_sources_in(path))
    except EarsightError:
        return True  # of which there is more to say


def sources(path: str | Path) -> list[Source]:
    """The files of series of a path, with what their places tell.

    A file X_TRAIN.ts brings X_TEST.ts beside it, as a folder that holds them does; in a folder of folders each is a
    class; other files of a folder are taken together.

    Raises:
        EarsightError: there are none, or it is not clear which are meant.
    """
    path = Path(path)
    if path.is_dir():
        if found := _sources_in(path):
            return found
        raise EarsightError(f"{path}: holds no tables of series; they end in {', '.join(sorted(SERIES_SUFFIXES))}")
    if not path.is_file():
        raise EarsightError(f"{path}: no such file or folder; name a table of series")
    pair = [each for each in _tables(path.parent) if path.suffix == each.suffix and _are_pair(path, each)]
    return _pairs([path, *pair]) if pair else [Source(path)]


def _tables(folder: Path) -> list[Path]:
    try:
        return sorted(each for each in folder.iterdir() if not each.name.startswith(".") and is_table(each))
    except OSError as error:
        reason = f"{folder}: this folder cannot be read ({error.strerror}); change its permissions"
        raise EarsightError(reason) from error


def _split_of(path: Path) -> str:
    found = PAIR.fullmatch(path.stem)
    return found[2].lower() if found else ""


def _are_pair(one: Path, other: Path) -> bool:
    mine, theirs = PAIR.fullmatch(one.stem), PAIR.fullmatch(other.stem)
    return bool(mine and theirs and mine[1] == theirs[1] and mine[2].lower() != theirs[2].lower())


def _pairs(paths: Iterable[Path]) -> list[Source]:
    """Of files of one name in several forms the one that is read best."""
    best: dict[str, Path] = {}
    for path in sorted(paths, key=lambda path: PREFERRED.index(path.suffix.lower())):
        best.setdefault(_split_of(path), path)
    return [Source(best[split], split) for split in ("train", "test") if split in best]


def _sources_in(folder: Path) -> list[Source]:
    tables = _tables(folder)
    names = {found[1] for each in tables if (found := PAIR.fullmatch(each.stem))}
    complete = {name for name in names if {_split_of(each) for each in tables if each.stem[: -len(_split_of(each)) - 1]
                                           == name} == {"train", "test"}}
    if complete:
        name = folder.name if folder.name in complete else next(iter(complete))
        if len(complete) > 1 and folder.name not in complete:
            raise EarsightError(f"{folder}: holds several data sets, {', '.join(sorted(complete))}; name a file of one")
        return _pairs(each for each in tables if (found := PAIR.fullmatch(each.stem)) and found[1] == name)
    if tables:
        return [Source(each) for each in tables]
    of_class = {inner: _tables(inner) for inner in sorted(folder.iterdir())
                if inner.is_dir() and not inner.name.startswith(".")}
    return [Source(each, label=tidy(inner.name)) for inner, tables in of_class.items() for each in tables]


# Series of files, as cuts of frames


def with_tables(openers: Openers, options: Callable[[Path], TableOptions] = lambda path: TableOptions()) -> Openers:
    """Openers that take tables of series wherever a manifest is asked for, each read by its `options`."""
    return replace(openers, tables=partial(_table_cuts, options, openers.suffixes))


def series_corpora() -> dict[str, Importer]:
    """The importer of tables of series, under its name."""
    return {"series": prepare_series}


def _table_cuts(options: Callable[[Path], TableOptions], clips: Collection[str], path: Path, failures: Failures | None
                ) -> list[MonoCut] | None:
    """The cuts of a table of series, or of a folder of them, frames in memory; None for what is none."""
    if not holds_series(path, clips):
        return None
    found = [Source(path)] if path.is_file() else sources(path)  # as a manifest, X_TRAIN.ts is X_TRAIN.ts
    tables = [(source, read_series(source.path, options(source.path))) for source in found]
    _tell(tables, [])
    unusable = [failure for _, table in tables for failure in table.failures]
    described = _described(tables, unusable)
    cuts = _all_cuts(described, path, Sampling(), None, unusable)
    if failures is not None:
        failures += unusable
    elif unusable:
        raise EarsightError(unusable[0][1])
    return cuts


def prepare_series(
    source: Path,
    destination: Path,
    *,
    series: str = "",
    time: str = "",
    channels: str = "",
    label: str = "",
    group: str = "",
    layout: str = "auto",
    unit: str = "",
    rate: float = 0.0,
    resample: float = 0.0,
    window: float = 0.0,
    hop: float = 0.0,
    dev_share: float = 0.1,
    test_share: float = 0.1,
    by: str = "auto",
    seed: int = 0,
    progress: bool = True,
) -> Parts:
    """The series of a table (`.csv .tsv .parquet .ts .arff .npz`), or of a folder of tables; see `sources`.

    Frames are stored in `destination`/series, under a key of their content, with NaN in gaps.

    Options: `series`, `time`, `channels` (with commas), `label`, `group`, `layout`, `unit`: see `TableOptions`; `none`
    for a column that is none; `rate`, `resample`, `window`, `hop`: see `Sampling`. Where the files give the splits
    (X_TRAIN.ts and X_TEST.ts, a column split), dev is drawn from train; else test and dev are drawn as `common.data.
    corpora.own` does: `dev_share`, `test_share`, `by`, `seed`. Windows and other parts of one series stay together.
    """
    sampling = Sampling(rate, resample, window, hop)
    options = TableOptions(series, time, tuple(names_in(channels)), label, group, layout, unit)
    parts = Parts()
    found = sources(source)
    tables = []
    for each in progress_bar(found, source.name, progress and len(found) > 1, len(found)):
        try:
            tables.append((each, read_series(each.path, options)))
        except EarsightError as error:
            if len(found) == 1:
                raise
            parts.failures.append((each.path.stem, str(error)))
    parts.failures += [failure for _, table in tables for failure in table.failures]
    if not tables:
        return parts  # `prepare` says why each of them cannot be used
    _tell(tables, [f"{source}: no times and no rate; a step is taken for {DEFAULT_STEP:g} s (rate=HZ says otherwise)"]
          if not rate and not resample and all(s.times is None for _, table in tables for s in table.series) else [])
    described = _described(tables, parts.failures)
    labelled = [each for each in described if each.series.label]
    if described and not labelled:
        raise EarsightError(f"{source}: no series has a label; name the column of classes (label=...), or put tables "
                            "into a folder per class")
    parts.failures += [(each.identity, f"{source}: series {each.identity} has no label; give it one")
                       for each in described if not each.series.label]
    _demand_classes([str(each.series.label) for each in labelled], source)
    cuts = _all_cuts(labelled, source, sampling, destination / "series", parts.failures, progress)
    if not cuts:
        return parts
    for split, cut in _divided(cuts, source, {"dev": dev_share, "test": test_share}, by, seed):
        parts.add(split, cut)
    return parts


@dataclass(frozen=True, eq=False)
class _Described:
    """A series with its clip's id and what its table says of its channels."""

    identity: str
    series: Series
    about: dict[str, Any]


def _described(tables: list[tuple[Source, SeriesTable]], failures: Failures) -> list[_Described]:
    """The series of all tables, ids of their own, all of the channels of the first; other ones are failures."""
    _, first = tables[0]
    made: list[_Described] = []
    for source, table in tables:
        about = {"channels": list(first.channels), "named": first.named, "table": first.options.columns()}
        for each in table.series:
            names = table.channels if table.named else None
            try:
                values = matched(each.values, names, about, str(table.path), str(first.path))
            except EarsightError as error:
                failures.append((table.path.stem, str(error)))
                break  # as all series of this table
            whole = replace(each, values=values, label=source.label or each.label, split=source.split or each.split)
            stem = source.path.stem if len(table.series) == 1 or len(tables) > 1 else ""
            identity = "-".join(filter(None, (source.label, stem, each.name if each.name != stem else "")))
            made.append(_Described(identity, whole, about))
    twice = Counter(each.identity for each in made)
    return [each if twice[each.identity] == 1 else replace(each, identity=f"{each.identity}-{number}")
            for number, each in enumerate(made, 1)]


def _all_cuts(described: list[_Described], source: Path, sampling: Sampling, folder: Path | None, failures: Failures,
              progress: bool = False) -> list[MonoCut]:
    """The cuts of all series, at one step; those of which none can be made are failures."""
    step = _step([each.series for each in described], sampling)
    cuts: list[MonoCut] = []
    for each in progress_bar(described, "series", progress):
        try:
            made = list(_cuts(each, step, sampling, folder))
            if not made:
                raise EarsightError(f"shorter than a window of {sampling.window:g} s; give a shorter one")
            cuts += made
        except EarsightError as error:
            failures.append((each.identity, f"{source}: series {each.identity}: {error}"))
    return cuts


def _step(series: list[Series], sampling: Sampling) -> float:
    """Seconds between two frames, of all series."""
    if sampling.resample:
        return sampling.resample
    return usual_step(each.times for each in series) or (1 / sampling.rate if sampling.rate else DEFAULT_STEP)


def _frames(series: Series, step: float, sampling: Sampling) -> np.ndarray:
    """A series at equal steps."""
    if series.times is not None:
        return on_grid(series.times, series.values, step)
    if sampling.resample and sampling.rate:
        return on_grid(np.arange(len(series.values)) / sampling.rate, series.values, step)
    return series.values


def _cuts(described: _Described, step: float, sampling: Sampling, folder: Path | None) -> Iterator[MonoCut]:
    """The cuts of a series, one or a window each; frames in `folder`, or in memory."""
    series = described.series
    frames = _frames(series, step, sampling)
    path, values = (stored(frames, folder), None) if folder else (Path(f"{described.identity}.npy"), frames)
    make = partial(frames_cut, path=path, shape=frames.shape, frame_shift=step, values=values, label=series.label,
                   custom={"series": described.about},
                   supervision_custom={"split": series.split} if series.split else None)
    if not sampling.window:
        yield make(described.identity, group=series.group)
        return
    length = max(1, round(sampling.window / step))
    hop = max(1, round((sampling.hop or sampling.window) / step))
    for start in range(0, len(frames) - length + 1, hop):
        yield make(f"{described.identity}-{start:06}", group=series.group or described.identity, start=start * step,
                   duration=length * step)


def stored(frames: np.ndarray, folder: Path) -> Path:
    """The file of frames, under a key of their content: another run's manifests never meet other frames."""
    key = hashlib.sha256(str(frames.shape).encode() + frames.tobytes()).hexdigest()[:32]
    path = folder / key[:2] / f"{key}.npy"
    if not path.exists():
        with whole_file(path) as temporary, open(temporary, "wb") as file:
            np.save(file, np.ascontiguousarray(frames, np.float32), allow_pickle=False)
    return path


def _divided(cuts: list[MonoCut], source: Path, shares: dict[str, float], by: str, seed: int
             ) -> Iterator[tuple[str, MonoCut]]:
    """Each cut with its split: the files', with dev drawn from train where there is none; or all drawn."""
    if min(shares.values()) < 0 or sum(shares.values()) >= 1:
        told = f"options dev_share {shares['dev']:g} and test_share {shares['test']:g}"
        raise EarsightError(f"{told}: give each at least 0, and less than 1 in all")
    given = {cut.id: (cut.supervisions[0].custom or {}).get("split") for cut in cuts}
    if any(given.values()):
        splits = {name: split_named(split) if split else "" for name, split in given.items()}
        if strange := next((name for name, split in splits.items() if split not in SPLITS), None):
            raise EarsightError(f"{source}: series {strange} has the split {given[strange]!r}; it is one of "
                                f"{', '.join(SPLITS)}")
        train = [cut for cut in cuts if splits[cut.id] == "train"]
        if "dev" not in splits.values() and train and shares["dev"]:
            splits |= divide(train, {"dev": shares["dev"]}, by=by, seed=seed)
    else:
        splits = divide(cuts, {"test": shares["test"], "dev": shares["dev"]}, by=by, seed=seed)
    return ((splits[cut.id], cut) for cut in cuts)


def _demand_classes(labels: list[str], source: Path) -> None:
    """Refuse a column of numbers or names that cannot be learnt as classes."""
    counts = Counter(labels)
    if len(counts) > max(2, len(labels) // 2):
        shown = ", ".join(list(counts)[:3])
        raise EarsightError(f"{source}: {len(counts)} classes for {len(labels)} series ({shown}, ...), too few of each "
                            "to learn; name the column of classes (label=...), or make a few classes of what it holds")


def _tell(tables: list[tuple[Source, SeriesTable]], more: list[str]) -> None:
    for note in dict.fromkeys([*(note for _, table in tables for note in table.notes[:20]), *more]):
        print(f"note: {note}", file=sys.stderr, flush=True)
