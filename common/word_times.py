"""When words are said: from the frames of a CTC path to seconds.

CTC teaches a model the order of labels and not their times (Graves et al., 2006). Three things are put right here:

- An output frame stands for `stride` windows, whose middles lie where the frontend puts them.
- A label that follows from its neighbours may come at the very edge of a clip, seconds from its sound. Within a word, a
  few labels that are far from the others are put back where the sound beside these begins or ends.
- Labels come a little late and end a little early, as each model learnt it: what is added to starts and ends is fitted
  on a development set (`scripts/bench_times.py --fit`) and stored in the model folder.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from common.ctc import PathWord, Token
from common.model_folder import ModelConfig
from common.recognition import Word

# Chosen on GRID's development part.
FAR = 0.25  # seconds without a label within a word: more is no way to speak
PHONE = 0.08  # seconds, for a label whose sound is not to be found
QUIET = 0.25  # of the way from a clip's quiet frames to its loud ones (10th and 95th percentile): below is silence
START, END = -0.05, 0.03  # seconds added where a model folder stores nothing


@dataclass(frozen=True)
class Timing:
    """How a model's output frames lie in time.

    Attributes:
        shift: seconds from one output frame to the next.
        stride: frames an output frame.
        first: seconds, where the first output frame begins.
        start, end: seconds, added to the starts and the ends of words.
        loudness: whether a frame's first feature tells how loud it is.
    """

    shift: float
    stride: int = 1
    first: float = 0.0
    start: float = START
    end: float = END
    loudness: bool = False

    @staticmethod
    def of(config: ModelConfig) -> "Timing":
        """A model folder's."""
        first = middle_of_first_window(config.frontend) - config.frame_shift / 2 if config.frontend else 0.0
        return Timing(config.stride * config.frame_shift, config.stride, first, loudness=config.medium == "speech",
                      **config.times)


def middle_of_first_window(frontend: dict) -> float:
    """Seconds, from the settings of `audio.frontend.MfccSettings`; its docstring says where windows lie."""
    samples = {"inside": frontend["window_length"] / 2, "tail": frontend["window_length"] / 2,
               "inside_fft": frontend["n_fft"] / 2, "centre": 0, "round": frontend["hop_length"] / 2}
    return samples[frontend["edges"]] / frontend["sample_rate"]


def timed_words(words: Sequence[PathWord], confidence: Sequence[float], frames: np.ndarray, timing: Timing,
                duration: float) -> tuple[Word, ...]:
    """A path's words with their times: rising, without overlap, within the clip.

    Args:
        words: in order.
        confidence: of each.
        frames: (time * stride, feature), from which the path was made.
        duration: seconds, of the clip.
    """
    words = gathered(words, frames, timing)
    spans = np.array([(word.tokens[0].first, word.tokens[-1].end) for word in words], dtype=float).reshape(-1, 2)
    spans = timing.first + spans * timing.shift + (timing.start, timing.end)
    starts = np.maximum.accumulate(np.clip(spans[:, 0], 0.0, duration))
    ends = np.clip(spans[:, 1], starts, np.append(starts[1:], duration))
    return tuple(Word(word.text, start, end, value)
                 for word, start, end, value in zip(words, starts.tolist(), ends.tolist(), confidence))


def gathered(words: Sequence[PathWord], frames: np.ndarray, timing: Timing) -> list[PathWord]:
    """The same words, each with all of its labels in one place."""
    far, quiet = max(round(FAR / timing.shift), 1), None
    result = list(words)
    for i, word in enumerate(result):
        gaps = [b.first - a.end for a, b in zip(word.tokens, word.tokens[1:])]
        if max(gaps, default=0) <= far:
            continue
        if quiet is None:
            quiet = quiet_frames(frames, timing)
        result[i] = replace(word, tokens=_gathered(word.tokens, gaps, far, quiet, timing))
    return result


def quiet_frames(frames: np.ndarray, timing: Timing) -> np.ndarray | None:
    """Which output frames (time / stride,) are silent beside the rest of the clip; None where that is not known."""
    if not timing.loudness:
        return None
    levels = frames[:, 0]
    low, high = np.percentile(levels, (10, 95))
    loudest = np.pad(levels, (0, -len(levels) % timing.stride), mode="edge").reshape(-1, timing.stride).max(axis=1)
    return loudest < low + QUIET * (high - low)


def _gathered(tokens: tuple[Token, ...], gaps: list[int], far: int, quiet: np.ndarray | None, timing: Timing
              ) -> tuple[Token, ...]:
    """Labels before and behind a long gap are put beside the others, the smaller group to the greater."""
    moved = list(tokens)
    wide = [k + 1 for k, gap in enumerate(gaps) if gap > far]  # the first label behind each gap
    for k in wide:
        if k <= len(tokens) - k:
            last = moved[k].first
            first = last - _room(None if quiet is None else quiet[last - far:last][::-1], far, timing)
            moved[:k] = _spread(moved[:k], first, last)
    for k in reversed(wide):
        if k > len(tokens) - k:
            first = moved[k - 1].end
            last = first + _room(None if quiet is None else quiet[first:first + far], far, timing)
            moved[k:] = _spread(moved[k:], first, last)
    return tuple(moved)


def _room(quiet: np.ndarray | None, far: int, timing: Timing) -> int:
    """For how many frames beside a word's labels its sound goes on, at least one."""
    if quiet is None:
        return max(round(PHONE / timing.shift), 1)
    silences = np.flatnonzero(quiet)
    return max(int(silences[0]) if len(silences) else far, 1)


def _spread(tokens: list[Token], first: int, last: int) -> list[Token]:
    """Labels one behind the other from frame `first` to `last`."""
    edges = np.linspace(first, last, len(tokens) + 1).astype(int).tolist()
    return [Token(token.label, a, b) for token, a, b in zip(tokens, edges, edges[1:])]
