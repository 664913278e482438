"""Sentences to be spoken by synthesised voices, out of many: few of them, and many words among them.

    python scripts/choose_sentences.py DEST.txt --books BOOKS.txt --everyday EVERYDAY.txt [--count 14000] [--seed 1]

The texts are those of scripts/texts.py. Chosen are 45 % of books' sentences, 35 % of the everyday ones and 10 % short
ones, of one to four words, for the words that they hold: each further sentence is the one whose frequent words have
been chosen least so far. Another 10 % are made: numbers, dates, times, spelt names and telephone numbers.
"""

from __future__ import annotations

import argparse
import heapq
import sys
from collections import Counter
from collections.abc import Iterable
from math import fsum
from pathlib import Path

import numpy as np
import synthesise
from synthesise import DIGITS, MONTHS, SPELLED, TEENS, TENS

from earsight.common.errors import EarsightError
from earsight.common.files import write_whole
from earsight.common.texts import read_text

SHARES = {"books": 0.45, "everyday": 0.35, "short": 0.10, "made": 0.10}
FREQUENT = 20000  # words to be heard; others make no sentence better
POOL = 20  # sentences that are looked at for each one chosen
AT_RANDOM = 0.3  # of the chosen: language as it is, not its rarest words alone
MINUTES = ["fifteen", "thirty", "forty five", "oh five", "ten", "twenty", "twenty five", "fifty"]
HOURS = "one two three four five six seven eight nine ten eleven twelve".split()
DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()


def choose(sentences: list[str], count: int, frequent: set[str], rng: np.random.Generator) -> list[str]:
    """`count` of the sentences, which hold each frequent word as often as it goes."""
    pool = [sentences[at] for at in rng.permutation(len(sentences))[: POOL * count]]
    chosen = pool[: round(AT_RANDOM * count)]
    heard = Counter(word for sentence in chosen for word in sentence.split())

    def gain(words: list[str]) -> float:
        # fsum: a set's order is another in each process, and the last bits of a sum go by the order.
        return fsum(1 / (1 + heard[word]) for word in set(words) & frequent) / (2 + len(words))

    waiting = [(-gain(sentence.split()), number) for number, sentence in enumerate(pool) if number >= len(chosen)]
    heapq.heapify(waiting)
    while waiting and len(chosen) < count:
        _, number = waiting[0]
        worth = gain(words := pool[number].split())
        # Gains only fall as words are heard: one that still leads the others' old gains is the best.
        if len(waiting) > 1 and -worth > waiting[1][0]:
            heapq.heapreplace(waiting, (-worth, number))
            continue
        heapq.heappop(waiting)
        chosen.append(pool[number])
        heard.update(words)
    return chosen


def _pick(rng: np.random.Generator, words: list[str]) -> str:
    return words[rng.integers(len(words))]


def _time(rng: np.random.Generator) -> str:
    hour, shape = _pick(rng, HOURS), rng.integers(4)
    if shape == 0:
        return f"{_pick(rng, ['half past', 'quarter past', 'a quarter to', 'ten to', 'five past'])} {hour}"
    if shape == 1:
        return f"{hour} o'clock" + _pick(rng, ["", " in the morning", " in the evening"])
    return f"{hour} {_pick(rng, MINUTES)}" + _pick(rng, ["", " a m", " p m"])


def _phone(rng: np.random.Generator) -> str:
    nought = _pick(rng, ["oh", "zero"])
    return " ".join(_pick(rng, [nought, *DIGITS[1:]]) for _ in range(rng.choice([3, 4, 5, 7, 10, 11])))


def _day(rng: np.random.Generator) -> str:
    ordinal = _pick(rng, [*synthesise.DAYS, "tenth", "thirteenth", "fourteenth", "seventeenth", "nineteenth"])
    day, month = _pick(rng, DAYS), _pick(rng, MONTHS)
    return _pick(rng, [f"{day} the {ordinal} of {month}", f"{day} {month} {ordinal}"])


def _name(rng: np.random.Generator) -> str:
    return f"{_pick(rng, SPELLED)} {_pick(rng, SPELLED)}"


def _money(rng: np.random.Generator) -> str:
    number = _pick(rng, [*TENS, *TEENS, *DIGITS[2:]])
    hundreds = _pick(rng, ["", f"{_pick(rng, DIGITS[1:])} hundred and "])
    return f"{hundreds}{number} {_pick(rng, ['dollars', 'pounds', 'euros', 'cents', 'percent'])}"


def made(rng: np.random.Generator) -> str:
    """A number, a date, a time or a name, by itself or in a sentence."""
    shape = rng.integers(12)
    if shape < 4:  # as in a corpus of spelling and dates, alone
        makers = [synthesise._spelling, synthesise._letters, synthesise._digits, synthesise._number, synthesise._date]
        return makers[rng.integers(len(makers))](rng)
    if shape < 6:
        return _phone(rng)
    frames = [
        (["my number is {}", "call me at {}", "the code is {}", "dial {}", "room {}", "flight {}"], _phone),
        (["it is {}", "wake me at {}", "the train leaves at {}", "we meet at {}", "see you at {}", "{}"], _time),
        (["on {}", "we are open until {}", "is it {} today", "he was born on {}", "{}"], _day),
        (["my name is {}", "this is {} speaking", "{}", "please call {}", "i would like to speak to {}"], _name),
        (["it costs {}", "that will be {}", "{}", "they paid {} for it"], _money),
        (["how do you spell {}", "it is spelled {}", "{}"], synthesise._spelling),
    ]
    sentences, maker = frames[rng.integers(len(frames))]
    return _pick(rng, sentences).format(maker(rng))


def sentences_to_speak(books: Iterable[str], everyday: Iterable[str], count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    books, everyday = list(books), list(everyday)
    words = Counter(word for text in (books, everyday) for sentence in text for word in sentence.split())
    frequent = {word for word, _ in words.most_common(FREQUENT)}
    known = {word for word, times in words.items() if times >= 3}  # others are misprints, or foreign

    def of_length(sentences: list[str], least: int, most: int) -> list[str]:
        return [
            sentence
            for sentence in sentences
            if least <= len(words := sentence.split()) <= most and known.issuperset(words)
        ]

    counts = {kind: round(share * count) for kind, share in SHARES.items()}
    chosen = choose(of_length(books, 5, 18), counts["books"], frequent, rng)
    chosen += choose(of_length(everyday, 5, 18), counts["everyday"], frequent, rng)
    short = of_length(everyday, 1, 4) + of_length(books, 1, 4)
    chosen += choose(short, counts["short"], frequent, rng)
    chosen += [made(rng) for _ in range(counts["made"])]
    return [chosen[at] for at in rng.permutation(len(chosen))]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Sentences to be spoken, out of many.")
    parser.add_argument("destination", type=Path)
    parser.add_argument("--books", type=Path, required=True, metavar="FILE")
    parser.add_argument("--everyday", type=Path, required=True, metavar="FILE")
    parser.add_argument("--count", type=int, default=14000, help="of sentences (default: 14000)")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    try:
        books, everyday = (read_text(path, "the sentences").splitlines() for path in (given.books, given.everyday))
        chosen = sentences_to_speak(books, everyday, given.count, given.seed)
        write_whole(given.destination, "".join(f"{sentence}\n" for sentence in chosen))
    except EarsightError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    words = {word for sentence in chosen for word in sentence.split()}
    print(f"{given.destination}: {len(chosen)} sentences, {len(words)} different words")
    return 0


if __name__ == "__main__":
    sys.exit(main())
