"""How log-probabilities become words: what a model folder stores, and what a user changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import EarsightError
from .hotwords import Hotword, parse_hotword

DECODERS = ("greedy", "beam")


@dataclass(frozen=True)
class DecodingOptions:
    """How log-probabilities become words. All but `decoder` are for the beam search.

    Attributes:
        decoder: "greedy" or "beam".
        beam: hypotheses that are kept from frame to frame.
        beam_threshold: nats; hypotheses that much worse than the best are dropped.
        lm: n-gram model, an ARPA file or KenLM's binary form; "" for none. Of words; without a lexicon, of labels.
        lexicon: file of the words to search over, one a line, with its phones where the labels are phones; "" for the
            model's own or, for characters and BPE, the language model's. Without either these write any word.
        lm_weight: nats a factor of ten of the language model.
        word_score: nats a word; more makes more and shorter words.
        hotwords: words that score higher.
        n_best: how many readings to give.
    """

    decoder: str = "greedy"
    beam: int = 50
    beam_threshold: float = 25.0
    lm: str = ""
    lexicon: str = ""
    lm_weight: float = 1.5
    word_score: float = 2.0
    hotwords: tuple[Hotword, ...] = ()
    n_best: int = 1

    def __post_init__(self):
        if self.decoder not in DECODERS:
            raise EarsightError(f"decoder {self.decoder!r} is unknown; choose {' or '.join(DECODERS)}")
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
    files = {name: str(folder / stored[name]) for name in ("lm", "lexicon") if stored.get(name)}
    try:
        return DecodingOptions(**{**stored, **files, **given})
    except TypeError as error:
        raise EarsightError(f"{folder}: the decoding settings in config.json are damaged ({error}); tune them "
                            "again with `earsight tune-decoder`") from error


def given_options(hotwords: Sequence[str] | None = None, **others) -> dict:
    """What a user gives, as fields of `DecodingOptions`; None is not given."""
    given = {name: value for name, value in others.items() if value is not None}
    return {**given, "hotwords": tuple(map(parse_hotword, hotwords))} if hotwords else given
