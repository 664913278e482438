"""A language model's file, whichever of KenLM's formats it has: its words, or all of it."""

from pathlib import Path

from ...errors import EarsightError
from .arpa import read_arpa, words_of_arpa
from .kenlm_binary import is_binary, words_of_binary
from .model import END, START, UNKNOWN, NgramModel


def words_of_lm(path: str | Path) -> list[str] | None:
    """The words, without the format's marks; None where the file holds none, as binary files may."""
    try:
        words = words_of_arpa(path)
        if words is None:
            words = words_of_binary(path)
    except OSError as error:
        raise EarsightError(f"{path}: the language model cannot be read ({error.strerror})") from error
    return words and [word for word in words if word not in (START, END, UNKNOWN)]


def read_model(path: str | Path) -> NgramModel:
    """All n-grams of an ARPA file, or of one that `earsight lm` made.

    Raises:
        EarsightError: it is neither, or cannot be read.
    """
    from .kenlm_reading import read_binary

    try:
        return read_binary(path) if is_binary(path) else read_arpa(path)
    except OSError as error:
        raise EarsightError(f"{path}: the language model cannot be read ({error.strerror})") from error
