"""Tables as a model takes them: which columns of them are read, which channels are its own."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import EarsightError
from .reading import TableOptions
from .reading.columns import PARQUET_SUFFIXES, TEXT_SUFFIXES, header_of


def matched(values: np.ndarray, channels: Sequence[str] | None, layout: Mapping[str, Any], name: str, owner: str
            ) -> np.ndarray:
    """Values (time, channel) with the channels of a layout: by name, or by place where one of both names none.

    Args:
        channels: the values' own; None where their file names none.
        layout: `channels`, and whether they are `named`; see `series.data.SeriesData`.
        name: where the values come from, for the message.
        owner: what has the layout: "model mine".

    Raises:
        EarsightError: some are not there; names them.
    """
    wanted = list(layout["channels"])
    if channels is None or not layout["named"]:
        if values.shape[1] != len(wanted):
            raise EarsightError(f"{name}: {values.shape[1]} channels, and {owner} has {len(wanted)}"
                                + (f" ({', '.join(wanted[:12])})" if layout["named"] else ""))
        return values
    if lacking := [each for each in wanted if each not in channels]:
        raise EarsightError(f"{name}: lacks {_with_hints(lacking, channels)}; {owner} has {', '.join(wanted[:12])}: "
                            "rename the columns, or choose another")
    return values[:, [list(channels).index(each) for each in wanted]]


def _with_hints(lacking: Sequence[str], channels: Iterable[str], shown: int = 6) -> str:
    by_case = {each.lower(): each for each in channels}
    told = []
    for name in lacking[:shown]:
        near = difflib.get_close_matches(name.lower(), by_case, n=1, cutoff=0.6)
        told.append(f"{name} (is it {by_case[near[0]]}?)" if near else name)
    more = len(lacking) - shown
    return f"channel{'s' * (len(lacking) > 1)} {', '.join(told)}" + (f" and {more} more" if more > 0 else "")


def table_options(path: Path, layout: Mapping[str, Any], owner: str, labelled: bool) -> TableOptions:
    """How a table is read for a model of a layout: as those of training were, where it has their columns.

    A table that has none of the model's channels may be wide, and is looked into.

    Args:
        labelled: see `TableOptions`.

    Raises:
        EarsightError: it has some of the model's channels only.
    """
    told, names = dict(layout["table"]), tuple(layout["channels"]) if layout["named"] else ()
    if path.suffix.lower() in TEXT_SUFFIXES | PARQUET_SUFFIXES:
        header = header_of(path)
        told = {key: value for key, value in told.items() if key == "unit" or value in header}
        names = names if set(names) <= set(header) else ()
        if not names and layout["named"] and set(layout["channels"]) & set(header):
            matched(np.empty((0, len(header))), header, layout, str(path), owner)  # says which are not there
    else:
        told = {}
    try:
        return TableOptions(**told, channels=names, labelled=labelled)
    except TypeError as error:  # a name that is none, in a damaged folder
        raise EarsightError(f"{owner}: says of tables what is nothing ({str(error)[:80]}); export the model again"
                            ) from error
