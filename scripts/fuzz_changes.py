"""How fuzz.py changes texts and JSON, of which most single bytes mean nothing."""

from __future__ import annotations

import json
import random
import re
from copy import deepcopy
from typing import Any

ODD_TOKENS = [
    "", "0", "-1", "-0", "1e999", "-1e999", "nan", "NaN", "inf", "1e-320", "1e308", "2147483648", "9" * 30, "9" * 5000,
    "0x10", "1_0", "٣", "²", "true", "null", "\0", "\ufeff", "\u2028", "é", "A\u0301", "\U0001f600", "a" * 3000, '"',
    "'", ",", ":", ";", "|", "\\", "?", "#", "%", "..", "/", "<unk>", "<s>", "</s>", "@data", "@end", "\\data\\",
    "\\end\\", "2024-05-31 10:00:00", "0001-01-01", "9999-12-31T23:59:59-23:59"]
ODD_VALUES = [
    None, True, False, 0, -1, 1, 2, 0.5, -0.5, 1e308, 1e-300, float("inf"), float("nan"), 2**31, 2**63, 10**400, "",
    "a", "\0", "\ud800", "nan", "1", "../x", "a" * 3000, [], {}, [None], [[]], [0, 1], {"a": None}, ["a", "b"], [1.5]]
BREAKS = re.compile(r"([\s,:;|(){}\[\]\"'=]+)")


def mutate_text(data: bytes, most: int, seed: int) -> bytes:
    """Words, cells and lines taken for others; now and then bytes."""
    import atheris

    draw = random.Random(seed)
    if draw.random() < 0.3:
        return atheris.Mutate(data, most)
    text = data[1:].decode("utf-8", "surrogateescape")
    for _ in range(draw.choice((1, 1, 2, 4))):
        text = draw.choice((change_word, change_word, change_lines))(text, draw)
    first = bytes([draw.randrange(256)]) if draw.random() < 0.1 else data[:1]
    return (first + text.encode("utf-8", "surrogateescape"))[:most]


def change_word(text: str, draw: random.Random) -> str:
    words = BREAKS.split(text)
    place = draw.randrange(len(words))
    words[place] = draw.choice(ODD_TOKENS) if draw.random() < 0.7 else draw.choice(words)
    return "".join(words)


def change_lines(text: str, draw: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    place = draw.randrange(len(lines)) if lines else 0
    kept, other, odd = lines[place:place + 1], draw.choice(lines or [""]), draw.choice(ODD_TOKENS) + "\n"
    lines[place:place + 1] = draw.choice(([], kept * 2, [other], [*kept, other], [odd, *kept]))
    return "".join(lines)


def mutate_json(data: bytes, most: int, seed: int) -> bytes:
    """Values of the JSON in a text, or in one of its lines, taken for others; now and then words or bytes."""
    draw = random.Random(seed)
    text = data[1:].decode("utf-8", "replace")
    lines = [text] if text.lstrip().startswith("{\n") or "\n" not in text.strip() else text.split("\n")
    place = draw.randrange(len(lines))
    try:
        plain = json.loads(lines[place])
    except (ValueError, RecursionError):
        return mutate_text(data, most, seed)
    if draw.random() < 0.15:
        return mutate_text(data, most, seed)
    for _ in range(draw.choice((1, 1, 2, 3))):
        plain = with_other_value(plain, draw)
    changed = json.dumps(plain)
    if draw.random() < 0.01:
        changed = changed.replace("null", "[" * 3000, 1)
    lines[place] = changed
    first = bytes([draw.randrange(256)]) if draw.random() < 0.1 else data[:1]
    return (first + "\n".join(lines).encode("utf-8", "replace"))[:most]


def with_other_value(plain: Any, draw: random.Random) -> Any:
    """JSON of which one value is another, or is gone, or is there twice."""
    if not isinstance(plain, dict | list) or not plain or draw.random() < 0.1:
        return deepcopy(draw.choice(ODD_VALUES))
    key = draw.choice(list(plain) if isinstance(plain, dict) else range(len(plain)))
    if draw.random() < 0.1:
        del plain[key]
    elif draw.random() < 0.1:
        other = draw.choice(list(plain.values()) if isinstance(plain, dict) else plain)
        plain[key] = deepcopy(other)
    else:
        plain[key] = with_other_value(plain[key], draw)
    return plain
