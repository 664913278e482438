"""When words are said: from the frames of a CTC path to seconds.

CTC teaches a model the order of labels and not their times (Graves et al., 2006). Three things are put right here:

- An output frame stands for `stride` windows, whose middles lie where the frontend puts them.
- Labels that follow from their neighbours may come at the very edge of a clip, seconds from their sound. Within a word,
  a few that are far from the others are put back where the sound beside these begins or ends; a first or last word that
  lies in silence is put where the sound is.
- Labels come a little late and end a little early, as each model learnt it: what is added to starts and ends is fitted
  on a development set (`scripts/bench_times.py --fit`) and stored in the model folder.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..ctc import PathWord, Token
from ..model_folder import ModelConfig
from .recognition import Word

# Chosen on GRID's development part.
FAR = 0.25  # seconds without a label within a word: more is no way to speak
PHONE = 0.08  # seconds, that a label lasts, and a silence within a word at most
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
        # The windows of MFCC; a pretrained encoder's first frame begins with the clip, and other media have none.
        windows = config.medium == "speech" and "edges" in config.frontend
        first = middle_of_first_window(config.frontend) - config.frame_shift / 2 if windows else 0.0
        return Timing(config.stride * config.frame_shift, config.stride, first, loudness=windows, **config.times)


def middle_of_first_window(frontend: dict) -> float:
    """Seconds, from the settings of `audio.frontends.mfcc.MfccSettings`; its docstring says where windows lie."""
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
    """The same words, each with all of its labels in one place, and those at the clip's edges not in silence."""
    quiet = quiet_frames(frames, timing) if words else None
    time = -(-len(frames) // timing.stride)
    backwards = None if quiet is None else quiet[::-1]
    result, far = [], _frames(FAR, timing)
    for word in words:
        if any(after.first - token.end > far for token, after in zip(word.tokens, word.tokens[1:])):
            word = _front_gathered(word, quiet, timing)
            word = _mirrored(_front_gathered(_mirrored(word, time), backwards, timing), time)
        result.append(word)
    if result and quiet is not None:
        behind = result[1].tokens[0].first if len(result) > 1 else time
        result[0] = _sounding(result[0], quiet, behind, timing)
        before = result[-2].tokens[-1].end if len(result) > 1 else 0
        result[-1] = _mirrored(_sounding(_mirrored(result[-1], time), quiet[::-1], time - before, timing), time)
    return result


def quiet_frames(frames: np.ndarray, timing: Timing) -> np.ndarray | None:
    """Which output frames (time / stride,) are silent beside the rest of the clip; None where that is not known."""
    if not timing.loudness:
        return None
    levels = frames[:, 0]
    low, high = _percentiles(levels, (10, 95))
    loudest = np.pad(levels, (0, -len(levels) % timing.stride), mode="edge").reshape(-1, timing.stride).max(axis=1)
    return loudest < low + QUIET * (high - low)


def _percentiles(levels: np.ndarray, shares: Sequence[float]) -> list[np.floating]:
    """`np.percentile(levels, shares)` of finite levels, whose call and first import (`numpy.ma`) cost a clip's time."""
    order = np.sort(levels)
    found = []
    for share in shares:
        place = (len(order) - 1) * (share / 100)
        below = int(place)
        low, high, part = order[below], order[min(below + 1, len(order) - 1)], np.float64(place - below)
        step = high - low
        # From the nearer end, as numpy has it.
        found.append(low + step * part if part < 0.5 else high - step * (1 - part))
    return found


def _front_gathered(word: PathWord, quiet: np.ndarray | None, timing: Timing) -> PathWord:
    """Labels before a long gap with silence in it, if they are no more than those behind it, are put beside these."""
    tokens, far = list(word.tokens), _frames(FAR, timing)
    for k in range(1, len(tokens) // 2 + 1):
        first, last = tokens[k - 1].end, tokens[k].first
        if last - first > far and (quiet is None or quiet[first:last].sum() > _frames(PHONE, timing)):
            tokens[:k] = _spread(tokens[:k], last - _room(quiet, last, timing), last)
    return replace(word, tokens=tuple(tokens))


def _room(quiet: np.ndarray | None, last: int, timing: Timing) -> int:
    """For how many frames before frame `last` there is sound: at least one, at most FAR."""
    if quiet is None:
        return _frames(PHONE, timing)
    far = _frames(FAR, timing)
    silences = np.flatnonzero(quiet[last - far:last][::-1])
    return max(int(silences[0]), 1) if len(silences) else far


def _sounding(word: PathWord, quiet: np.ndarray, limit: int, timing: Timing) -> PathWord:
    """A first word, or if its labels all lie in silence, the same at the longest sound before the next (at `limit`)."""
    end = word.tokens[-1].end
    if limit - end <= _frames(FAR, timing) or not quiet[word.tokens[0].first:end].all():
        return word
    loud = np.flatnonzero(~quiet[end:limit]) + end
    runs = np.split(loud, np.flatnonzero(np.diff(loud) > _frames(PHONE, timing)) + 1)
    longest = max(runs, key=len)
    if not len(longest):
        return word
    return replace(word, tokens=tuple(_spread(word.tokens, int(longest[0]), int(longest[-1]) + 1)))


def _spread(tokens: Sequence[Token], first: int, last: int) -> list[Token]:
    """Labels one behind the other from frame `first` to `last`."""
    edges = np.linspace(first, last, len(tokens) + 1).astype(int).tolist()
    return [Token(token.label, a, b) for token, a, b in zip(tokens, edges, edges[1:])]


def _mirrored(word: PathWord, time: int) -> PathWord:
    """The word in the clip played backwards."""
    return replace(word, tokens=tuple(Token(t.label, time - t.end, time - t.first) for t in reversed(word.tokens)))


def _frames(seconds: float, timing: Timing) -> int:
    return max(round(seconds / timing.shift), 1)
