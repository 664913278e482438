"""The channels of a series, as a model or other series have them."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..common.errors import EarsightError


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
