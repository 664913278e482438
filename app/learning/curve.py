"""How many more clips would help: a power law through what parts of the clips teach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FLOOR = 1e-3  # an error rate of 0 has no logarithm


@dataclass(frozen=True)
class Curve:
    """Attributes:
        clips: that were taught, on average; rising.
        errors: the share that went wrong of the clips held out.
        doubled: the share that the law expects with twice as many clips as the most; None where the errors do not fall.
    """

    clips: tuple[float, ...]
    errors: tuple[float, ...]
    doubled: float | None

    def sentence(self) -> str:
        """What it says to somebody who could bring more clips."""
        now = self.errors[-1]
        if now == 0:
            return "more clips would not show: none that was held out went wrong; measure it on new speakers or scenes"
        if self.doubled is None:
            return "more clips of this kind would hardly help: half of them teach as much as all"
        return (f"with twice as many clips the share of errors would fall from {now:.1%} to about {self.doubled:.1%}, "
                "if it goes on as it fell so far")


def fit_curve(clips: Sequence[float], errors: Sequence[float]) -> Curve:
    """error = a * clips ** -b (Hestness et al., 2017, for parts of one set), by least squares of the logarithms."""
    x, y = np.log(clips), np.log(np.maximum(errors, FLOOR))
    slope = float(np.polyfit(x, y, 1)[0])
    doubled = None
    if slope < 0:
        # From the last point on, which is known best.
        doubled = float(errors[-1] * 2**slope)
    return Curve(tuple(map(float, clips)), tuple(map(float, errors)), doubled)
