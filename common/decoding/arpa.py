"""The ARPA format of n-gram models, which KenLM and others read: written whole, and its words read."""

from collections.abc import Sequence
from itertools import dropwhile, islice, takewhile
from pathlib import Path

from ..errors import EarsightError
from ..files import whole_file

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
SPACE = "|"  # stands for the space in models of characters, where a line is split at spaces

Ngram = tuple[str, ...]


def write_arpa(model: Sequence[dict[Ngram, tuple[float, float]]], path: str | Path) -> None:
    """Write what `estimate` gives, whole or not at all; the same model, the same bytes."""
    from tqdm import tqdm  # takes longer to load than most of what reads with a model

    with whole_file(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write("\\data\\\n")
        file.writelines(f"ngram {n}={len(grams)}\n" for n, grams in enumerate(model, 1))
        for n, grams in enumerate(model, 1):
            file.write(f"\n\\{n}-grams:\n")
            for gram, (probability, backoff) in tqdm(sorted(grams.items()), desc=f"writing {n}-grams", disable=None):
                last = "" if n == len(model) else f"\t{backoff:.7g}"
                file.write(f"{probability:.7g}\t{' '.join(gram)}{last}\n")
        file.write("\n\\end\\\n")


def words_of_arpa(path: str | Path) -> list[str] | None:
    """The words of an ARPA file, without the format's marks; None for another file, as KenLM's binary ones."""
    try:
        with open(path, "rb") as file:
            if file.readline(20).strip() != b"\\data\\":
                return None
            lines = dropwhile(lambda line: line.strip() != b"\\1-grams:", file)
            unigrams = takewhile(lambda line: not line.startswith(b"\\"), islice(lines, 1, None))
            fields = [line.decode("utf-8", "replace").split() for line in unigrams]
    except OSError as error:
        raise EarsightError(f"{path}: the language model cannot be read ({error.strerror})") from error
    words = [field[1] for field in fields if len(field) > 1]
    return [word for word in words if word not in (START, END, UNKNOWN)]
