"""The words that a beam search is over, spelled in a model's labels."""

from collections.abc import Container, Iterable
from dataclasses import replace
from pathlib import Path

from ..errors import EarsightError
from ..labels import Labels, form_of
from ..texts import read_text, tidy
from .hotwords import Hotword
from .ngrams.model import SPACE
from .ngrams.reading import words_of_lm
from .options import DecodingOptions


def find_lexicon(labels: Labels, options: DecodingOptions) -> dict[str, list[list[int]]]:
    """The spellings, as label ids, of all words that can be recognised, hotwords aside; empty for any word."""
    if options.lexicon:
        lexicon = read_spellings(options.lexicon, labels)
    elif labels.kind == "phones":
        lexicon = labels.lexicon_ids()
    else:
        words = words_of_lm(options.lm) if options.lm else None
        if words is None or set(words) <= {SPACE, *labels.symbols}:  # a model of labels
            return {}
        spelled, known = {word: labels.spell(word) for word in words}, set(labels.symbols)
        # A word that the labels do not spell cannot be recognised.
        lexicon = {word: [labels.ids(symbols, word)] for word, symbols in spelled.items() if known.issuperset(symbols)}
    return lexicon


def formed_hotwords(hotwords: Iterable[Hotword], labels: Labels, lexicon: Container[str]) -> tuple[Hotword, ...]:
    """Hotwords whose words, where the model does not know them as they are written, are in the form in which it writes.

    As texts are that are aligned or evaluated: Four, is `four`.
    """
    if not (hotwords := tuple(hotwords)):
        return ()
    form = form_of(labels)

    def formed(word: str) -> str:
        spelled = labels.kind != "phones" and set(labels.symbols).issuperset(labels.spell(word))
        return word if word in lexicon or spelled else form(word) or word

    return tuple(hotword if hotword.symbols else replace(hotword, text=" ".join(map(formed, hotword.text.split())))
                 for hotword in hotwords)


def add_hotwords(lexicon: dict[str, list[list[int]]], hotwords: Iterable[Hotword], labels: Labels) -> None:
    """Add to the words of a search those that are listened for.

    Raises:
        EarsightError: one that the labels do not spell.
    """
    for hotword in hotwords:
        for word in hotword.text.split():
            if hotword.symbols:
                spelling = labels.ids(hotword.symbols, f"hotword {hotword.text!r}")
                if spelling not in lexicon.setdefault(word, []):
                    lexicon[word].append(spelling)
            elif word not in lexicon and labels.kind == "phones":
                raise EarsightError(f"hotword {word!r} is not in the lexicon; give its phones: "
                                    f"'{word}=PHONE PHONE ...'")
            elif word not in lexicon:
                lexicon[word] = [labels.ids(labels.spell(word), f"hotword {hotword.text!r}")]


def read_spellings(path: str | Path, labels: Labels) -> dict[str, list[list[int]]]:
    """Read a lexicon, a word a line, its symbols behind it (characters and BPE need none); several lines, several ways.

    Raises:
        EarsightError: a word without phones, or a symbol that the model does not have; with the line.
    """
    lines = read_text(path, "the lexicon").splitlines()
    lexicon: dict[str, list[list[int]]] = {}
    for number, line in enumerate(lines, 1):
        word, *symbols = tidy(line).split() or [""]
        if not word:
            continue
        where = f"{path}, line {number}"
        if not symbols and labels.kind == "phones":
            raise EarsightError(f"{where}: {word!r} has no phones; write `word phone phone ...`")
        lexicon.setdefault(word, []).append(labels.ids(symbols or labels.spell(word), where))
    if not lexicon:
        raise EarsightError(f"{path}: the lexicon is empty")
    return lexicon
