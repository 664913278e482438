"""From CTC log-probabilities to words: greedy, and beam search with a lexicon, a language model and hotwords.

The search is flashlight-text's (Pratap et al., 2019; Collobert et al., 2016), the language model KenLM's (Heafield,
2011). A hypothesis's score, in nats:

    log P(best CTC path) + lm_weight * log10 P(words) + word_score * number of words + weights of its hotwords
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.ctc import PathWord, tokens_of_path, words_of_path
from common.errors import EarsightError
from common.hotwords import Hotword, HotwordGraph
from common.labels import BLANK, Labels
from common.ngram import SPACE, words_of_arpa

if TYPE_CHECKING:
    from flashlight.lib.text.decoder import LM

DECODERS = ("greedy", "beam")
FLOOR = -1000.0  # nats, for labels that a model rules out: sums of it are numbers still
READINGS = 10  # at least, of a beam: confidence comes from how they differ
MAX_LABELS = 40  # of a frame, in the search without a lexicon: rarer ones seldom win, and each costs time


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


@dataclass(frozen=True)
class Hypothesis:
    """One reading: its words with their places in the path, and its score in nats (a log-probability if greedy)."""

    words: tuple[PathWord, ...]
    score: float

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


class Decoder:
    """Log-probabilities to hypotheses. Safe to share between threads.

    Raises:
        EarsightError: a lexicon, language model or hotword that does not fit the labels.
    """

    def __init__(self, labels: Labels, options: DecodingOptions):
        self.labels, self.options = labels, options
        if options.decoder == "beam":
            self._search = BeamSearch(labels, options)

    def __call__(self, log_probs: np.ndarray) -> list[Hypothesis]:
        """Read log-probabilities (time, label): different readings, the best first, never none.

        Greedy there is one, else up to `n_best` or READINGS, whichever is more.
        """
        if self.options.decoder == "beam" and len(log_probs):
            return self._search(log_probs)
        path = log_probs.argmax(axis=-1)
        return [Hypothesis(tuple(words_of_path(path, self.labels)), float(log_probs.max(axis=-1).sum()))]


class BeamSearch:
    """Flashlight's decoders, over the words of a lexicon or, without one, over labels.

    A word is spelled with the separator behind it, which the labels were trained with; a frame of nothing else is added
    at the end, for the last word. Where labels have no separator a blank serves, and may be missing.
    """

    def __init__(self, labels: Labels, options: DecodingOptions):
        self.labels, self.options = labels, options
        self.separator = BLANK if labels.separator is None else labels.separator
        lexicon = find_lexicon(labels, options)
        self.words = list(lexicon) if lexicon else []
        if lexicon:
            names = self.words
            self._trie = self._make_trie(lexicon)
            phrases = [([names.index(word) for word in hotword.text.split()], hotword.weight)
                       for hotword in options.hotwords]
        else:
            names = [SPACE if symbol == " " else symbol for symbol in labels.symbols]
            phrases = [(self._label_phrase(hotword), hotword.weight) for hotword in options.hotwords]
        self._hotwords = HotwordGraph(phrases) if phrases else None
        self._lm = load_lm(options.lm, names) if options.lm else None

    def __call__(self, log_probs: np.ndarray) -> list[Hypothesis]:
        from flashlight.lib.text import decoder as flashlight

        emissions = np.maximum(log_probs, FLOOR, dtype=np.float32)
        if self.words:
            last = np.full_like(emissions[:1], FLOOR)
            last[0, self.separator] = 0.0
            emissions = np.concatenate([emissions, last])
        emissions = np.ascontiguousarray(emissions)
        options, ctc = self.options, flashlight.CriterionType.CTC
        lm = self._lm or flashlight.ZeroLM()
        weight = options.lm_weight if self._lm else 1.0
        if self._hotwords:
            lm = hotword_lm(lm, weight, self._hotwords, None if self.words else self.labels.separator)
        # A decoder holds the state of its search, so each search has its own; what is large in it is shared.
        if self.words:
            settings = flashlight.LexiconDecoderOptions(
                options.beam, len(self.labels), options.beam_threshold, weight, options.word_score, -np.inf, 0.0, False,
                ctc)
            search = flashlight.LexiconDecoder(settings, self._trie, lm, self.separator, BLANK, -1, [], False)
        else:
            settings = flashlight.LexiconFreeDecoderOptions(
                options.beam, min(len(self.labels), MAX_LABELS), options.beam_threshold, weight, 0.0, False, ctc)
            search = flashlight.LexiconFreeDecoder(settings, lm, self.separator, BLANK, [])
        results = search.decode(emissions.ctypes.data, *emissions.shape)
        best: dict[str, Hypothesis] = {}
        for result in results:
            hypothesis = Hypothesis(tuple(self._path_words(result, len(log_probs))), result.score)
            best.setdefault(hypothesis.text, hypothesis)
            if len(best) == max(options.n_best, READINGS):
                break
        return list(best.values())

    def _path_words(self, result, time: int) -> Iterator[PathWord]:
        """A result's words. Its lists have a place before the first frame and one behind the last."""
        path = np.array(result.tokens[1:time + 1])
        if not self.words:
            yield from words_of_path(path, self.labels)
            return
        tokens = [token for token in tokens_of_path(path) if token.label != self.labels.separator]
        for frame, word in enumerate(result.words[1:time + 2]):  # the last may end with the frame that was added
            if word >= 0:
                own = [token for token in tokens if token.first <= frame]
                del tokens[:len(own)]
                yield PathWord(self.words[word], tuple(own))

    def _make_trie(self, lexicon: dict[str, list[list[int]]]):
        from flashlight.lib.text import decoder as flashlight

        trie = flashlight.Trie(len(self.labels), self.separator)
        for index, spellings in enumerate(lexicon.values()):
            for spelling in spellings:
                trie.insert([*spelling, self.separator], index, 0.0)
                if self.labels.separator is None:
                    trie.insert(spelling, index, 0.0)
        trie.smear(flashlight.SmearingMode.MAX)
        return trie

    def _label_phrase(self, hotword: Hotword) -> list[int]:
        """A hotword as labels, from the separator before it to that behind it."""
        between = [] if self.labels.separator is None else [self.labels.separator]
        ids = list(between)
        for word in hotword.text.split():
            ids += self.labels.ids(hotword.symbols or self.labels.spell(word), f"hotword {hotword.text!r}") + between
        return ids


def find_lexicon(labels: Labels, options: DecodingOptions) -> dict[str, list[list[int]]]:
    """The spellings, as label ids, of all words that can be recognised; empty for any word."""
    if options.lexicon:
        lexicon = read_spellings(options.lexicon, labels)
    elif labels.kind == "phones":
        lexicon = {word: [labels.ids(phones, f"word {word!r}") for phones in spellings]
                   for word, spellings in labels.lexicon.items()}
    else:
        words = words_of_arpa(options.lm) if options.lm else None
        if words is None or set(words) <= {SPACE, *labels.symbols}:  # a model of labels
            return {}
        spelled = {word: labels.spell(word) for word in words}
        # A word that the labels do not spell cannot be recognised.
        lexicon = {word: [labels.ids(symbols, word)] for word, symbols in spelled.items()
                   if set(labels.symbols).issuperset(symbols)}
    for hotword in options.hotwords:
        words = hotword.text.split()
        for word in words:
            if hotword.symbols:
                spelling = labels.ids(hotword.symbols, f"hotword {hotword.text!r}")
                if spelling not in lexicon.setdefault(word, []):
                    lexicon[word].append(spelling)
            elif word not in lexicon and labels.kind == "phones":
                raise EarsightError(f"hotword {word!r} is not in the lexicon; give its phones: "
                                    f"'{word}=PHONE PHONE ...'")
            elif word not in lexicon:
                lexicon[word] = [labels.ids(labels.spell(word), f"hotword {hotword.text!r}")]
    return lexicon


def read_spellings(path: str | Path, labels: Labels) -> dict[str, list[list[int]]]:
    """Read a lexicon, a word a line, its symbols behind it (characters and BPE need none); several lines, several ways.

    Raises:
        EarsightError: a word without phones, or a symbol that the model does not have; with the line.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EarsightError(f"{path}: the lexicon cannot be read ({error})") from error
    lexicon: dict[str, list[list[int]]] = {}
    for number, line in enumerate(lines, 1):
        word, *symbols = line.split() or [""]
        if not word:
            continue
        where = f"{path}, line {number}"
        if not symbols and labels.kind == "phones":
            raise EarsightError(f"{where}: {word!r} has no phones; write `word phone phone ...`")
        lexicon.setdefault(word, []).append(labels.ids(symbols or labels.spell(word), where))
    if not lexicon:
        raise EarsightError(f"{path}: the lexicon is empty")
    return lexicon


def load_lm(path: str, names: list[str]) -> "LM":
    """KenLM's model over words or labels, of which it knows some.

    Raises:
        EarsightError: no n-gram model, or one of something else.
    """
    from flashlight.lib.text.decoder.kenlm import KenLM
    from flashlight.lib.text.dictionary import Dictionary

    nonsense = "\u0001"
    try:
        with open(path, "rb"), _quiet_stderr():
            lm = KenLM(str(path), Dictionary([*names, nonsense]))
    except OSError as error:
        raise EarsightError(f"{path}: the language model cannot be read ({error.strerror})") from error
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

    class HotwordLM(LM):
        def __init__(self):
            LM.__init__(self)
            self.nodes = {}  # of the base's states, each of which stands for one history

        def start(self, start_with_nothing):
            state = base.start(start_with_nothing)
            self.nodes[state] = graph.ROOT if separator is None else graph.step(graph.ROOT, separator)[0]
            return state

        def score(self, state, token):
            after, score = base.score(state, token)
            self.nodes[after], gain = graph.step(self.nodes[state], token)
            return after, score + gain / weight

        def finish(self, state):
            after, score = base.finish(state)
            node, gain = self.nodes[state], 0.0
            if separator is not None:
                node, gain = graph.step(node, separator)
            return after, score + (gain + graph.end(node)) / weight

    return HotwordLM()


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """KenLM draws a progress bar there, from C++."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
