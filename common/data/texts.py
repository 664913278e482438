"""The sentences in text files, manifests and tables, for language models."""

from collections.abc import Iterable
from pathlib import Path

from ..errors import EarsightError
from .tables_and_folders import TABLE_SUFFIXES, table_rows


def read_texts(paths: Iterable[str | Path]) -> list[str]:
    """The sentences of text files, one a line, of manifests (`.jsonl`, `.jsonl.gz`), and of tables' column `text`."""
    texts: list[str] = []
    for path in map(Path, paths):
        if path.suffix.lower() in TABLE_SUFFIXES:
            texts += [row["text"] for _, row in table_rows(path, _need_text)]
            continue
        if path.name.endswith((".jsonl", ".jsonl.gz")):
            from .cuts import text_of
            from .manifest import read_manifest

            texts += [text_of(cut) or "" for cut in read_manifest(path)]
            continue
        try:
            texts += path.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise EarsightError(f"{path}: the text cannot be read ({error.strerror})") from error
        except UnicodeDecodeError as error:
            raise EarsightError(f"{path}: no UTF-8 text ({error.reason} at byte {error.start}); convert it") from error
    return [text for text in texts if text.strip()]


def _need_text(header: list[str], path: Path) -> None:
    if "text" not in header:
        raise EarsightError(f"{path}, line 1: no column text among {', '.join(header)}; a text file has another suffix")
