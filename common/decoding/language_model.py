"""What a beam search asks for scores: KenLM's n-gram model, and hotwords on top of it."""

import os
from typing import TYPE_CHECKING

from ..errors import EarsightError
from ..quiet import quiet_stderr
from .hotwords import HotwordGraph
from .ngrams.kenlm_binary import is_binary
from .ngrams.kenlm_checks import check_binary

if TYPE_CHECKING:
    from flashlight.lib.text.decoder import LM


def load_lm(path: str, names: list[str]) -> "LM":
    """KenLM's model over words or labels, of which it knows some.

    Raises:
        EarsightError: no n-gram model, or one of something else.
    """
    from flashlight.lib.text.decoder.kenlm import KenLM
    from flashlight.lib.text.dictionary import Dictionary

    nonsense = "\u0001"
    try:
        if is_binary(path):
            check_binary(path)
        with open(path, "rb"), quiet_stderr():  # it draws a progress bar there
            lm = KenLM(os.fsencode(path), Dictionary([*names, nonsense]))
    except OSError as error:
        raise EarsightError(f"{path}: the language model cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:  # KenLM's message repeats them
        raise EarsightError(f"{path}: no n-gram model that KenLM reads (it holds bytes that are no text); make one "
                            "with `earsight lm`") from error
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise EarsightError(f"{path}: no n-gram model that KenLM reads ({reason}); make one with `earsight lm`"
                            ) from error
    start = lm.start(True)
    unknown = lm.score(start, len(names))[1]
    if all(lm.score(start, i)[1] == unknown for i in range(len(names))):
        what = ", ".join(names[1:6])
        raise EarsightError(f"{path}: knows none of the {len(names)} words or labels that the search is over ({what}, "
                            "...); a language model of words needs --lexicon, one of labels must have the model's")
    return lm


def hotword_lm(base: "LM", weight: float, graph: HotwordGraph, separator: int | None) -> "LM":
    """A language model that adds what hotwords are worth to another's score, for one search.

    Args:
        weight: by which the search will multiply the scores.
        separator: in a search over labels, the one that begins and ends every word; else None.
    """
    from flashlight.lib.text.decoder import LM

    first, opening = (graph.ROOT, 0.0) if separator is None else graph.step(graph.ROOT, separator)

    class HotwordLM(LM):
        def __init__(self):
            LM.__init__(self)
            self.nodes = {}  # of the base's states, each of which stands for one history

        def start(self, start_with_nothing):
            state = base.start(start_with_nothing)
            self.nodes[state] = first
            return state

        def score(self, state, token):
            after, score = base.score(state, token)
            self.nodes[after], gain = graph.step(self.nodes[state], token)
            return after, score + gain / weight

        def finish(self, state):
            after, score = base.finish(state)
            node, gain = self.nodes[state], opening
            if separator is not None:
                node, closing = graph.step(node, separator)
                gain += closing
            return after, score + (gain + graph.end(node)) / weight

    return HotwordLM()
