"""`earsight align`: when the words of a known text are said, by forced alignment with a model folder."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from ...common import texts
from ...common.batch_run import run_command
from ...common.ctc import PathWord
from ...common.decoding.lexicon import read_spellings
from ...common.errors import EarsightError
from ...common.formats.transcripts import demand_files, textgrid, transcript_header, written_transcript
from ...common.inference.alignment import best_path, path_words, text_graph
from ...common.inference.recognition import Transcript, Word, as_json, plain_words
from ...common.inference.word_times import Timing, gathered, timed_words
from ...common.labels import form_of
from ...common.paths import output_names
from ...common.texts import tidy
from .recogniser import SpeechRecogniser

# Nats a frame by which the text may be less likely than what the model hears. On the development parts of AN4 and GRID
# a clip's own text reaches 0.46, and another clip's begins at 0.67.
UNLIKELY = 0.5


@dataclass(frozen=True)
class Alignment:
    """A text placed in a clip.

    Attributes:
        transcript: the text and its words; confidences are mean probabilities of labels in the frames of the path.
        symbols: the labels of the words, in order: phones, characters or pieces.
        kind: which of these.
        score: nats a frame by which the text is less likely than the best path of all; near 0 where it is said.
    """

    transcript: Transcript
    symbols: tuple[Word, ...]
    kind: str
    score: float


class Aligner:
    """A speech model folder that places texts in clips. Safe to share between threads.

    Args:
        model: a model folder or an installed model's name.
        lexicon: file of further words, `word symbol symbol ...` a line.
        threads: CPU threads that work on one clip.
        numbers: `words` reads numbers as English words, where the model writes no digits; `keep` does not.
    """

    def __init__(self, model: str | Path, lexicon: Path | None = None, threads: int = 1, numbers: str = "keep"):
        self.recogniser = SpeechRecogniser(model, "ctc", threads)
        self.runtime = self.recogniser.runtime
        self.timing = Timing.of(self.runtime.config)
        self._further = read_spellings(lexicon, self.runtime.labels) if lexicon else {}
        self._form = form_of(self.runtime.labels, numbers)

    def align(self, path: Path, text: str) -> Alignment:
        """Place a text in a file's sound or stored frames.

        Words that the model does not know as they are written are taken in the form in which it writes
        (`common.labels.form_of`): "Two," as `two`. The alignment has them as they are written, in NFC; marks that
        stand alone are left out.

        Raises:
            EarsightError: the clip cannot be read, the text cannot be spelled or has no place in the clip.
        """
        frames, duration = self.recogniser.frames_and_duration(path)
        return self.align_frames(frames, text, str(path), duration)

    def align_frames(self, frames: np.ndarray, text: str, name: str, duration: float | None = None) -> Alignment:
        """The same for frames (time, feature), `duration` seconds if that is known better than from their number."""
        duration = duration or len(frames) * self.runtime.config.frame_shift
        spelled = [(word, spellings) for word in tidy(text).split() if (spellings := self._parts(word))]
        if not spelled:
            raise EarsightError(f"{name}: the text is empty; give the words that are said")
        parts = [spellings for _, several in spelled for spellings in several]
        graph = text_graph(parts, self.runtime.labels.separator)
        log_probs = self.runtime.outputs(frames)
        path, score = best_path(log_probs, graph) if len(log_probs) else (np.zeros(0, int), -np.inf)
        if score == -np.inf:
            raise EarsightError(f"{name}: the text of {len(spelled)} words does not fit: the clip of {duration:.2f} s "
                                f"is silent, or its {len(log_probs)} frames are too few; check the text")
        placed = iter(path_words(path, graph, [""] * len(parts)))
        words = [PathWord(word, tuple(token for part in islice(placed, len(several)) for token in part.tokens))
                 for word, several in spelled]
        return self._alignment(words, log_probs, frames,
                               (float(log_probs.max(axis=1).sum()) - score) / len(path), name, duration)

    def _alignment(self, words: list[PathWord], log_probs: np.ndarray, frames: np.ndarray, score: float, name: str,
                   duration: float) -> Alignment:
        labels = self.runtime.labels
        sure = [[float(np.exp(log_probs[t.first:t.end, t.label]).mean()) for t in word.tokens] for word in words]
        confidence = [float(np.mean(values)) for values in sure]
        timed = timed_words(words, confidence, frames, self.timing, duration)
        transcript = Transcript(name, " ".join(word.text for word in words), duration, self.runtime.name,
                                float(np.mean(confidence)), timed)
        symbols = tuple(
            symbol for word, values, span in zip(gathered(words, frames, self.timing), sure, timed)
            for symbol in self._symbols(word, values, span))
        return Alignment(transcript, symbols, labels.kind, score)

    def _symbols(self, word: PathWord, confidence: list[float], span: Word) -> list[Word]:
        """A word's labels fill its span; each ends where the next begins."""
        middles = [self.timing.first + self.timing.shift * (a.end + b.first) / 2
                   for a, b in zip(word.tokens, word.tokens[1:])]
        edges = np.clip([span.start, *middles, span.end], span.start, span.end).tolist()
        return [Word(self.runtime.labels.symbols[token.label], start, end, value)
                for token, start, end, value in zip(word.tokens, edges, edges[1:], confidence)]

    def _parts(self, word: str) -> list[list[list[int]]]:
        """The spellings of a word as it is written, or of each word that it is in the model's form; none for a mark."""
        if self._is_known(word):
            return [self._spellings(word)]
        # A lexicon may have names in capitals, and words with an apostrophe without it, or as two.
        formed = self._form(word)
        ways = (cased.replace("'", other) for other in ("'", "", " ")
                for cased in (formed, formed.lower(), formed.upper(), formed.capitalize()))
        known = next((way for way in ways if all(map(self._is_known, way.split()))), formed)
        return [self._spellings(part) for part in known.split()]

    def _is_known(self, word: str) -> bool:
        labels = self.runtime.labels
        if word in self._further or labels.kind == "phones":
            return word in self._further or word in labels.lexicon
        return set(labels.symbols).issuperset(labels.spell(word))

    def _spellings(self, word: str) -> list[list[int]]:
        labels = self.runtime.labels
        if word in self._further:
            return self._further[word]
        hint = "; write numbers as words, or add --numbers words" if any(map(str.isdecimal, word)) else ""
        if labels.kind != "phones":
            if hint and not self._is_known(word):
                raise EarsightError(f"word {word!r} has digits, which model {self.runtime.name} does not write{hint}")
            return [labels.ids(labels.spell(word), f"word {word!r}")]
        if word not in labels.lexicon:
            hint = hint or f"; give its phones with --lexicon FILE, a line `{word} PHONE PHONE ...`"
            raise EarsightError(f"word {word!r} is not in the lexicon of model {self.runtime.name}{hint}")
        return [labels.ids(phones, f"word {word!r}") for phones in labels.lexicon[word]]


def written_alignment(alignment: Alignment, form: str, names: Mapping[Path, str], alone: bool = True) -> str:
    """In one of `common.formats.transcripts.FORMATS`.

    With the labels in a TextGrid, as a second tier, and in JSON, which besides a transcript's keys has `kind`,
    `symbols` (a list of objects: `text`, `start`, `end`, `confidence`) and `score`.
    """
    if form == "TextGrid":
        tiers = {"words": alignment.transcript.words, alignment.kind: alignment.symbols}
        return textgrid(tiers, alignment.transcript.duration)
    if form == "json":
        plain = {"kind": alignment.kind, "symbols": plain_words(alignment.symbols), "score": round(alignment.score, 4)}
        return json.dumps(json.loads(as_json(alignment.transcript)) | plain, ensure_ascii=False)
    return written_transcript(alignment.transcript, form, names, alone)


def align_clips(clips: Mapping[Path, Callable[[], Alignment]], form: str, output: Path | None, jobs: int,
                inputs: Sequence[str | Path | None] = ()) -> int:
    """Align clips, write their alignments, and warn of texts that are unlikely; returns the exit status.

    Args:
        clips: by path or id, what aligns each.
        form: as in `written_alignment`.
        output: the folder of a file a clip; None prints.
        jobs: clips at a time.
        inputs: files that are read, besides the clips.
    """
    if output is None:
        demand_files(form, len(clips))

    write = partial(written_alignment, form=form, names=output_names(list(clips), ""), alone=bool(output))

    def work(path: Path) -> str:
        alignment = clips[path]()
        if alignment.score > UNLIKELY:
            print(f"warning: {path}: the text is {alignment.score:.2f} nats a frame less likely than what the model "
                  "hears; is it what is said?", file=sys.stderr)
        return write(alignment)

    return run_command(list(clips), [], work, f".{form}", output, jobs, transcript_header(form), inputs)


def read_text(text: str) -> str:
    """The text itself, or what a .txt file holds."""
    return texts.read_text(text) if text.lower().endswith(".txt") else text
