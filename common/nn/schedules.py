"""How the learning rate changes over a run: factors of its peak, step by step."""

import math
from dataclasses import dataclass

FLOOR = 1e-3  # no schedule goes lower
THRESHOLD = 1e-4  # share by which a validation must be better to count, as in torch's ReduceLROnPlateau


@dataclass(frozen=True)
class OneCycle:
    """Linear from 4 % to 1 over the warm-up, then a cosine to 0.1 %."""

    total: int
    warmup: float

    def __call__(self, step: int) -> float:
        done = min(step / self.total, 1.0)
        if done < self.warmup:
            return _rise(done / self.warmup)
        return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * (done - self.warmup) / (1 - self.warmup)))


@dataclass(frozen=True)
class Constant:
    """Linear from 4 % to 1 over the warm-up, and 1 from then on."""

    total: int
    warmup: float

    def __call__(self, step: int) -> float:
        return _rise(min(step / (self.total * self.warmup), 1.0)) if self.warmup else 1.0


class Plateau:
    """`Constant`, times `factor` whenever more than `patience` validations in a row had no better score.

    The rule is that of torch's ReduceLROnPlateau, which cannot rise first. `observe` changes attributes only, which
    torch's LambdaLR keeps in checkpoints.

    Args:
        total, warmup: see `Constant`.
        mode: "min" where a lower score is better, "max" where a higher one is.
    """

    def __init__(self, total: int, warmup: float, mode: str, factor: float, patience: int):
        self.total, self.warmup = total, warmup
        self.mode, self.factor, self.patience = mode, factor, patience
        self.level = 1.0
        self.best: float | None = None
        self.worse = 0  # validations since the best

    def __call__(self, step: int) -> float:
        return self.level * Constant(self.total, self.warmup)(step)

    def observe(self, score: float) -> None:
        """Take in a validation's score; what follows from it holds from the next step on."""
        if self.best is None or (score < self.best * (1 - THRESHOLD) if self.mode == "min"
                                 else score > self.best * (1 + THRESHOLD)):
            self.best, self.worse = score, 0
            return
        self.worse += 1
        if self.worse > self.patience:
            self.level, self.worse = max(self.level * self.factor, FLOOR), 0


def _rise(share: float) -> float:
    return 0.04 + 0.96 * share
