"""Cuts from a file that holds one a line, read one by one: an error names its line, and memory holds no whole set."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from ..errors import EarsightError, first_line
from .cuts import demand_own_fields


def read_lines(path: str | Path, file: BinaryIO | None = None) -> Iterator[Any]:
    """The cuts of a `.jsonl` or `.jsonl.gz` file, one by one; an EarsightError names the line that is damaged.

    `file` is the file where it is open already, and need not be local.
    """
    from lhotse.cut import Cut
    from lhotse.serialization import deserialize_item

    number = 0
    try:
        with _text(path, file) as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                item = json.loads(line)
                if not isinstance(item, dict):
                    raise EarsightError(f"{path}, line {number}: not a cut; give a lhotse cut manifest")
                cut = deserialize_item(item)
                if not isinstance(cut, Cut):
                    raise EarsightError(
                        f"{path}, line {number}: holds a {type(cut).__name__}, not a cut; "
                        "make cuts of it with `lhotse cut simple`"
                    )
                demand_own_fields(cut)
                yield cut
    except EarsightError:
        raise
    except OSError as error:
        raise EarsightError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # damaged gzip, JSON or fields: each parser raises its own kind
        raise EarsightError(
            f"{path}, line {number + (number == 0)}: damaged ({type(error).__name__}: {first_line(error)}); "
            "prepare the corpus again"
        ) from error


def _text(path: str | Path, file: BinaryIO | None) -> TextIO:
    if str(path).endswith(".gz"):
        return gzip.open(file or path, "rt", encoding="utf-8")
    return io.TextIOWrapper(file, encoding="utf-8") if file else open(path, encoding="utf-8")
