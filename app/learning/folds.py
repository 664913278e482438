"""How well candidates do on clips that they were not taught, in turns: every clip is held out once."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...common.nn.linear import fit_linear

FOLDS = 5
PARTS = (0.25, 0.5, 0.75)  # of the clips, for the learning curve


@dataclass(frozen=True, eq=False)
class Taught:
    """Clips with their classes, as a linear classifier and the folds need them.

    Attributes:
        targets: (clip,) numbers of `labels`.
        labels: the classes, sorted.
        units: (clip,) numbers; clips of one number stay together.
        features: (clip, feature) means of their frames.
        view_features: (view, feature) of augmented views.
        view_owner: (view,) number of the clip.
        widths: of the parts that the features fall into.
    """

    targets: np.ndarray
    labels: tuple[str, ...]
    units: np.ndarray
    features: np.ndarray
    view_features: np.ndarray
    view_owner: np.ndarray
    widths: tuple[int, ...]


def make_folds(taught: Taught, seed: int = 0) -> np.ndarray:
    """(clip,) the fold in which each clip is held out, -1 for never: whole units, of each class about as many a fold.

    A class that is in one unit alone is never held out: it could not be taught then. There are as many folds as units,
    or as clips of the largest class, and FOLDS at most.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    folds = np.full(len(taught.targets), -1)
    count = min(FOLDS, len(np.unique(taught.units)), int(np.bincount(taught.targets).max()))
    if count < 2:
        return folds
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer clips than folds
        for number, (_, held) in enumerate(splitter.split(taught.features, taught.targets, taught.units)):
            folds[held] = number
    return _teachable(taught, folds)


def _teachable(taught: Taught, folds: np.ndarray) -> np.ndarray:
    """Without holding out a class as a whole; folds of which nothing is left are none."""
    kept = folds.copy()
    for fold in range(folds.max() + 1):
        rest = np.unique(taught.targets[folds != fold])
        kept[(folds == fold) & ~np.isin(taught.targets, rest)] = -1
    left = np.unique(kept[kept >= 0])
    return np.where(kept >= 0, np.searchsorted(left, kept), -1)


def linear_outputs(taught: Taught, folds: np.ndarray, l2: float, part: float = 1.0, seed: int = 0) -> np.ndarray:
    """(clip, class) log-probabilities of a linear classifier that was not taught the clip's fold; NaN for fold -1.

    Args:
        part: of the units that are taught; those of each class are drawn at random.
    """
    outputs = np.full((len(taught.targets), len(taught.labels)), np.nan, dtype=np.float32)
    for fold in range(folds.max() + 1):
        held = folds == fold
        kept = _drawn(taught, ~held, part, np.random.default_rng([seed, fold]))
        views = kept[taught.view_owner]
        features = np.concatenate([taught.features[kept], taught.view_features[views]])
        targets = np.concatenate([taught.targets[kept], taught.targets[taught.view_owner[views]]])
        outputs[held] = _linear(features, targets, taught.features[held], len(taught.labels), taught.widths, l2)
    return outputs


def _linear(features: np.ndarray, targets: np.ndarray, asked: np.ndarray, classes: int, widths: Sequence[int],
            l2: float) -> np.ndarray:
    edges = np.cumsum(widths)[:-1]
    each = []
    for part, those in zip(np.split(features, edges, axis=1), np.split(asked, edges, axis=1)):
        weights, biases = fit_linear(np.ascontiguousarray(part), targets, classes, l2)
        each.append(log_softmax(those @ weights.T + biases))
    return log_softmax(np.mean(each, axis=0))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def _drawn(taught: Taught, kept: np.ndarray, part: float, rng: np.random.Generator) -> np.ndarray:
    """A share of the units, of each class one at least."""
    if part >= 1:
        return kept
    chosen = np.zeros(len(kept), dtype=bool)
    for target in range(len(taught.labels)):
        here = kept & (taught.targets == target)
        units = rng.permutation(np.unique(taught.units[here]))
        chosen |= here & np.isin(taught.units, units[: max(1, round(part * len(units)))])
    return chosen


@dataclass(frozen=True, eq=False)
class Chosen:
    """What the folds say.

    Attributes:
        best: the candidate that is right most often, over all folds.
        outputs: (clip, class) of each clip, by the candidate that is best on the other folds, so that no figure is of
            clips that the choice was made on; NaN where nothing was held out.
        correct: by candidate, the share that it gets right of the clips that all candidates were asked for.
        asked: (clip,) which clips these are.
    """

    best: str
    outputs: np.ndarray
    correct: dict[str, float]
    asked: np.ndarray


def choose(candidates: Mapping[str, np.ndarray], targets: np.ndarray, folds: np.ndarray) -> Chosen:
    """Compare candidates on the clips that all of them were asked for; of equals the surer, then the first, is best.

    Args:
        candidates: (clip, class) log-probabilities of each; NaN for clips that it was not asked for.
    """
    asked = np.all([np.isfinite(outputs[:, 0]) for outputs in candidates.values()], axis=0)

    def rank(name: str, among: np.ndarray) -> tuple[int, float]:
        outputs, true = candidates[name][among], targets[among]
        right = int((outputs.argmax(axis=1) == true).sum())
        return right, float(outputs[np.arange(len(true)), true].sum())

    best = max(candidates, key=lambda name: rank(name, asked))
    outputs = np.full_like(candidates[best], np.nan)
    used = Counter(folds[asked].tolist())
    for fold in used:
        others = asked & (folds != fold)
        name = max(candidates, key=lambda name: rank(name, others)) if others.any() else best
        here = (folds == fold) & np.isfinite(candidates[name][:, 0])
        outputs[here] = candidates[name][here]
    # Clips of folds that the best was asked for, and not all others.
    rest = np.isfinite(candidates[best][:, 0]) & ~np.isfinite(outputs[:, 0])
    outputs[rest] = candidates[best][rest]
    total = max(int(asked.sum()), 1)
    return Chosen(best, outputs, {name: rank(name, asked)[0] / total for name in candidates}, asked)
