"""A text to a language model's file."""

from collections.abc import Iterable, Sequence
from math import isfinite
from pathlib import Path

from ...errors import EarsightError
from ...texts import read_text, tidy
from .arpa import write_arpa
from .counting import count_ngrams
from .kenlm_binary import BINARY_SUFFIXES, binary_size, bytes_per_ngram, write_binary
from .mixing import mix, mixture_model
from .model import HIGHEST_ORDER, SPACE, NgramModel
from .pruning import all_kept, prune
from .reading import read_model
from .smoothing import smoothed_model


def make_model(texts: Sequence[str], order: int, output: str | Path, characters: bool = False,
               vocabulary: int | Sequence[str] | None = None, size: float | None = None,
               mixed_with: str | Path | None = None, share: float = 0.5) -> str:
    """Sentences to a file of n-grams of words, or of characters; returns what was made.

    Args:
        output: KenLM's binary format where its suffix is one of BINARY_SUFFIXES, else ARPA.
        vocabulary: how many of the commonest words to keep, or which; others become `<unk>`.
        size: megabytes (of 10^6 bytes) that a binary file may have; the n-grams that tell least are left out.
        mixed_with: another model's file, which the text's model is mixed with (see `mixing`).
        share: how much the text counts there, between 0 and 1.

    Raises:
        EarsightError: as `estimate` does; and of a share that leaves either out, or a size for a mixture.
    """
    binary = Path(output).suffix.lower() in BINARY_SUFFIXES
    if size is not None and not binary:
        raise EarsightError(f"{output}: a size can be kept in KenLM's binary format; name the output "
                            f"{Path(output).stem}{BINARY_SUFFIXES[0]}")
    if mixed_with is not None:
        if size is not None:
            raise EarsightError("a size is kept by leaving out what a text says seldom, which a model that it is mixed "
                                "with does not tell; leave --size or --mix out, or lower --order")
        if not 0 < share < 1:
            raise EarsightError(f"a share of {share:g}: not between 0 and 1; it is how much the text counts beside the "
                                "model that it is mixed with")
    model = estimate(map(_letters if characters else str.split, texts), order, vocabulary, size)
    if mixed_with is not None:
        model = mixture_model(mix([model, read_model(mixed_with)], [share, 1 - share]))
    (write_binary if binary else write_arpa)(model, output)
    grams = ", ".join(f"{len(grams)} {n}-grams" for n, grams in enumerate(model.orders, 1))
    return f"{output}: {len(texts)} sentences, {grams}, {Path(output).stat().st_size / 1e6:.1f} MB"


def estimate(sentences: Iterable[Sequence[str]], order: int, vocabulary: int | Sequence[str] | None = None,
             size: float | None = None) -> NgramModel:
    """Estimate a model in memory: some 150 bytes a word of text at order 4; see `make_model` for the arguments.

    Raises:
        EarsightError: KenLM reads no n-grams so long, there are no words, one of them is a mark of the format, or the
            size is none.
    """
    if order > HIGHEST_ORDER:
        raise EarsightError(f"order {order}: KenLM reads n-grams of up to {HIGHEST_ORDER} words; lower --order")
    if size is not None and not (isfinite(size) and size > 0):
        raise EarsightError(f"a size of {size:g} MB: not above 0; name the megabytes that a file may have")
    counted = count_ngrams(sentences, order, vocabulary)
    kept = all_kept(counted.words, counted.orders)
    if size is not None:
        words, target = counted.words, round(size * 1e6)
        if (least := binary_size(words, [len(words), *[0] * max(order - 1, 1)])) > target:
            raise EarsightError(f"the {len(words)} words alone take {least / 1e6:.3g} MB, and {size:g} were asked for; "
                                "keep fewer words (--vocabulary)")
        costs = bytes_per_ngram(len(words), order)
        kept = prune(counted, kept, costs, lambda counts: binary_size(words, counts), target)
    return smoothed_model(counted, kept)


def read_words(path: str | Path) -> list[str]:
    """The words of a list or a lexicon: the first of each line.

    Raises:
        EarsightError: there are none.
    """
    words = [tidied.split()[0] for line in read_text(path, "the vocabulary").splitlines() if (tidied := tidy(line))]
    if not words:
        raise EarsightError(f"{path}: the vocabulary is empty; write a word a line")
    return words


def _letters(text: str) -> list[str]:
    return [SPACE if c == " " else c for c in " ".join(text.split())]
