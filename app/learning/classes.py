"""`learn` of classes: a linear classifier, or a recurrent network where that does better on clips held out."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lhotse import CutSet

from ...common.errors import EarsightError
from ...common.reports.classification import ClassificationReport, ClassificationResult, classification_report
from ...common.reports.evaluation import run_checkpoint
from ...common.reports.intervals import bootstrap_interval
from ...common.reports.layout import number, percent
from .curve import Curve, fit_curve
from .ending import Learned, end, export, over, warn, write_card
from .folds import PARTS, Chosen, Taught, choose, linear_outputs, log_softmax, make_folds
from .frames import Frames, means
from .limits import tell_unknown
from .page import Summary
from .recipes import linear_recipe, recurrent_recipe, series_recipe
from .sources import MEDIA, Material
from .state import Clock
from .teaching import is_taught, learnt_by, open_model, stored_reader
from .units import Units, find_units

L2 = (0.01, 0.1)  # penalties that linear classifiers are tried with
HELD_BACK = 0.1  # share of the clips on which a recurrent network's training is stopped
LEAST = 60.0  # seconds; with less left, no network is trained
RECURRENT = "BiLSTM"
CURVE_CLIPS = 4  # of a class at least, of which parts are taken for a learning curve


def learn_classes(material: Material, frames: Frames, output: Path, work: Path, clock: Clock,
                  tell: Callable[[str], None]) -> Learned:
    """A classifier of clips, taught all of them but those that the user has set apart.

    Which one is found out in folds. Where the user has set clips apart, the figures are of these; else they are of
    the folds, in which every clip is held out once.
    """
    every = [cut for cut in material.cuts if cut.id in frames.views]
    cuts = [cut for cut in every if cut.id not in material.held_out]
    apart = [cut for cut in every if cut.id in material.held_out]
    taught, units = _taught(material, frames, cuts)
    _demand_known(apart, material, taught)
    warn(units, tell)
    folds = make_folds(taught)
    chosen, contenders, curve = _tried(taught, units, cuts, frames, material, folds, work, clock, tell, bool(apart))
    recipe, checkpoint = _teach("model", chosen.best, cuts, frames, material, work, max(clock.left(), LEAST))
    if apart:
        asked, asked_units = apart, _units_of(apart, material, frames)
        outputs = _outputs_of(checkpoint, [frames.views[cut.id][0] for cut in apart], taught.labels)
        how = "the clips that were set apart, which nothing was taught or chosen by"
    else:
        asked, asked_units, outputs = cuts, units, chosen.outputs
        how = ("clips held out in turns; the model in the folder was taught these too, so that the figure is of models "
               "that were taught fewer")
    figure, interval, drawn_over, report = _measured(asked, asked_units, outputs, material, taught.labels)
    summary = Summary(
        title=f"{output.name}: {number(len(taught.labels), 'class', 'classes')} of {MEDIA[material.medium]}",
        figure=(figure, f"right of {number(len(report.clips), 'clip')}"), interval=interval, over=drawn_over,
        told=[f"{material.described()}.", f"What stays together: {units.how}.",
              f"Taken: {chosen.best}. Measured on {how}."],
        warnings=[*material.warnings, *([] if units.known else [units.how]),
                  *(f"{name}: {reason}" for name, reason in (*material.failures, *frames.failures))],
        candidates=_ranked(contenders, chosen), curve=curve, commands=())
    card = write_card(work, material, frames, recipe, chosen.best, summary.figures())
    export(checkpoint, output, card, frames)
    held = np.flatnonzero(folds == 0).tolist()
    if len(held):
        like = _teach("fold1" if chosen.best == RECURRENT else "fold1-linear", chosen.best,
                      [cut for cut, fold in zip(cuts, folds) if fold != 0], frames, material, work, LEAST)
        tell(tell_unknown(output, like[1], [frames.views[cuts[place].id][0] for place in held], card, work, frames))
    low, high = interval
    tell(f"accuracy {percent(figure)} of {len(report.clips)} clips (95 % interval {percent(low)} to {percent(high)}, "
         f"over {drawn_over}): {how}")
    if curve:
        tell(curve.sentence())
    page = end(work, report, output, material, every, summary, recipe, tell)
    return Learned(output, page, recipe, chosen.best, figure, interval)


def _taught(material: Material, frames: Frames, cuts: Sequence[Any]) -> tuple[Taught, Units]:
    labels = [material.target(cut) for cut in cuts]
    symbols = tuple(sorted(set(labels)))
    features = means([frames.views[cut.id][0] for cut in cuts])
    views = [(place, view) for place, cut in enumerate(cuts) for view in frames.views[cut.id][1:]]
    units = find_units(cuts, labels, features)
    place = {symbol: i for i, symbol in enumerate(symbols)}
    taught = Taught(
        np.array([place[label] for label in labels]), symbols, units.numbers, features,
        means([view for _, view in views]) if views else np.zeros((0, features.shape[1]), np.float32),
        np.array([owner for owner, _ in views], dtype=int), frames.widths)
    return taught, units


def _units_of(cuts: Sequence[Any], material: Material, frames: Frames) -> Units:
    return find_units(cuts, list(map(material.target, cuts)), means([frames.views[cut.id][0] for cut in cuts]))


def _demand_known(apart: Sequence[Any], material: Material, taught: Taught) -> None:
    for cut in apart:
        if material.target(cut) not in taught.labels:
            raise EarsightError(f"{cut.id}: is set apart as a test, and no clip of its class {material.target(cut)} is "
                                "there to learn; add some, or leave it out")
    if len(taught.labels) < 2:
        raise EarsightError(f"one class only to learn, {', '.join(taught.labels)}; a classifier needs two or more")


def _tried(taught: Taught, units: Units, cuts: Sequence[Any], frames: Frames, material: Material, folds: np.ndarray,
           work: Path, clock: Clock, tell: Callable[[str], None], apart: bool
           ) -> tuple[Chosen, dict[str, np.ndarray], Curve | None]:
    """Which model to take, what it was chosen among (log-probabilities of each), and the learning curve."""
    candidates: dict[str, np.ndarray] = {}
    curve = None
    if folds.max() < 0 and not apart:
        raise EarsightError(f"no class has clips of two {units.kind}, so that nothing can be held out and measured; "
                            "give each class clips of two speakers, recordings or scenes at least")
    if material.medium != "series" and folds.max() >= 0:  # the mean of raw channels says little
        candidates = {f"linear, l2 {l2:g}": linear_outputs(taught, folds, l2) for l2 in L2}
        linear = choose(candidates, taught.targets, folds)
        tell(f"linear classifier on the mean of the frames: {percent(linear.correct[linear.best])} of clips held out "
             f"in {folds.max() + 1} folds")
        curve = _curve(taught, folds, float(linear.best.split()[-1]), candidates[linear.best])
    elif material.medium != "series":
        candidates = {f"linear, l2 {L2[0]:g}": np.full((len(cuts), len(taught.labels)), np.nan)}
    must = not candidates  # there is nothing else to take
    if folds.max() >= 0 and not (must and apart):
        recurrent = _recurrent_outputs(taught, cuts, frames, material, folds, work, clock, tell, must)
        if recurrent is not None:
            candidates[RECURRENT] = recurrent
    if must and not candidates:
        candidates[RECURRENT] = np.full((len(cuts), len(taught.labels)), np.nan)
    chosen = choose(candidates, taught.targets, folds)
    asked, right = int(chosen.asked.sum()), percent(chosen.correct[chosen.best])
    tell(f"taken: {chosen.best}" + (f", right in {right} of {number(asked, 'clip')}" if asked else ""))
    return chosen, candidates, curve


def _recurrent_outputs(taught: Taught, cuts: Sequence[Any], frames: Frames, material: Material, folds: np.ndarray,
                       work: Path, clock: Clock, tell: Callable[[str], None], must: bool) -> np.ndarray | None:
    """What networks say that were not taught the clips' folds: of as many folds as the time allows.

    Args:
        must: whether one fold is done whatever the time.

    Returns:
        (clip, class) log-probabilities, NaN of other folds; None where there is no time for one.
    """
    outputs = np.full((len(cuts), len(taught.labels)), np.nan, dtype=np.float32)
    longest = 0.0
    for fold in range(folds.max() + 1):
        name = f"fold{fold + 1}"
        # The last training, of all clips, takes as long as one of a fold.
        share = clock.left() / 2 if fold == 0 else clock.left() - 1.2 * longest
        if share < max(LEAST, longest) and not is_taught(name, work):
            if not (must and fold == 0):
                break
            share = LEAST
        begun = time.monotonic()
        kept = [cut for cut, number in zip(cuts, folds) if number != fold]
        _, checkpoint = _train_recurrent(name, kept, frames, material, work, share)
        longest = max(longest, time.monotonic() - begun)
        held = np.flatnonzero(folds == fold).tolist()
        outputs[held] = _outputs_of(checkpoint, [frames.views[cuts[place].id][0] for place in held], taught.labels)
        right = (outputs[held].argmax(axis=1) == taught.targets[held]).mean()
        tell(f"{RECURRENT}, fold {fold + 1} of {folds.max() + 1}: {percent(float(right))} of {len(held)} clips")
    return outputs if np.isfinite(outputs).any() else None


def _train_recurrent(name: str, cuts: Sequence[Any], frames: Frames, material: Material, work: Path, seconds: float
                     ) -> tuple[Path, Path]:
    """Train on these clips and their views, but for some on which it is stopped; the recipe, and its checkpoint."""
    rng = np.random.default_rng(0)
    by_class: dict[str, list[str]] = defaultdict(list)
    for cut in cuts:
        by_class[material.target(cut)].append(cut.id)
    back: set[str] = set()
    for names in by_class.values():
        spare = max(1, round(HELD_BACK * len(names))) if len(names) > 2 else 0
        back.update(rng.permutation(names)[:spare].tolist())
    learnt = [view for cut in cuts if cut.id not in back for view in frames.views[cut.id]]
    stopping = [frames.views[cut.id][0] for cut in cuts if cut.id in back] or learnt
    if material.medium == "series":
        recipe = series_recipe()
    else:
        recipe = recurrent_recipe(material.medium, frames, sum(cut.duration for cut in learnt), len(learnt))
    return learnt_by(name, recipe, learnt, stopping, material, frames, work, seconds)


def _teach(name: str, kind: str, cuts: Sequence[Any], frames: Frames, material: Material, work: Path, seconds: float
           ) -> tuple[Path, Path]:
    """Teach a model of a kind all of these clips; the recipe, and its checkpoint."""
    if kind == RECURRENT:
        return _train_recurrent(name, cuts, frames, material, work, seconds)
    learnt = [view for cut in cuts for view in frames.views[cut.id]]
    mean = sum(cut.duration for cut in learnt) / len(learnt)
    recipe = linear_recipe(material.medium, frames, float(kind.split()[-1]), 64 * mean)
    plain = [frames.views[cut.id][0] for cut in cuts]
    return learnt_by(name, recipe, learnt, plain, material, frames, work, None)


def _outputs_of(checkpoint: Path, cuts: Sequence[Any], labels: Sequence[str]) -> np.ndarray:
    """(clip, class) log-probabilities, in the order of `labels`."""
    model = open_model(checkpoint)
    said = {cut.id: output for cut, output in run_checkpoint(model, CutSet.from_cuts(cuts), stored_reader(model))
            if isinstance(output, np.ndarray)}
    order = [model.labels.symbols.index(label) for label in labels]
    return np.stack([log_softmax(said[cut.id][order]) for cut in cuts])


def _curve(taught: Taught, folds: np.ndarray, l2: float, whole: np.ndarray) -> Curve | None:
    """What parts of the clips teach a linear classifier; None where the classes are too small to be parted."""
    asked = np.isfinite(whole[:, 0])
    count = len(folds) * folds.max() / (folds.max() + 1)
    if count / len(taught.labels) < CURVE_CLIPS:
        return None

    def error(outputs: np.ndarray) -> float:
        return float((outputs[asked].argmax(axis=1) != taught.targets[asked]).mean())

    errors = [error(linear_outputs(taught, folds, l2, part)) for part in PARTS]
    return fit_curve([part * count for part in (*PARTS, 1.0)], [*errors, error(whole)])


def _measured(cuts: Sequence[Any], units: Units, outputs: np.ndarray, material: Material, labels: Sequence[str]
              ) -> tuple[float, tuple[float, float], str, ClassificationReport]:
    """Accuracy on clips held out, its interval, what that was drawn over, and the report."""
    places = np.flatnonzero(np.isfinite(outputs[:, 0])).tolist()
    drawn, drawn_over = over(units, places)
    results = [ClassificationResult(cuts[place].id, units.names[place] if units.known else None,
                                    material.target(cuts[place]), _probabilities(outputs[place])) for place in places]
    report = classification_report(results, tuple(labels), 10)
    right = np.array([clip.predicted == clip.label for clip in report.clips], dtype=float)
    return report.accuracy, bootstrap_interval(right, np.ones(len(right)), drawn), drawn_over, report


def _probabilities(log_probs: np.ndarray) -> np.ndarray:
    probabilities = np.exp(log_probs.astype(np.float64))
    return probabilities / probabilities.sum()


def _ranked(contenders: dict[str, np.ndarray], chosen: Chosen) -> list[tuple[str, float, str]]:
    """The candidates, the one that was taken first."""
    asked = int(chosen.asked.sum())
    rows = [(name, chosen.correct[name], number(asked, "clip")) for name in contenders]
    return sorted(rows, key=lambda row: (row[0] != chosen.best, -row[1])) if asked else []
