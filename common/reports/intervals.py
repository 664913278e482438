"""How far a figure may be off by chance: the bootstrap, over what was drawn together."""

from collections.abc import Hashable, Sequence

import numpy as np

LEVEL = 0.95
RESAMPLES = 2000
FEWEST = 3  # units that a bootstrap over units needs


def bootstrap_interval(parts: np.ndarray, wholes: np.ndarray, units: Sequence[Hashable], level: float = LEVEL,
                       seed: int = 0) -> tuple[float, float]:
    """Percentile interval of sum(parts) / sum(wholes) where whole units are drawn anew (Efron and Tibshirani, 1993).

    Clips of one speaker or one recording are right or wrong together, so that clips drawn one by one would give an
    interval that is too narrow.

    Args:
        parts, wholes: (clip,), for an accuracy whether each clip is right, and ones; for a WER edits and words.
        units: of each clip.
    """
    numbers = {unit: number for number, unit in enumerate(dict.fromkeys(units))}
    place = np.array([numbers[unit] for unit in units])
    sums = [np.bincount(place, weights=np.asarray(values, dtype=np.float64), minlength=len(numbers))
            for values in (parts, wholes)]
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(numbers), np.full(len(numbers), 1 / len(numbers)), size=RESAMPLES)
    rates = (drawn @ sums[0]) / np.maximum(drawn @ sums[1], 1e-12)
    low, high = np.quantile(rates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
