"""Whether sound and lips say the same, and at the same time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FARTHEST = 0.6  # seconds by which sound is looked for before and behind the lips
MENDED = 0.2  # seconds up to which it is moved to where it belongs
CLEARER = 1.25  # how much better the lips must agree with sound that is moved than with sound that is not
LEAST = 0.04  # seconds: less is a matter of how labels fall to frames
DIFFERENT = 0.15  # agreement below which sound and lips are thought to be of different clips
SPREAD = (0.25, 0.5, 1.0, 0.5, 0.25)  # over output frames: the two streams put a label a little apart


@dataclass(frozen=True)
class Lag:
    """How late sound is behind the lips.

    Attributes:
        seconds: above 0 where the sound comes late.
        agreement: 0 to 1, how much of what either stream says the other says too, at that lag; 1 where one is missing.
        mended: by how many pictures the sound is to be moved; 0 where it is well, or too far off.
        tell: what to tell the user; empty where all is well.
    """

    seconds: float = 0.0
    agreement: float = 1.0
    mended: int = 0
    tell: str = ""


def estimate_lag(heard: np.ndarray, seen: np.ndarray, silent: Sequence[int], shift: float, rate: float) -> Lag:
    """By the probabilities (time, label) that sound alone and lips alone give.

    The lag is the one at which the two agree most: at which the product of what they give to labels, spread over
    neighbouring frames, is largest.

    Args:
        silent: labels that tell nothing of which words are said: the blank, and what stands between words.
        shift: seconds of an output frame.
        rate: pictures a second.
    """
    one, other = (_spoken(said, silent) for said in (heard, seen))
    farthest = min(round(FARTHEST / shift), len(one) - 1)
    overlaps = {by: _overlap(one, other, by) for by in range(-farthest, farthest + 1)}
    best = max(overlaps, key=lambda by: (overlaps[by], -abs(by)))
    if overlaps[best] <= CLEARER * overlaps[0] or abs(best) * shift < LEAST - 1e-9:
        best = 0
    agreement = min(1.0, overlaps[best])
    seconds = best * shift
    said = f"{abs(seconds):.2f} s {'behind' if seconds > 0 else 'before'} the lips"
    if agreement < DIFFERENT:
        return Lag(0.0, agreement, 0, f"sound and lips agree in {agreement:.0%} of what they say, as those of "
                   "different films do; what either says may be wrong")
    if not best:
        return Lag(0.0, agreement)
    if abs(seconds) > MENDED + 1e-9:
        return Lag(seconds, agreement, 0, f"its sound comes {said}, too far to be moved; set the film's sound right")
    return Lag(seconds, agreement, round(seconds * rate), f"its sound comes {said}, and is read as if it did not")


def shifted(rows: np.ndarray, pixels: int, by: int) -> np.ndarray:
    """Rows (time, pixels + samples) with their sound `by` pictures later, silence where none comes."""
    moved = rows.copy()
    sound = np.zeros_like(rows[:, pixels:])
    source = rows[max(-by, 0):len(rows) - max(by, 0), pixels:]
    sound[max(by, 0):max(by, 0) + len(source)] = source
    moved[:, pixels:] = sound
    return moved


def _spoken(said: np.ndarray, silent: Sequence[int]) -> np.ndarray:
    """Probabilities (time, label) without those of some labels, spread over time, of a total energy of 1."""
    rest = np.delete(said, silent, axis=1)
    spread = np.stack([np.convolve(column, SPREAD, mode="same") for column in rest.T], axis=1)
    return spread / max(np.sqrt(np.square(spread).sum()), 1e-9)


def _overlap(heard: np.ndarray, seen: np.ndarray, by: int) -> float:
    """How much `heard`, taken `by` frames earlier, is `seen`: a cosine."""
    late, early = max(by, 0), max(-by, 0)
    return float((heard[late:len(heard) - early] * seen[early:len(seen) - late]).sum())
