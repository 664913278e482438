"""Sentences of free texts, one a line, in the letters of a speech model: what a language model learns from.

    python scripts/texts.py DEST.txt SOURCE [SOURCE ...] [--lines] [--except WORD ...]
                            [--leave-out FILE ...] [--leave-out-sentences FILE ...] [--known FILE ...]

A SOURCE is a file or a folder: .txt and .md (books as Project Gutenberg or its readers keep them), .xml (TEI), .json
(dialogues and commands: what stands under `utterance` or `text`). In DEST are lower case, a to z and apostrophes,
numbers in words, a sentence of 2 to 40 words once. `--lines` reads a line as a text of its own, as in lists of
sentences; otherwise lines make paragraphs.

A model must not have read what it is tested on. `--leave-out` takes transcripts (LibriSpeech's .trans.txt, Kaldi's
text): a book that shares three or more runs of eight words with them is left out, and so is a sentence that holds one.
`--leave-out-sentences` leaves out the sentences themselves, of five words or more. `--except` leaves out sources by a
word in their names, and `--known` the sentences that another DEST has.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from earsight.common.errors import EarsightError
from earsight.common.files import write_whole
from earsight.common.texts import TextForm, read_text

FORM = TextForm(case="lower", punctuation="drop", numbers="words", language="en")
SHORTEST, LONGEST = 2, 40  # words
RUN = 8  # words; what two texts do not share by chance
SHARED = 3  # such runs make a book the one that was read
ENDINGS = (".txt", ".md", ".xml", ".json")

TITLES = {"Mr": "Mister", "Mrs": "Missus", "Messrs": "Messieurs", "Dr": "Doctor", "St": "Saint", "Prof": "Professor",
          "Capt": "Captain", "Col": "Colonel", "Gen": "General", "Lieut": "Lieutenant", "Lt": "Lieutenant",
          "Sergt": "Sergeant", "Rev": "Reverend", "Hon": "Honorable", "Esq": "Esquire", "Jr": "Junior", "No": "Number",
          "Nos": "Numbers", "vs": "versus", "etc": "et cetera", "Mt": "Mount"}  # fmt: skip
_NAMED = "|".join(sorted(set(TITLES) - {"No", "Nos"}))
_TITLE = re.compile(rf"\b(No|Nos)\.(?= ?\d)|\b({_NAMED})\.|\b(Mr|Mrs|Dr)\b")
_ORDINAL = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)\b")
_YEAR = re.compile(r"(?<![\d.,$£#])(1[1-9]|20)(\d\d)(?![\d%]|[.,:]\d)")
_LESSER = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
           "twelve": "twelfth"}  # fmt: skip
# A full stop ends a sentence where a capital follows, unless it stands after an initial.
_END = re.compile(r"(?<=[.!?])(?<!\b[A-Z]\.)[\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-Z])|\s*[;]\s+(?=[\"“][A-Z])")
_MARKS = re.compile(r"https?://\S+|\[[^\]]{0,200}\]|[*_#|>~{}]+")
_TRAILING = re.compile(r"(?:\.{2,}|…)(?=[\"'”’]*\s+[\"'“‘]*[A-Z])")  # dots that end a sentence
_JOINING = re.compile(r"\.{2,}|…|-{2,}")  # what stands between words without a blank
_START = re.compile(r"\*\*\* ?START OF.*?\*\*\*|\*END[^\n]*SMALL PRINT[^\n]*")
_STOP = re.compile(r"\*\*\* ?END OF|End of (?:the )?Project Gutenberg")
_STRANGE = re.compile(r"[@$£€%&=+<>\\^°§©]|\d[:/]\d+[:/]|www\.|Gutenberg|copyright|ebook", re.IGNORECASE)
# Every English sentence of some length has one of these.
COMMON = frozenset(
    "the of and to a in i that it is was he for with his as be on at by had not but you this have from they her she "
    "or are were my me we him your which an all so one if there when what their no would out up do them then who will "
    "said been into more has its could some now our can did very how any about where please".split()
)
VERY_SHORT = 5  # words; below, a sentence may have none of these
LETTERS_ALONE = frozenset("aio")


def sentences(text: str) -> Iterator[str]:
    """The sentences of a paragraph in FORM; those that are no English in letters are left out."""
    text = _MARKS.sub("", _JOINING.sub(" — ", _TRAILING.sub(".", " ".join(text.split()))))
    text = _TITLE.sub(lambda found: TITLES[found[1] or found[2] or found[3]], text)
    for sentence in _END.split(text):
        if sentence.isupper() or _STRANGE.search(sentence):  # headings, prices, addresses
            continue
        sentence = _ORDINAL.sub(lambda found: _ordinal(found[1]), sentence)
        sentence = _YEAR.sub(lambda found: _year(found[1], found[2]), sentence)
        words = FORM(_plain(sentence)).split()
        if SHORTEST <= len(words) <= LONGEST and _is_english(words):
            yield " ".join(words)


def _year(century: str, rest: str) -> str:
    """1984 as nineteen eighty four, 1905 as nineteen oh five, 2010 as two thousand ten."""
    if century == "20" and rest < "20":
        return century + rest
    if rest == "00":
        return f"{century} hundred"
    return f"{century} oh {rest[1]}" if rest[0] == "0" else f"{century} {rest}"


def _ordinal(number: str) -> str:
    *before, last = FORM(str(int(number))).split()
    last = _LESSER.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return " ".join([*before, last])


def _plain(text: str) -> str:
    """Without accents: the model's letters have none."""
    if text.isascii():
        return text
    text = text.replace("æ", "ae").replace("œ", "oe").replace("Æ", "Ae").replace("Œ", "Oe")
    return "".join(letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter))


def _is_english(words: list[str]) -> bool:
    if not all(re.fullmatch(r"[a-z]+(?:'[a-z]+)*", word) and len(word) <= 20 for word in words):
        return False
    if sum(len(word) == 1 and word not in LETTERS_ALONE for word in words) > 1:
        return False
    return len(words) < VERY_SHORT or not COMMON.isdisjoint(words)


# Sources


def paragraphs(path: Path, lines: bool) -> Iterator[str]:
    """What of a file is to be parted into sentences."""
    text = _read(path)
    if path.suffix == ".json":
        yield from _said(json.loads(text))
        return
    if path.suffix == ".xml":
        text = re.sub(r"(?s)<note\b.*?</note>|<head\b.*?</head>", "", text.partition("<body")[2].partition(">")[2])
        text = re.sub(r"</(?:p|l|head|div)>", "\n\n", text)
        text = re.sub(r"<[^>]*>", "", text).replace("&amp;", "and").replace("&apos;", "'").replace("&quot;", '"')
    elif start := _START.search(text):
        text = text[start.end() :]
    if stop := _STOP.search(text):
        text = text[: stop.start()]
    for block in text.splitlines() if lines else re.split(r"\n\s*\n", text):
        if block.strip() and not block.lstrip().startswith("#"):
            yield block


def _read(path: Path) -> str:
    try:
        return read_text(path, "the source").replace("\r\n", "\n")
    except EarsightError:
        return path.read_text(encoding="cp1252", errors="replace")  # older books


def _said(node: object) -> Iterator[str]:
    """What people say in a file of dialogues or commands, whichever way it is kept."""
    if isinstance(node, dict):
        said = node.get("utterance", node.get("text"))
        if isinstance(said, str):
            yield said
        elif isinstance(pieces := node.get("data"), list):  # a sentence in pieces
            yield "".join(str(piece.get("text", "")) for piece in pieces if isinstance(piece, dict))
        else:
            for inner in node.values():
                yield from _said(inner)
    elif isinstance(node, list):
        if len(node) == 2 and all(isinstance(part, str) for part in node):  # a sentence and its label
            yield node[0]
        else:
            for inner in node:
                yield from _said(inner)


def files(sources: Iterable[Path], unwanted: Iterable[str]) -> list[Path]:
    """The sources' files, without those with an unwanted word in their names."""
    found = []
    for source in sources:
        if not source.exists():
            raise EarsightError(f"{source}: no such file or folder; give a source of texts")
        found += sorted(path for path in source.rglob("*") if path.suffix in ENDINGS) if source.is_dir() else [source]
    unwanted = [word.lower() for word in unwanted]
    return [path for path in found if not any(word in path.name.lower() for word in unwanted)]


# What is left out


def runs(words: list[str]) -> set[str]:
    return {" ".join(words[at : at + RUN]) for at in range(len(words) - RUN + 1)}


def transcripts(paths: Iterable[Path]) -> list[list[str]]:
    """The words of transcripts' lines, without the clips' names."""
    lines = []
    for path in paths:
        for line in read_text(path, "the transcripts").splitlines():
            name, _, text = line.strip().partition("\t" if "\t" in line else " ")
            lines.append(FORM(text if any(letter.isdigit() for letter in name) else line).split())
    return lines


def gather(
    sources: list[Path], *, lines: bool = False, tested: set[str] = set(), said: set[str] = set(),
    known: set[str] = set()
) -> tuple[list[str], list[Path]]:
    """The files' sentences, each once, and the files left out for being read in the test.

    Args:
        tested: runs of words that no sentence may hold.
        said: sentences that are left out.
        known: sentences that are had already.
    """
    kept: dict[str, None] = {}
    left_out = []
    for source in sources:
        found = [sentence for block in paragraphs(source, lines) for sentence in sentences(block)]
        if tested and not lines and len(runs(" ".join(found).split()) & tested) >= SHARED:
            left_out.append(source)
            continue
        for sentence in found:
            if sentence in known or sentence in said or (tested and runs(sentence.split()) & tested):
                continue
            kept[sentence] = None
    return list(kept), left_out


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Sentences of free texts, one a line.")
    parser.add_argument("destination", type=Path)
    parser.add_argument("sources", type=Path, nargs="+", metavar="SOURCE", help="a file or a folder of texts")
    parser.add_argument("--lines", action="store_true", help="a line is a text of its own")
    parser.add_argument("--except", dest="unwanted", nargs="+", default=[], metavar="WORD", help="names to leave out")
    parser.add_argument("--leave-out", type=Path, nargs="+", default=[], metavar="FILE", help="transcripts of a test")
    parser.add_argument("--leave-out-sentences", type=Path, nargs="+", default=[], metavar="FILE",
                        help="transcripts, of which only whole sentences are left out")  # fmt: skip
    parser.add_argument("--known", type=Path, nargs="+", default=[], metavar="FILE", help="sentences had already")
    given = parser.parse_args(arguments)
    try:
        tested = {run for words in transcripts(given.leave_out) for run in runs(words)}
        said = {" ".join(words) for words in transcripts(given.leave_out_sentences) if len(words) >= 5}
        known = {line for path in given.known for line in read_text(path).splitlines()}
        found, left_out = gather(
            files(given.sources, given.unwanted), lines=given.lines, tested=tested, said=said, known=known
        )
        write_whole(given.destination, "".join(f"{sentence}\n" for sentence in found))
    except EarsightError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for path in left_out:
        print(f"left out, as it is read in the test: {path}")
    words = sum(len(sentence.split()) for sentence in found)
    print(f"{given.destination}: {len(found)} sentences, {words} words")
    return 0


if __name__ == "__main__":
    sys.exit(main())
