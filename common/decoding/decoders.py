"""From CTC log-probabilities to words: greedy, and beam search with a lexicon, a language model and hotwords.

The search is flashlight-text's (Pratap et al., 2019; Collobert et al., 2016), the language model KenLM's (Heafield,
2011). A hypothesis's score, in nats:

    log P(best CTC path) + lm_weight * log10 P(words) + word_score * number of words + weights of its hotwords
        - blank_penalty * number of blanks
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from ..ctc import PathWord, tokens_of_labels, words_of_path
from ..labels import BLANK, Labels
from .hotwords import Hotword, HotwordGraph
from .language_model import hotword_lm, load_lm
from .lexicon import add_hotwords, find_lexicon, formed_hotwords
from .ngrams.model import SPACE
from .options import DecodingOptions

if TYPE_CHECKING:
    from flashlight.lib.text.decoder import Trie

FLOOR = -1000.0  # nats, for labels that a model or a penalty rules out: sums of it are numbers still
READINGS = 10  # at least, of a beam: confidence comes from how they differ
HOMOPHONES = 6  # of a spelling: more a node of flashlight's trie does not hold, and complains about
MAX_LABELS = 40  # of a frame, in the search without a lexicon: rarer ones seldom win, and each costs time


@dataclass(frozen=True)
class Hypothesis:
    """One reading: its words, and its score in nats (a log-probability if greedy).

    With a lexicon the words of the best reading alone have their places in the path.
    """

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
        self.labels = labels
        self.separator = BLANK if labels.separator is None else labels.separator
        lexicon = find_lexicon(labels, options)
        self.options = options = replace(options, hotwords=formed_hotwords(options.hotwords, labels, lexicon))
        if lexicon:
            add_hotwords(lexicon, options.hotwords, labels)
        self.words = list(lexicon) if lexicon else []
        if lexicon:
            names = self.words
            phrases = [([names.index(word) for word in hotword.text.split()], hotword.weight)
                       for hotword in options.hotwords]
        else:
            names = [SPACE if symbol == " " else symbol for symbol in labels.symbols]
            phrases = [(self._label_phrase(hotword), hotword.weight) for hotword in options.hotwords]
        self._hotwords = HotwordGraph(phrases) if phrases else None
        lm = load_lm(options.lm, names) if options.lm else None
        self._lm = lm if options.lm_weight else None
        self._lm_weight = options.lm_weight if self._lm else 1.0
        if lexicon:
            self._trie = self._make_trie(lexicon)

    def __call__(self, log_probs: np.ndarray) -> list[Hypothesis]:
        from flashlight.lib.text import decoder as flashlight

        emissions = np.array(log_probs, np.float64)  # which holds any penalty
        emissions[:, BLANK] -= self.options.blank_penalty
        emissions = emissions.clip(FLOOR, -FLOOR).astype(np.float32)
        if self.words:
            last = np.full_like(emissions[:1], FLOOR)
            last[0, self.separator] = 0.0
            emissions = np.concatenate([emissions, last])
        emissions = np.ascontiguousarray(emissions)
        options, ctc = self.options, flashlight.CriterionType.CTC
        lm, weight = self._lm or flashlight.ZeroLM(), self._lm_weight
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
        seen: set[tuple[int, ...]] = set()
        for result in results:
            words = result.words  # a list made anew each time
            # Most results differ from better ones in their path alone, and need not be taken apart; of others than the
            # best the words are asked for, and not where they are.
            said = tuple([word for word in words if word >= 0]) if self.words else ()
            if self.words and said in seen:
                continue
            seen.add(said)
            if self.words and best:
                path_words = [PathWord(self.words[word], ()) for word in said]
            else:
                path_words = self._path_words(result.tokens, words, len(log_probs))
            hypothesis = Hypothesis(tuple(path_words), result.score)
            best.setdefault(hypothesis.text, hypothesis)
            if len(best) == max(options.n_best, READINGS):
                break
        return list(best.values())

    def _path_words(self, path: list[int], words: list[int], time: int) -> Iterator[PathWord]:
        """A result's words. Its lists have a place before the first frame and one behind the last."""
        path = path[1:time + 1]
        if not self.words:
            yield from words_of_path(np.array(path), self.labels)
            return
        tokens = [token for token in tokens_of_labels(path) if token.label != self.separator]
        for frame, word in enumerate(words[1:time + 2]):  # the last may end with the frame that was added
            if word >= 0:
                own = [token for token in tokens if token.first <= frame]
                del tokens[:len(own)]
                yield PathWord(self.words[word], tuple(own))

    def _make_trie(self, lexicon: dict[str, list[list[int]]]) -> "Trie":
        """The spellings as a tree, each node of which knows the best that a word below it may score by itself.

        A hypothesis is charged that on the way, in place of all at a word's end (Ortmanns et al., 1996): else rare
        words fill the beam up to their last label. What a reading scores in the end is the same.
        """
        from flashlight.lib.text import decoder as flashlight

        trie = flashlight.Trie(len(self.labels), self.separator)
        listened = {word for hotword in self.options.hotwords for word in hotword.text.split()}
        bare = self.labels.separator is None
        scores = self._scores_alone()
        # Neighbours in this order share nodes, which the cache still holds: it takes a third of the time. Homophones
        # stay in the lexicon's.
        rows = [(array("I", spelling).tobytes(), index, word, spelling)
                for index, (word, spellings) in enumerate(lexicon.items()) for spelling in spellings]
        rows.sort(key=itemgetter(0))
        last, taken = None, 0
        for key, index, word, spelling in rows:
            last, taken = key, taken if key == last else 0
            # Nothing but a language model or a hotword tells homophones apart; else the first, commonest is meant.
            # Of those that it does tell apart, flashlight holds so many.
            if taken == HOMOPHONES or (taken and not self._lm and word not in listened):
                continue
            taken += 1
            trie.insert([*spelling, self.separator], index, scores[index])
            if bare:
                trie.insert(spelling, index, scores[index])
        trie.smear(flashlight.SmearingMode.MAX)
        return trie

    def _scores_alone(self) -> list[float]:
        """What the language model and the hotwords give each word of the lexicon that nothing is known before."""
        scores = [0.0] * len(self.words)
        if self._lm:
            score, nothing = self._lm.score, self._lm.start(True)
            scores = [score(nothing, index)[1] for index in range(len(scores))]
        if self._hotwords:
            for index in self._hotwords.first:
                scores[index] += self._hotwords.step(HotwordGraph.ROOT, index)[1] / self._lm_weight
        return scores

    def _label_phrase(self, hotword: Hotword) -> list[int]:
        """A hotword as labels, from the separator before it to that behind it."""
        between = [] if self.labels.separator is None else [self.labels.separator]
        ids = list(between)
        for word in hotword.text.split():
            ids += self.labels.ids(hotword.symbols or self.labels.spell(word), f"hotword {hotword.text!r}") + between
        return ids
