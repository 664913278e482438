"""The ARPA format of n-gram models, which KenLM and others read: written whole, and its words read."""

from itertools import dropwhile, islice, takewhile
from pathlib import Path

import numpy as np

from ...errors import EarsightError
from ...files import whole_file
from .model import END, START, UNKNOWN, Grams, NgramModel

NEVER = -99.0  # log10 of what is not said; SRILM writes it of START


def write_arpa(model: NgramModel, path: str | Path) -> None:
    """Write the model, whole or not at all; the same model, the same bytes."""
    from tqdm import tqdm  # takes longer to load than most of what reads with a model

    with whole_file(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write("\\data\\\n")
        file.writelines(f"ngram {n}={len(grams)}\n" for n, grams in enumerate(model.orders, 1))
        for n, (texts, log_probs, backoffs) in enumerate(zip(model.texts(), model.log_probs, model.backoffs), 1):
            file.write(f"\n\\{n}-grams:\n")
            lines = zip(log_probs.tolist(), texts, backoffs.tolist())
            for log_prob, text, backoff in tqdm(lines, f"writing {n}-grams", len(log_probs), disable=None):
                last = "" if n == len(model.orders) else f"\t{backoff:.7g}"
                file.write(f"{log_prob:.7g}\t{text}{last}\n")
        file.write("\n\\end\\\n")


def words_of_arpa(path: str | Path) -> list[str] | None:
    """The words of an ARPA file, marks included; None for another file."""
    with open(path, "rb") as file:
        if file.readline(20).strip() != b"\\data\\":
            return None
        lines = dropwhile(lambda line: line.strip() != b"\\1-grams:", file)
        unigrams = takewhile(lambda line: not line.startswith(b"\\"), islice(lines, 1, None))
        fields = [line.decode("utf-8", "replace").split() for line in unigrams]
    return [field[1] for field in fields if len(field) > 1]


def read_arpa(path: str | Path) -> NgramModel:
    """The model of an ARPA file.

    Raises:
        EarsightError: it is none, or n-grams lack their beginnings or ends.
    """
    sections = _sections(path)
    if not sections or not sections[0]:
        raise EarsightError(f"{path}: no ARPA file of n-grams; make one with `earsight lm`")
    lines = {fields[1]: fields for fields in sections[0]}
    for mark in (START, END, UNKNOWN):
        lines.setdefault(mark, [str(NEVER), mark])
    words = sorted(lines)
    numbers = {word: number for number, word in enumerate(words)}
    sections[0] = [lines[word] for word in words]
    nothing = np.zeros(len(words), np.int32)
    orders, keys, log_probs, backoffs = [Grams(nothing, nothing, np.arange(len(words), dtype=np.int32))], [], [], []
    for n, section in enumerate(sections, 1):
        try:
            if n > 1:
                spelt = np.array([[numbers[word] for word in fields[1:n + 1]] for fields in section], np.int64)
                spelt = spelt.reshape(-1, n)
                spelt = spelt[by_words := np.lexsort(spelt.T[::-1])]
                context, suffix = _places(spelt[:, :-1], keys), _places(spelt[:, 1:], keys)
                section = [section[i] for i in by_words]
                orders.append(Grams(context.astype(np.int32), suffix.astype(np.int32), spelt[:, -1].astype(np.int32)))
                keys.append(context * len(words) + spelt[:, -1])
            else:
                keys.append(np.arange(len(words)))
            log_probs.append(_numbers([fields[0] for fields in section]))
            backoffs.append(_numbers([fields[n + 1] if len(fields) > n + 1 else "0" for fields in section]))
        except KeyError as error:
            raise EarsightError(f"{path}: one of its {n}-grams holds {error.args[0]!r}, which is none of its words"
                                ) from error
        except ValueError as error:  # of a number
            raise EarsightError(f"{path}: a line of its {n}-grams cannot be read ({error})") from error
        except LookupError as error:
            raise EarsightError(f"{path}: one of its {n}-grams lacks its beginning or its end among the shorter ones; "
                                "it was made by other tools: have them write those too") from error
    log_probs[0][numbers[START]] = 0.0  # which is never asked for, and weighs no mixture down
    return NgramModel(words, orders, log_probs, backoffs)


def _numbers(texts: list[str]) -> np.ndarray:
    with np.errstate(over="ignore"):  # what overflows is reported as infinite
        values = np.array([float(text) for text in texts]).astype(np.float32)
    if strange := [text for text, fine in zip(texts, np.isfinite(values)) if not fine]:
        raise ValueError(f"{strange[0]} is no log-probability")
    return values


def _sections(path: str | Path) -> list[list[list[str]]]:
    """The fields of each line, for each length."""
    sections = []
    with open(path, encoding="utf-8", errors="replace") as file:
        if file.readline(20).strip() != "\\data\\":
            return []
        for line in file:
            if line.startswith("\\"):
                if line.strip() == "\\end\\":
                    break
                sections.append([])
            elif sections and (fields := line.split()):
                if len(fields) <= len(sections):
                    raise EarsightError(f"{path}: a line of its {len(sections)}-grams cannot be read ({line.strip()})")
                sections[-1].append(fields)
    return sections


def _places(spelt: np.ndarray, keys: list[np.ndarray]) -> np.ndarray:
    """Which n-grams these words are (n-grams, length). Raises LookupError where one is none."""
    places = spelt[:, 0]
    for length in range(1, spelt.shape[1]):
        wanted = places * len(keys[0]) + spelt[:, length]
        places = np.minimum(np.searchsorted(keys[length], wanted), len(keys[length]) - 1)
        if not np.array_equal(keys[length][places], wanted):
            raise LookupError
    return places
