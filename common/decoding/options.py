"""How log-probabilities become words: what a model folder stores, and what a user changes."""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..errors import EarsightError
from ..paths import is_name
from .hotwords import Hotword, parse_hotword

DECODERS = ("greedy", "beam")
LARGEST = 1e300  # whole numbers may be larger than any float

# What values fields may have: their types, a condition, and how an error says it.
CHECKS: dict[tuple[str, ...], tuple[tuple[type, ...], Callable[[Any], bool], str]] = {
    ("beam", "n_best"): ((int,), lambda value: 1 <= value < 2**31, "a whole number from 1"),
    ("beam_threshold",): ((int, float), lambda value: 0 < value < LARGEST or value == math.inf, "a number above 0"),
    ("lm_weight", "word_score", "blank_penalty"): ((int, float), lambda value: abs(value) < LARGEST, "a number"),
    ("lm", "lexicon"): ((str,), lambda value: not value or is_name(value), "the path of a file"),
    ("hotwords",): ((tuple,), lambda value: all(isinstance(each, Hotword) for each in value), "a list of hotwords"),
}


@dataclass(frozen=True)
class DecodingOptions:
    """How log-probabilities become words. All but `decoder` are for the beam search.

    Attributes:
        decoder: "greedy" or "beam".
        beam: hypotheses that are kept from frame to frame.
        beam_threshold: nats; hypotheses that much worse than the best are dropped from frame to frame.
        lm: n-gram model, an ARPA file or KenLM's binary form; "" for none. Of words; without a lexicon, of labels.
        lexicon: file of the words to search over, one a line, with its phones where the labels are phones; "" for the
            model's own or, for characters and BPE, the language model's. Without either these write any word.
        lm_weight: nats a factor of ten of the language model.
        word_score: nats a word; more makes more and shorter words.
        blank_penalty: nats a blank; CTC trains towards more of them than there need be, and more makes more labels.
        hotwords: words that score higher.
        n_best: how many readings to give.
    """

    decoder: str = "greedy"
    beam: int = 50
    beam_threshold: float = 12.0
    lm: str = ""
    lexicon: str = ""
    lm_weight: float = 1.5
    word_score: float = 2.0
    blank_penalty: float = 0.0
    hotwords: tuple[Hotword, ...] = ()
    n_best: int = 1

    def __post_init__(self):
        if not isinstance(self.decoder, str) or self.decoder not in DECODERS:
            raise EarsightError(f"decoder {self.decoder!r} is unknown; choose {' or '.join(DECODERS)}")
        for names, (kinds, fits, what) in CHECKS.items():
            for name in names:
                value = getattr(self, name)
                if isinstance(value, bool) or not isinstance(value, kinds) or not fits(value):
                    raise EarsightError(f"{name}: {value!r:.60} is not {what}")
        given = [name for name in ("lm", "lexicon", "hotwords") if getattr(self, name)] + ["n-best"] * (self.n_best > 1)
        if self.decoder == "greedy" and given:
            raise EarsightError(f"--{given[0]} is for beam search and the decoder is greedy; add --decoder beam")


def decoding_options(folder: Path, stored: dict, given: dict) -> DecodingOptions:
    """What a model folder's `config.json` stores, changed by what a user gives; beam search where that needs it."""
    needs_beam = given.keys() & {"lm", "lexicon", "hotwords"} or given.get("n_best", 1) > 1
    if "decoder" not in given and needs_beam:
        given = {**given, "decoder": "beam"}
    if given.get("decoder", stored.get("decoder")) != "beam":
        return DecodingOptions(**given)
    try:
        files = {name: str(folder / stored[name]) for name in ("lm", "lexicon") if stored.get(name)}
        held = DecodingOptions(**{**stored, **files, "decoder": "beam"})
    except (TypeError, EarsightError) as error:
        raise EarsightError(f"{folder}: the decoding settings in config.json are damaged ({error}); tune them "
                            "again with `earsight tune-decoder`") from error
    return replace(held, **{"decoder": "beam", **given})


def given_options(hotwords: Sequence[str] | None = None, **others) -> dict:
    """What a user gives, as fields of `DecodingOptions`; None is not given.

    Raises:
        EarsightError: an option that is not known, or a value that it cannot have.
    """
    known = [each.name for each in fields(DecodingOptions)]
    if strange := [name for name in others if name not in known]:
        from difflib import get_close_matches

        near = get_close_matches(strange[0], known, 1)
        guess = f"is {near[0]} meant? Known" if near else "known"
        raise EarsightError(f"{strange[0]}: there is no such option; {guess} are {', '.join(known)}")
    given = {name: value for name, value in others.items() if value is not None}
    if hotwords is not None:
        if isinstance(hotwords, str) or not isinstance(hotwords, Sequence):
            raise EarsightError(f"hotwords: {hotwords!r:.60} is not a list of texts; write ['new york:5']")
        if hotwords:
            given["hotwords"] = tuple(each if isinstance(each, Hotword) else parse_hotword(each) for each in hotwords)
    for name in ("lm", "lexicon"):
        if isinstance(given.get(name), os.PathLike):
            given[name] = os.fspath(given[name])
    DecodingOptions(**{**given, "decoder": "beam"})  # as far as it goes: what the model stores comes to it
    DecodingOptions(decoder=given.get("decoder", "greedy"))
    return given
