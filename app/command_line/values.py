"""Values of arguments: what they may be, and what is said of others."""

import argparse
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

TRANSCRIPT_FORMATS = ("txt", "json", "jsonl", "srt", "vtt", "ctm", "stm", "TextGrid", "tsv")
CLASSIFICATION_FORMATS = ("txt", "json", "csv", "srt")


def port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port, a number from 0 to 65535")
    return int(text)


def amount(text: str) -> float:
    return _number(text, lambda value: 0 < value < 1e9, "a number above 0")


def share(text: str) -> float:
    return _number(text, lambda value: 0 <= value <= 1, "a number between 0 and 1")


def megabytes(text: str) -> float:
    return _number(text, lambda value: 0 < value < 1e6, "a number of megabytes")


def vocabulary(text: str) -> int | Path:
    return positive(text) if text.isdecimal() else Path(text)


def format_name(name: str) -> str:
    known = {form.lower(): form for form in (*TRANSCRIPT_FORMATS, *CLASSIFICATION_FORMATS)}
    return known.get("txt" if name == "text" else name.lower(), name)


def channels(text: str) -> str | int:
    return text if text in ("mix", "split") else positive(text)


def address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if text not in ("local", "auto") and not (host and "/" not in host and port.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text} is none of local, auto and HOST:PORT; write files before --ray, and "
                                         "in the place of an address of Ray's clients run this on a machine of the "
                                         "cluster, with auto")
    return text


def whole(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**15:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 0")
    return int(text)


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1")
    return int(text)


def _number(text: str, fits: Callable[[float], bool], what: str) -> float:
    with suppress(ValueError):
        if fits(value := float(text)):
            return value
    raise argparse.ArgumentTypeError(f"{text} is not {what}")
