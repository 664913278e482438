"""What a model's outputs stand for: characters, BPE pieces, phones of a lexicon, or classes. No torch here."""

import base64
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, islice
from pathlib import Path

import numpy as np

from .errors import EarsightError, require
from .texts import TextForm, read_text, tidy

BLANK = 0  # CTC's blank is always output 0
WORD_START = "▁"  # how SentencePiece marks a piece that begins a word
BOUNDARY = "|"  # stands between the phones of two words
CTC_KINDS = ("characters", "bpe", "phones")

Lexicon = Mapping[str, list[tuple[str, ...]]]  # word -> its pronunciations, the preferred one first


class StoredLexicon(Mapping[str, list[tuple[str, ...]]]):
    """A lexicon as it is stored, phones behind one another in a text, which are taken apart where they are asked for.

    A model may know tens of thousands of words, and a clip holds few of them.
    """

    def __init__(self, plain: dict[str, list[str]]):
        self.plain = plain

    def __getitem__(self, word: str) -> list[tuple[str, ...]]:
        return [tuple(phones.split()) for phones in self.plain[word]]

    def __contains__(self, word: object) -> bool:
        return word in self.plain

    def __iter__(self) -> Iterator[str]:
        return iter(self.plain)

    def __len__(self) -> int:
        return len(self.plain)


@dataclass(frozen=True)
class Labels:
    """The meaning of a model's outputs, and the way from text to them and back.

    Attributes:
        kind: "characters", "bpe" or "phones" (CTC: output 0 is the blank), or "classes".
        symbols: one name an output.
        lexicon: for phones, the words that can be recognised, commonest first.
        bpe_model: for BPE, the SentencePiece model as base64 text; needed to train, not to recognise.
    """

    kind: str
    symbols: tuple[str, ...]
    lexicon: Lexicon = field(default_factory=dict)
    bpe_model: str = ""

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str) -> list[int]:
        """Turn a transcript into output ids, or a class name into its one id.

        Raises:
            EarsightError: a character, word or class that the labels do not know.
        """
        if self.kind == "classes":
            return [self._id(text, f"label {text!r} is unknown to the model; it knows {', '.join(self.symbols)}")]
        words = text.split()
        if self.kind == "bpe":
            return [self._id(piece, f"BPE piece {piece!r} is unknown to the model")
                    for piece in self._sentencepiece.encode(" ".join(words), out_type=str)]
        if self.kind == "phones":
            symbols = [BOUNDARY]
            for word in words:
                if word not in self.lexicon:
                    raise EarsightError(f"word {word!r} is not in the lexicon; add its pronunciation")
                symbols += [*self.lexicon[word][0], BOUNDARY]
            symbols = symbols[1:-1]
        else:
            symbols = list(" ".join(words))
        known = "".join(self.symbols[1:])
        return [self._id(s, f"{s!r} in {text!r} is outside the alphabet {known!r}, which is that of the training "
                            "texts; train on a text that has it, or leave this one out") for s in symbols]

    def decode(self, ids: Sequence[int]) -> str:
        """Turn collapsed ids (no blanks, no repeats of one emission) into text, or a class id into its name."""
        symbols = [self.symbols[i] for i in ids]
        if self.kind == "classes":
            return " ".join(symbols)
        if self.kind == "phones":
            return " ".join(self.nearest_word(phones) for phones in _split(symbols, BOUNDARY))
        return " ".join("".join(symbols).replace(WORD_START, " ").split())

    @property
    def separator(self) -> int | None:
        """The output that stands between two words; None for pieces that mark a word's start, and without spaces."""
        return self._ids.get({"phones": BOUNDARY, "characters": " "}.get(self.kind, ""))

    def spell(self, word: str) -> tuple[str, ...]:
        """A word's symbols, for characters and BPE.

        For BPE as SentencePiece does it: from letters up, the neighbours that make the earliest learnt piece are joined
        first (Sennrich et al., 2016); the pieces' ids are in that order.
        """
        symbols = list(word)
        if self.kind == "bpe":
            symbols = list(WORD_START + word)
            while True:
                pairs = [self._ids.get(a + b, len(self)) for a, b in zip(symbols, symbols[1:])]
                first = min(range(len(pairs)), key=pairs.__getitem__, default=0)
                if not pairs or pairs[first] == len(self):
                    break
                symbols[first:first + 2] = [symbols[first] + symbols[first + 1]]
        return tuple(symbols)

    def ids(self, symbols: Iterable[str], what: str) -> list[int]:
        """The outputs that stand for symbols; `what` begins the complaint about one that is not there."""
        try:  # the complaint is not made before it is needed: lexicons have tens of thousands of words
            return [self._ids[symbol] for symbol in symbols]
        except KeyError as missing:
            raise EarsightError(f"{what}: {missing.args[0]!r} is outside the model's alphabet "
                                f"({' '.join(self.symbols[1:])})") from None

    def lexicon_ids(self) -> dict[str, list[list[int]]]:
        """The lexicon in outputs: word -> its pronunciations.

        Raises:
            EarsightError: a phone that the model does not have.
        """
        known = self._ids
        try:
            if isinstance(self.lexicon, StoredLexicon):
                return {word: [[known[phone] for phone in phones.split()] for phones in every]
                        for word, every in self.lexicon.plain.items()}
            return {word: [[known[phone] for phone in phones] for phones in every]
                    for word, every in self.lexicon.items()}
        except KeyError:
            for word, every in self.lexicon.items():
                for phones in every:
                    self.ids(phones, f"word {word!r}")
            raise

    def nearest_word(self, phones: tuple[str, ...]) -> str:
        """The word whose pronunciation needs the fewest edits; among equals the commoner word."""
        known = self._words_by_pronunciation
        if phones not in known:
            # Cached: the same slip comes back often.
            words, table, lengths = self._pronunciations
            edits = _edits([self._ids.get(phone, -1) for phone in phones], table)
            known[phones] = words[edits[np.arange(len(words)), lengths].argmin()]  # the first of equals
        return known[phones]

    @cached_property
    def _pronunciations(self) -> tuple[list[str], np.ndarray, np.ndarray]:
        """For each pronunciation its word; their outputs (pronunciation, phone), filled up; how long each is."""
        rows = [(word, ids) for word, every in self.lexicon_ids().items() for ids in every]
        lengths = np.array([len(ids) for _, ids in rows])
        table = np.zeros((len(rows), lengths.max()), np.int16)
        for row, (_, ids) in zip(table, rows):
            row[:len(ids)] = ids
        return [word for word, _ in rows], table, lengths

    def minimum_frames(self, ids: Sequence[int]) -> int:
        """The fewest output frames a CTC path for `ids` takes: one each, and a blank between equal neighbours."""
        return len(ids) + sum(a == b for a, b in zip(ids, ids[1:]))

    def to_dict(self) -> dict:
        """Plain types, for checkpoints and `config.json`."""
        return {"kind": self.kind, "symbols": list(self.symbols),
                "lexicon": {word: [" ".join(p) for p in all_p] for word, all_p in self.lexicon.items()},
                "bpe_model": self.bpe_model}

    @staticmethod
    def from_dict(plain: dict) -> "Labels":
        """The inverse of `to_dict`."""
        lexicon = StoredLexicon(plain.get("lexicon", {}))
        return Labels(plain["kind"], tuple(plain["symbols"]), lexicon, plain.get("bpe_model", ""))

    def _id(self, symbol: str, complaint: str) -> int:
        try:
            return self._ids[symbol]
        except KeyError:
            raise EarsightError(complaint) from None

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {symbol: i for i, symbol in enumerate(self.symbols)}

    @cached_property
    def _words_by_pronunciation(self) -> dict[tuple[str, ...], str]:
        words: dict[tuple[str, ...], str] = {}
        for word, pronunciations in self.lexicon.items():
            for pronunciation in pronunciations:
                words.setdefault(pronunciation, word)
        return words

    @cached_property
    def _sentencepiece(self):
        sentencepiece = require("sentencepiece", "train")
        return sentencepiece.SentencePieceProcessor(model_proto=base64.b64decode(self.bpe_model))


def build_labels(kind: str, texts: Iterable[str], lexicon: Path | str | None = None, vocabulary: int = 100) -> Labels:
    """Make the labels of a training set.

    Args:
        kind: "characters", "bpe", "phones" or "classes".
        texts: the transcripts, or the class name of each clip; gone through once, and not kept.
        lexicon: for phones, a file with `word phone phone ...` a line.
        vocabulary: for BPE, how many pieces to learn.
    """
    texts = iter(texts)
    if not (first := list(islice(texts, 1))):
        raise EarsightError("the training set is empty; nothing can be learnt from it")
    texts = chain(first, texts)
    if kind == "classes":
        symbols = sorted(set(texts))
        if len(symbols) < 2:
            raise EarsightError(f"only one class ({symbols[0]!r}) in the training set; classification needs two")
        return Labels(kind, tuple(symbols))
    if kind == "characters":
        return Labels(kind, ("<blank>", *sorted(set(chain.from_iterable(" ".join(t.split()) for t in texts)))))
    if kind == "bpe":
        return _train_bpe(texts, vocabulary)
    if kind == "phones":
        if lexicon is None:
            raise EarsightError("labels 'phones' need a lexicon; give data.lexicon")
        pronunciations = read_lexicon(lexicon)
        counts = Counter(word for text in texts for word in text.split())
        ordered = dict(sorted(pronunciations.items(), key=lambda item: -counts[item[0]]))
        phones = sorted({phone for all_p in ordered.values() for p in all_p for phone in p})
        return Labels(kind, ("<blank>", BOUNDARY, *phones), ordered)
    raise EarsightError(f"labels {kind!r} are unknown; choose characters, bpe, phones or classes")


def read_lexicon(path: Path | str) -> Lexicon:
    """Read `word phone phone ...` lines; a word's further lines are its other pronunciations."""
    lexicon: dict[str, list[tuple[str, ...]]] = {}
    for number, line in enumerate(read_text(path, "the lexicon").splitlines(), 1):
        word, *phones = tidy(line).split() or [""]
        if not word:
            continue
        if not phones:
            raise EarsightError(f"{path}, line {number}: {word!r} has no phones; write `word phone phone ...`")
        lexicon.setdefault(word, []).append(tuple(phones))
    if not lexicon:
        raise EarsightError(f"{path}: the lexicon is empty")
    return lexicon


def _train_bpe(texts: Iterator[str], vocabulary: int) -> Labels:
    sentencepiece = require("sentencepiece", "train")
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=texts, model_writer=model, model_type="bpe", vocab_size=vocabulary,
            character_coverage=1.0, bos_id=-1, eos_id=-1, hard_vocab_limit=False, minloglevel=2)
    except RuntimeError as error:
        raise EarsightError(f"BPE with {vocabulary} pieces cannot be learnt from this text ({error}); "
                            "give another data.vocabulary") from error
    encoded = base64.b64encode(model.getvalue()).decode()
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    # Piece 0 is SentencePiece's <unk>, which the training text never needs: its place is the blank's.
    return Labels("bpe", ("<blank>", *(pieces.id_to_piece(i) for i in range(1, len(pieces)))), bpe_model=encoded)


def _edits(given: Sequence[int], table: np.ndarray) -> np.ndarray:
    """Levenshtein distances of one sequence and the beginnings of many, (n, length) -> (n, length + 1), all at once."""
    place = np.arange(table.shape[1] + 1, dtype=np.int16)
    edits = np.broadcast_to(place, (len(table), len(place)))
    for count, symbol in enumerate(given, 1):
        here = np.empty_like(edits)
        here[:, 0] = count
        here[:, 1:] = np.minimum(edits[:, 1:] + 1, edits[:, :-1] + (table != symbol))
        edits = np.minimum.accumulate(here - place, axis=1) + place  # what is inserted costs 1 each
    return edits


def _split(symbols: Iterable[str], separator: str) -> list[tuple[str, ...]]:
    parts, current = [], []
    for symbol in [*symbols, separator]:
        if symbol != separator:
            current.append(symbol)
        elif current:
            parts.append(tuple(current))
            current = []
    return parts


def form_of(labels: Labels, numbers: str = "keep") -> TextForm:
    """The form in which a model with these labels writes texts.

    Its letters tell: where they are all small (or all capital), case is folded; punctuation that is not among them is
    dropped; `numbers` is as in `TextForm`, where it has no digits. A dotless i among small letters tells the language.
    """
    if labels.kind == "classes":
        return TextForm()
    written = labels.lexicon if labels.kind == "phones" else labels.symbols[1:]
    letters = set("".join(written)) - {WORD_START, " "}
    small, capital = (any(letter != change(letter) for letter in letters) for change in (str.upper, str.lower))
    case = "keep" if small == capital else "lower" if small else "upper"
    dotless = {"i", "\u0131"} <= letters if small else {"I", "\u0130"} <= letters
    digits = any(letter.isdecimal() for letter in letters)
    kept = frozenset(letter for letter in letters if not letter.isalnum())
    return TextForm(case, "drop", kept, "keep" if digits else numbers, "tr" if dotless else "")
