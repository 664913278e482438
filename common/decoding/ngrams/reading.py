"""Which words a language model's file knows, whichever of KenLM's formats it has."""

from pathlib import Path

from ...errors import EarsightError
from .arpa import words_of_arpa
from .kenlm_binary import words_of_binary
from .model import END, START, UNKNOWN


def words_of_lm(path: str | Path) -> list[str] | None:
    """The words, without the format's marks; None where the file holds none, as binary files may."""
    try:
        words = words_of_arpa(path)
        if words is None:
            words = words_of_binary(path)
    except OSError as error:
        raise EarsightError(f"{path}: the language model cannot be read ({error.strerror})") from error
    return words and [word for word in words if word not in (START, END, UNKNOWN)]
