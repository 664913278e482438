"""`earsight lm`: an n-gram language model of text, in the ARPA format that KenLM and others read. Plain Python.

Modified Kneser-Ney smoothing, interpolated (Chen and Goodman, 1998), with the conventions of KenLM's lmplz (Heafield et
al., 2013): unigrams are interpolated with the uniform distribution over all words, `</s>` and `<unk>`.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import dropwhile, islice, takewhile
from pathlib import Path

from ..errors import EarsightError
from ..files import whole_file

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
SPACE = "|"  # stands for the space in models of characters, where a line is split at spaces
FALLBACK = (0.5, 1.0, 1.5)  # lmplz's discounts for texts too small to estimate them from

Ngram = tuple[str, ...]


def estimate(sentences: Iterable[Sequence[str]], order: int) -> list[dict[Ngram, tuple[float, float]]]:
    """Estimate a model, held in memory whole: for texts of millions of words, not billions.

    Args:
        sentences: each a sequence of words.
        order: the longest n-grams, from 1.

    Returns:
        For n = 1 to `order`: n-gram -> its log10 probability, and the log10 weight of backing off from it (0 where
        nothing follows it).

    Raises:
        EarsightError: there are no words, or one of them is a mark of the format.
    """
    counts = _adjusted_counts(sentences, order)
    if len(counts[0]) <= 1:  # </s> alone
        raise EarsightError("the text holds no words; a language model needs some")
    vocabulary = len(counts[0]) + 1  # with <unk>, which nothing was seen of
    lower = {(): 1 / vocabulary}
    probabilities, weights = [], []
    for of_order in counts:
        discounts = _discounts(of_order)
        probability, weight = _interpolated(of_order, discounts, lower)
        if not probabilities:
            probability[UNKNOWN,] = weight[()] / vocabulary
        probabilities.append(probability)
        weights.append(weight)
        lower = probability
    model = [{gram: (math.log10(p), math.log10(follow.get(gram, 1.0))) for gram, p in probability.items()}
             for probability, follow in zip(probabilities, [*weights[1:], {}])]
    start = weights[1].get((START,), 1.0) if order > 1 else 1.0
    model[0][START,] = (0.0, math.log10(start))  # never predicted; KenLM writes 0 too
    return model


def _adjusted_counts(sentences: Iterable[Sequence[str]], order: int) -> list[Counter]:
    """For each n the n-grams' counts: for the longest and those from the start how often, else after how many words.

    The second is what Kneser and Ney (1995) put in a count's place: "Francisco" is frequent, but follows only "San".
    """
    longest: list[Counter] = [Counter() for _ in range(order)]  # as far left as the order or the start lets them go
    for words in sentences:
        marks = {START, END, UNKNOWN}.intersection(words)
        if marks:
            raise EarsightError(f"{marks.pop()!r} in the text is a mark of the ARPA format; take it out")
        padded = (START, *words, END)
        for end in range(2, len(padded) + 1):
            gram = padded[max(0, end - order):end]
            longest[len(gram) - 1][gram] += 1
    adjusted = [Counter() for _ in range(order)]
    adjusted[-1] = longest[-1]
    for n in range(order - 1, 0, -1):
        for gram in adjusted[n]:
            adjusted[n - 1][gram[1:]] += 1
        adjusted[n - 1].update(longest[n - 1])
    return adjusted


def _discounts(counts: Counter) -> tuple[float, float, float]:
    """What is taken off counts of 1, of 2, and of 3 or more (Chen and Goodman, 1998, equation 26)."""
    of = Counter(counts.values())
    if not all(of[k] for k in (1, 2, 3)):
        return FALLBACK
    share = of[1] / (of[1] + 2 * of[2])
    discounts = tuple(k - (k + 1) * share * of[k + 1] / of[k] for k in (1, 2, 3))
    return discounts if all(0 <= d <= k for k, d in enumerate(discounts, 1)) else FALLBACK


def _interpolated(counts: Counter, discounts: tuple[float, float, float], lower: dict[Ngram, float]
                  ) -> tuple[dict[Ngram, float], dict[Ngram, float]]:
    """Probabilities of n-grams, and of each context the weight that its discounts leave for the shorter n-grams."""
    totals: Counter = Counter()
    taken: dict[Ngram, float] = defaultdict(float)
    for gram, count in counts.items():
        totals[gram[:-1]] += count
        taken[gram[:-1]] += discounts[min(count, 3) - 1]
    weights = {context: taken[context] / total for context, total in totals.items()}
    return {gram: (count - discounts[min(count, 3) - 1]) / totals[gram[:-1]] + weights[gram[:-1]] * lower[gram[1:]]
            for gram, count in counts.items()}, weights


def write_arpa(model: Sequence[dict[Ngram, tuple[float, float]]], path: str | Path) -> None:
    """Write what `estimate` gives, whole or not at all; the same model, the same bytes."""
    with whole_file(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write("\\data\\\n")
        file.writelines(f"ngram {n}={len(grams)}\n" for n, grams in enumerate(model, 1))
        for n, grams in enumerate(model, 1):
            file.write(f"\n\\{n}-grams:\n")
            for gram, (probability, backoff) in sorted(grams.items()):
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


def read_texts(paths: Iterable[str | Path]) -> list[str]:
    """The sentences of text files, one a line, of manifests (`.jsonl`, `.jsonl.gz`), and of tables' column `text`."""
    from ..data.tables_and_folders import TABLE_SUFFIXES, table_rows

    texts: list[str] = []
    for path in map(Path, paths):
        if path.suffix.lower() in TABLE_SUFFIXES:
            texts += [row["text"] for _, row in table_rows(path, _need_text)]
            continue
        if path.name.endswith((".jsonl", ".jsonl.gz")):
            from ..data.cuts import text_of
            from ..data.manifest import read_manifest

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


def make_model(paths: Iterable[str | Path], order: int, output: str | Path, characters: bool = False) -> str:
    """`earsight lm`: text files or manifests to an ARPA file of words or of characters; returns what was made."""
    texts = read_texts(paths)
    sentences = [[SPACE if c == " " else c for c in " ".join(text.split())] if characters else text.split()
                 for text in texts]
    model = estimate(sentences, order)
    write_arpa(model, output)
    grams = ", ".join(f"{len(of_order)} {n}-grams" for n, of_order in enumerate(model, 1))
    return f"{output}: {len(texts)} sentences, {grams}"
