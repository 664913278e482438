"""Whether a clip is one of a classifier's classes at all, and how far its probabilities can be believed.

`earsight calibrate` fits both on clips that the model was not trained on (`common.tuning.calibrating`), and stores a
temperature, a threshold and how scores scatter in `config.json`; the score itself is an output of `encoder.onnx`.
"""

from dataclasses import asdict, dataclass

import numpy as np

UNKNOWN = "unknown"  # what a clip is called that is none of the classes
FAMILIARITY = "familiarity"  # the graph's output (batch,): how much a clip looks like one of the classes


@dataclass(frozen=True)
class Familiarity:
    """How much a clip looks like one of a model's classes.

    Attributes:
        score: in nats; the higher, the more.
        threshold: below it the clip is called unknown.
    """

    score: float
    threshold: float

    @property
    def known(self) -> bool:
        """Whether the clip is taken for one of the classes."""
        return self.score >= self.threshold


@dataclass(frozen=True)
class Rejection:
    """What `config.json` has of all this.

    Attributes:
        temperature: what logits are divided by, so that of what is said with 80 % about 80 % is right (Guo et al.,
            On Calibration of Modern Neural Networks, 2017).
        threshold: the lowest score of a clip that gets a name.
        scale: how far scores of clips of the classes scatter; of two moments that are so far above and below the
            threshold, the one is as likely known as the other unknown.
        keep: the share of the classes' clips that shall get a name.
        score: how scores are made: "energy" or "states", see `common.tuning.calibrating`.
    """

    temperature: float
    threshold: float
    scale: float
    keep: float
    score: str

    def to_dict(self) -> dict:
        """Plain types, for `config.json`, to 6 digits."""
        return {name: float(f"{value:.6g}") if isinstance(value, float) else value
                for name, value in asdict(self).items()}

    def familiarity(self, score: float) -> Familiarity:
        """A clip's score beside what is asked of it."""
        return Familiarity(score, self.threshold)

    def with_unknown(self, logits: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Logits (batch, label) and scores (batch,) -> log-probabilities (batch, label + 1), the last of none of them.

        P(known) = 1 / (1 + exp((threshold - score) / scale)): a half at the threshold.
        """
        margin = (np.asarray(scores, dtype=np.float64)[:, None] - self.threshold) / self.scale
        logits = np.asarray(logits, dtype=np.float64)
        classes = logits - logsumexp(logits)[:, None] - np.logaddexp(0.0, -margin)
        return np.concatenate([classes, -np.logaddexp(0.0, margin)], axis=1)


def logsumexp(values: np.ndarray) -> np.ndarray:
    """(..., n) -> (...)."""
    highest = values.max(axis=-1, keepdims=True)
    return np.log(np.exp(values - highest).sum(axis=-1)) + highest[..., 0]
