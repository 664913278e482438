"""`learn` of classes: a linear classifier, or a recurrent network where that does better on clips held out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lhotse import CutSet

from ...audio.model import export_checkpoint, load_model
from ...common.data.datamodule import read_frames_cut
from ...common.errors import EarsightError
from ...common.reports.classification import ClassificationReport, ClassificationResult, classification_report
from ...common.reports.evaluation import run_checkpoint
from ...common.reports.intervals import bootstrap_interval
from ...common.reports.layout import number, percent
from .curve import Curve, fit_curve
from .ending import Learned, end, over, warn, write_card
from .folds import PARTS, Chosen, Taught, choose, linear_outputs, log_softmax, make_folds
from .frames import Frames, means
from .page import Summary
from .recipes import linear_recipe, recurrent_recipe
from .sources import MEDIA, Material
from .state import Clock
from .teaching import is_taught, learnt_by
from .units import Units, find_units

L2 = (0.01, 0.1)  # penalties that linear classifiers are tried with
HELD_BACK = 0.1  # share of the clips on which a recurrent network's training is stopped
LEAST = 60.0  # seconds; with less left, no network is trained


def learn_classes(material: Material, frames: Frames, output: Path, work: Path, clock: Clock,
                  tell: Callable[[str], None]) -> Learned:
    """A classifier: the linear one, or a recurrent network where that does better on clips held out."""
    cuts = [cut for cut in material.cuts if cut.id in frames.views]
    taught, units = _taught(material, frames, cuts)
    warn(units, tell)
    folds = make_folds(taught)
    if folds.max() < 0:
        raise EarsightError("no class has clips in two units, so that nothing can be held out and measured; give each "
                            "class clips of two speakers, recordings or scenes at least")
    candidates = {f"linear, l2 {l2:g}": linear_outputs(taught, folds, l2) for l2 in L2}
    linear = choose(candidates, taught.targets, folds)
    tell(f"linear classifier on the mean of the frames: {percent(linear.correct[linear.best])} of clips held out in "
         f"{folds.max() + 1} folds")
    curve = _curve(taught, folds, float(linear.best.split()[-1]), candidates[linear.best])
    contenders = {linear.best: candidates[linear.best]}
    recurrent = _recurrent_outputs(taught, cuts, frames, material, folds, work, clock, tell)
    if recurrent is not None:
        contenders["BiLSTM"] = recurrent
    # All penalties again: which is best is found on the other folds each time.
    chosen = choose({**candidates, **({"BiLSTM": recurrent} if recurrent is not None else {})}, taught.targets, folds)
    tell(f"taken: {chosen.best}, right in {percent(chosen.correct[chosen.best])} of {int(chosen.asked.sum())} clips")
    recipe, checkpoint = _teach_all(chosen.best, taught, cuts, frames, material, work, clock, output)
    figure, interval, drawn_over, report = _measured(taught, units, chosen)
    asked = f"right of {number(len(report.clips), 'clip')} held out in turns"
    summary = Summary(
        title=f"{output.name}: {number(len(taught.labels), 'class', 'classes')} of {MEDIA[material.medium]}",
        figure=(figure, asked), interval=interval, over=drawn_over,
        told=[f"{material.described()}.", f"What stays together: {units.how}.",
              f"Taken: {chosen.best}. The model in the folder was taught all clips, those held out here too: the "
              "figure is of models that were taught fewer."],
        warnings=[*material.warnings, *([] if units.known else [units.how]),
                  *(f"{name}: {reason}" for name, reason in (*material.failures, *frames.failures))],
        candidates=_ranked(contenders, chosen), curve=curve, commands=())
    card = write_card(work, material, frames, recipe, chosen.best, summary.figures())
    export_checkpoint(checkpoint, output, card=card, frontend_of=frames.frontend or None)
    low, high = interval
    tell(f"accuracy {percent(figure)} of {len(report.clips)} clips held out (95 % interval {percent(low)} to "
         f"{percent(high)}, over {drawn_over})")
    if curve:
        tell(curve.sentence())
    page = end(work, report, output, material, cuts, summary, recipe, tell)
    return Learned(output, page, recipe, chosen.best, figure, interval)


def _taught(material: Material, frames: Frames, cuts: Sequence[Any]) -> tuple[Taught, Units]:
    labels = [material.target(cut) for cut in cuts]
    symbols = tuple(sorted(set(labels)))
    features = means([frames.views[cut.id][0] for cut in cuts])
    views = [(place, view) for place, cut in enumerate(cuts) for view in frames.views[cut.id][1:]]
    units = find_units(cuts, labels, features)
    place = {symbol: i for i, symbol in enumerate(symbols)}
    taught = Taught(
        tuple(cut.id for cut in cuts), np.array([place[label] for label in labels]), symbols, units.numbers, features,
        means([view for _, view in views]) if views else np.zeros((0, features.shape[1]), np.float32),
        np.array([owner for owner, _ in views], dtype=int), frames.widths)
    return taught, units


def _recurrent_outputs(taught: Taught, cuts: Sequence[Any], frames: Frames, material: Material, folds: np.ndarray,
                       work: Path, clock: Clock, tell: Callable[[str], None]) -> np.ndarray | None:
    """What networks say that were not taught the clips' folds: of as many folds as the time allows, one at least.

    None where there is no time for one fold and the training of all clips.
    """
    outputs = np.full((len(cuts), len(taught.labels)), np.nan, dtype=np.float32)
    longest = 0.0
    for fold in range(folds.max() + 1):
        # The last training, of all clips, takes as long as one of a fold.
        share = clock.left() / 2 if fold == 0 else clock.left() - 1.2 * longest
        if share < max(LEAST, longest if fold else 0.0) and not is_taught(f"fold{fold}", work):
            break
        begun = time.monotonic()
        kept = [cut for cut, held in zip(cuts, folds) if held != fold]
        _, checkpoint = _train_recurrent(f"fold{fold}", kept, frames, material, work, share)
        longest = max(longest, time.monotonic() - begun)
        model = load_model(checkpoint)
        held = [place for place, number in enumerate(folds) if number == fold]
        asked = CutSet.from_cuts([frames.views[cuts[place].id][0] for place in held])
        said = {cut.id: output for cut, output in run_checkpoint(model, asked, read_frames_cut)
                if isinstance(output, np.ndarray)}
        order = [model.labels.symbols.index(label) for label in taught.labels]
        for place in held:
            outputs[place] = log_softmax(said[cuts[place].id][order])
        right = np.mean([outputs[place].argmax() == taught.targets[place] for place in held])
        tell(f"BiLSTM, fold {fold + 1}: {percent(float(right))} of {len(held)} clips held out")
    return outputs if longest or np.isfinite(outputs).any() else None


def _train_recurrent(name: str, cuts: Sequence[Any], frames: Frames, material: Material, work: Path, seconds: float
                     ) -> tuple[Path, Path]:
    """Train on these clips and their views, but for some on which it is stopped; the recipe, and its checkpoint."""
    rng = np.random.default_rng(0)
    back: set[str] = set()
    by_class: dict[str, list[str]] = {}
    for cut in cuts:
        by_class.setdefault(material.target(cut), []).append(cut.id)
    for names in by_class.values():
        spare = min(len(names) - 1, max(1, round(HELD_BACK * len(names)))) if len(names) > 2 else 0
        back.update(rng.permutation(names)[:spare].tolist())
    learnt = [view for cut in cuts if cut.id not in back for view in frames.views[cut.id]]
    stopping = [frames.views[cut.id][0] for cut in cuts if cut.id in back] or learnt
    recipe = recurrent_recipe(material.medium, frames, sum(cut.duration for cut in learnt), len(learnt))
    return learnt_by(name, recipe, learnt, stopping, material, frames, work, seconds)


def _teach_all(best: str, taught: Taught, cuts: Sequence[Any], frames: Frames, material: Material, work: Path,
               clock: Clock, output: Path) -> tuple[Path, Path]:
    if best == "BiLSTM":
        return _train_recurrent("model", cuts, frames, material, work, max(clock.left(), LEAST))
    learnt = [view for cut in cuts for view in frames.views[cut.id]]
    mean = sum(cut.duration for cut in learnt) / len(learnt)
    recipe = linear_recipe(material.medium, frames, float(best.split()[-1]), 64 * mean)
    plain = [frames.views[cut.id][0] for cut in cuts]
    return learnt_by("model", recipe, learnt, plain, material, frames, work, None)


def _curve(taught: Taught, folds: np.ndarray, l2: float, whole: np.ndarray) -> Curve | None:
    """What parts of the clips teach a linear classifier; None where the classes are too small to be parted."""
    asked = np.isfinite(whole[:, 0])
    count = (folds.max() / (folds.max() + 1)) * len(folds)
    if count / len(taught.labels) < 4:
        return None

    def error(outputs: np.ndarray) -> float:
        return float((outputs[asked].argmax(axis=1) != taught.targets[asked]).mean())

    errors = [error(linear_outputs(taught, folds, l2, part)) for part in PARTS]
    return fit_curve([part * count for part in (*PARTS, 1.0)], [*errors, error(whole)])


def _measured(taught: Taught, units: Units, chosen: Chosen
              ) -> tuple[float, tuple[float, float], str, ClassificationReport]:
    """Accuracy on clips held out, its interval, what that was drawn over, and the report."""
    places = np.flatnonzero(np.isfinite(chosen.outputs[:, 0]))
    drawn, drawn_over = over(units, places)
    right = (chosen.outputs[places].argmax(axis=1) == taught.targets[places]).astype(float)
    interval = bootstrap_interval(right, np.ones(len(right)), drawn)
    results = [ClassificationResult(taught.names[place], units.names[place] if units.known else None,
                                    taught.labels[taught.targets[place]], _probabilities(chosen.outputs[place]))
               for place in places]
    return float(right.mean()), interval, drawn_over, classification_report(results, taught.labels, 10)


def _probabilities(log_probs: np.ndarray) -> np.ndarray:
    probabilities = np.exp(log_probs.astype(np.float64))
    return probabilities / probabilities.sum()


def _ranked(contenders: dict[str, np.ndarray], chosen: Chosen) -> list[tuple[str, float, str]]:
    asked = int(chosen.asked.sum())
    rows = [(name, chosen.correct[name], number(asked, "clip")) for name in contenders]
    return sorted(rows, key=lambda row: (row[0] != chosen.best, -row[1]))


