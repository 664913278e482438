"""How far the words of a transcript can be trusted: probabilities fitted on a development set.

A word's confidence is P(the clip is speech) * P(the word is right | speech), each a logistic regression: the first over
how the clip's frames vary, which tells noise and music from speech; the second over what the model's outputs look like
where the word is. A transcript's, that all of it is right, is one over the sum of its words' log-confidences.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice

import numpy as np

from .. import metrics
from ..ctc import PathWord, Token
from ..decoding.decoders import Hypothesis
from ..errors import EarsightError

FLATTENING = 0.3  # of scores before they are compared: CTC's are far too sure (cf. Wessel et al., 2001)
RIDGE = 0.03  # on weights of standardised features: a development set is small
LOWEST = 1e-4  # probabilities' floor under a logarithm
LEAD = 30.0  # of the best reading's score over the next; more is no surer


@dataclass(frozen=True)
class Logistic:
    """P(yes | x) = 1 / (1 + exp(-(bias + weights . x)))."""

    bias: float
    weights: tuple[float, ...]

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Features (n, feature) -> probabilities (n,)."""
        if features.shape[-1] != len(self.weights):
            raise EarsightError(f"config.json: damaged, its confidence has {len(self.weights)} weights for "
                                f"{features.shape[-1]} figures; fit them again with `earsight tune-decoder`")
        return 1 / (1 + np.exp(-np.clip(self.bias + features @ np.array(self.weights), -30, 30)))


@dataclass(frozen=True)
class Calibration:
    """What makes confidences of a model's outputs; `sound` only for models that read sound."""

    words: Logistic
    transcript: Logistic
    sound: Logistic | None = None

    def to_dict(self) -> dict:
        """Plain types, for `config.json`, to 6 digits."""
        return {name: {"bias": _short(plain["bias"]), "weights": [_short(w) for w in plain["weights"]]}
                for name, plain in asdict(self).items() if plain}

    @staticmethod
    def from_dict(plain: dict) -> "Calibration":
        """The inverse of `to_dict`."""
        return Calibration(**{name: Logistic(one["bias"], tuple(one["weights"])) for name, one in plain.items()})


def confidences(readings: Sequence[Hypothesis], log_probs: np.ndarray, frames: np.ndarray,
                calibration: Calibration | None) -> tuple[list[float], float]:
    """The confidence of each word of the first reading, and of the whole.

    Without a calibration, what the model itself thinks: the geometric mean of the probabilities of a word's labels, and
    the product of the words'. As a rule that is too much.
    """
    if calibration is None:
        words = [float(np.exp(label_log_probs(word, log_probs).mean())) for word in readings[0].words]
        return words, float(np.prod(words))
    words = word_confidences(readings, log_probs, frames, calibration.words, calibration.sound)
    return words.tolist(), float(calibration.transcript(transcript_features(words))[0])


def word_confidences(readings: Sequence[Hypothesis], log_probs: np.ndarray, frames: np.ndarray, words: Logistic,
                     sound: Logistic | None) -> np.ndarray:
    """The calibrated confidence of each word of the first reading, (word,)."""
    if not readings[0].words:
        return np.zeros(0)
    features = word_features(readings, log_probs)
    if len(words.weights) == features.shape[1] - 1:  # fitted before readings' lead was among them
        features = features[:, :-1]
    return words(features) * (sound(sound_features(frames)) if sound else 1.0)


def label_log_probs(word: PathWord, log_probs: np.ndarray) -> np.ndarray:
    """The highest log-probability of each of a word's labels in its frames."""
    return _label_log_probs(word.tokens, log_probs)


def _label_log_probs(tokens: Sequence[Token], log_probs: np.ndarray) -> np.ndarray:
    """The same of any tokens, (token,); each has a frame at least."""
    if not tokens:
        return np.zeros(0)
    lengths = [token.end - token.first for token in tokens]
    frames = np.concatenate([np.arange(token.first, token.end) for token in tokens])
    values = log_probs[frames, np.repeat([token.label for token in tokens], lengths)]
    return np.maximum.reduceat(values, np.cumsum([0, *lengths[:-1]]))


def word_features(readings: Sequence[Hypothesis], log_probs: np.ndarray) -> np.ndarray:
    """What tells right words from wrong ones, (word, 6).

    The lowest log-probability of its labels; the mean entropy of its frames; log P(another word) by the other readings;
    the log of its frames a label; how many labels it has; by how much the best reading leads, the same for all words.
    """
    words = readings[0].words
    log_probs = np.maximum(log_probs, -20.0, dtype=np.float64)
    entropies = (np.exp(log_probs) * log_probs).sum(axis=1)
    highest = iter(_label_log_probs([token for word in words for token in word.tokens], log_probs).tolist())
    rows = []
    for word in words:
        first, end, count = word.tokens[0].first, word.tokens[-1].end, len(word.tokens)
        rows.append((min(islice(highest, count)), -entropies[first:end].mean(), (end - first) / count, count))
    lowest, entropy, lasting, counts = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    others = np.log(np.maximum(1 - agreement(readings), LOWEST))
    lead = min(readings[0].score - readings[1].score, LEAD) if len(readings) > 1 else LEAD
    return np.column_stack([lowest, entropy, others, np.log(lasting), counts, np.full(len(words), lead)])


def agreement(readings: Sequence[Hypothesis]) -> np.ndarray:
    """For each word of the first reading, the probability of the readings that have it at its place."""
    scores = FLATTENING * np.array([reading.score for reading in readings])
    probabilities = np.exp(scores - scores.max())
    probabilities /= probabilities.sum()
    own = [word.text for word in readings[0].words]
    agreed = np.zeros(len(own))
    for reading, probability in zip(readings, probabilities):
        agreed += probability * np.array(metrics.matches(own, [word.text for word in reading.words]), dtype=float)
    return agreed


def sound_features(frames: np.ndarray) -> np.ndarray:
    """How a clip's frames (time, feature) vary, whatever its level: (1, 4 * feature).

    The log of each feature's standard deviation, and of its mean step from frame to frame; and their squares, because
    speech lies between what varies less and what varies more.
    """
    steps = np.abs(np.diff(frames, axis=0, prepend=frames[:1])).mean(axis=0)
    variation = np.log(np.concatenate([frames.std(axis=0), steps]).astype(np.float64) + 1e-3)
    return np.concatenate([variation, variation**2])[None]


def transcript_features(words: np.ndarray) -> np.ndarray:
    """(1, 1): the sum of the log-confidences of the words (word,)."""
    return np.log(np.maximum(words, LOWEST)).sum(keepdims=True)[None]


def fit_logistic(features: np.ndarray, right: np.ndarray, counts: np.ndarray | None = None) -> Logistic:
    """Fit features (n, feature) to truth (n,) of 0 and 1, by Newton's method with a ridge.

    `counts` (n,) says for how many each row stands; 1 by default.

    The truth is taken for a little less than sure, as Platt (1999) has it: nobody is always right.
    """
    yes, no = right.sum(), len(right) - right.sum()
    right = np.where(right > 0.5, (yes + 1) / (yes + 2), 1 / (no + 2))
    counts = np.ones(len(right)) if counts is None else counts
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale[scale < 1e-9] = np.inf  # a constant says nothing
    x = np.column_stack([np.ones(len(features)), (features - mean) / scale])
    ridge = RIDGE * np.eye(x.shape[1])
    ridge[0, 0] = 0.0
    weights = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        slope = x.T @ (counts * (right - p)) - ridge @ weights
        step = np.linalg.solve((x * (counts * p * (1 - p))[:, None]).T @ x + ridge, slope)
        weights += step
        if np.abs(step).max() < 1e-8:
            break
    slopes = weights[1:] / scale
    return Logistic(float(weights[0] - slopes @ mean), tuple(slopes.tolist()))


def _short(value: float) -> float:
    return float(f"{value:.6g}")
