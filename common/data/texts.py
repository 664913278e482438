"""The sentences in text files, manifests and tables, for language models."""

from collections.abc import Iterable
from pathlib import Path

from ..errors import EarsightError
from ..texts import read_text, tidy
from .tables_and_folders import TABLE_SUFFIXES, table_rows


def read_texts(paths: Iterable[str | Path]) -> list[str]:
    """Tidy sentences: of text files, one a line, of manifests (`.jsonl`, `.jsonl.gz`), of tables' column `text`."""
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
        texts += read_text(path).splitlines()
    return [tidied for text in texts if (tidied := tidy(text))]


def _need_text(header: list[str], path: Path) -> None:
    if "text" not in header:
        raise EarsightError(f"{path}, line 1: no column text among {', '.join(header)}; a text file has another suffix")
