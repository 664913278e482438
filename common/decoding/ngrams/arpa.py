"""The ARPA format of n-gram models, which KenLM and others read: written whole, and its words read."""

from itertools import dropwhile, islice, takewhile
from pathlib import Path

from ...files import whole_file
from .model import NgramModel


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
