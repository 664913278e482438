"""`earsight learn`: looks at clips, takes frames of them, chooses what to teach, teaches it, measures it, exports it."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...audio.model import export_checkpoint, load_model
from ...common.data.cuts import text_of
from ...common.data.datamodule import read_frames_cut
from ...common.data.manifest import write_manifest
from ...common.errors import EarsightError
from ...common.files import write_whole
from ...common.model_folder import CONFIG, demand_own
from ...common.reports.classification import ClassificationResult, classification_report
from ...common.reports.evaluation import run_checkpoint
from ...common.reports.intervals import FEWEST, bootstrap_interval
from ...common.reports.layout import duration, number, percent
from ...common.reports.pages.page import write_page
from ...common.training.resume import RunLock
from ...common.training.running import run_training
from ..media import name_classes
from .curve import Curve, fit_curve
from .folds import PARTS, Chosen, Taught, choose, linear_outputs, log_softmax, make_folds
from .frames import Frames, embed, means
from .page import Summary, head
from .recipes import linear_recipe, recurrent_recipe, write_recipe
from .sources import MEDIA, TASKS, Material, read_sources
from .units import Units, find_units

MINUTES = 15.0
L2 = (0.003, 0.01, 0.03, 0.1)  # penalties that linear classifiers are tried with
HELD_BACK = 0.1  # share of the clips on which a recurrent network's training is stopped
LEAST = 60.0  # seconds; with less left, no network is trained
FORMAT = 1


@dataclass(frozen=True)
class Learned:
    """What came of it.

    Attributes:
        model: the model folder.
        page: the report.
        recipe: the YAML that `earsight train fit --config` runs again.
        taken: which model was taken.
        figure: accuracy on clips held out, or word error rate where it writes text.
        interval: 95 % of it.
    """

    model: Path
    page: Path
    recipe: Path
    taken: str
    figure: float
    interval: tuple[float, float]


class Clock:
    """The time that was given, counted from here on."""

    def __init__(self, minutes: float):
        if not (math.isfinite(minutes) and minutes > 0):
            raise EarsightError(f"--minutes {minutes:g}: give a number above 0")
        self._end = time.monotonic() + 60 * minutes

    def left(self) -> float:
        """Seconds."""
        return self._end - time.monotonic()


def learn(sources: Sequence[str | Path], output: Path, minutes: float = MINUTES, add: bool = False, task: str = "auto",
          tell: Callable[[str], None] = print) -> Learned:
    """Teach a model the clips of folders, tables or manifests; see `earsight learn --help`.

    Args:
        output: the model folder; what it was made of lies beside it, in `output`-learning.
        minutes: in which to be done; a little more goes by for what must be.
        add: to what was learnt there before.
        task: "classes", "text", or "auto": classes where each clip has a label.
        tell: gets each line of the account.

    Raises:
        EarsightError: clips from which nothing can be learnt, or not enough time for what must be; what was computed is
            kept.
    """
    clock, work = Clock(minutes), output.with_name(f"{output.name}-learning")
    if task not in TASKS:
        raise EarsightError(f"--task {task}: choose one of {', '.join(TASKS)}")
    _demand_output(output)
    lock = RunLock(work)
    name_classes()
    state = _State.read(work / "state.json")
    state = state.with_sources(sources, add, output)
    material = read_sources(state.sources, work / "data", task)
    state = state.for_clips(material)
    tell(_described(material))
    for warning in material.warnings:
        print(f"warning: {warning}", file=sys.stderr, flush=True)
    frames = embed(material, work / "frames", clock.left, state.views)
    state = state.with_views(frames)
    state.write(work / "state.json")
    for name, reason in frames.failures:
        print(f"warning: {name}: {reason}", file=sys.stderr, flush=True)
    if material.task == "text":
        from .texts import learn_texts as teach
    else:
        teach = learn_classes
    learned = teach(material, frames, output, work, clock, tell)
    del lock
    return learned


def learn_classes(material: Material, frames: Frames, output: Path, work: Path, clock: Clock,
                  tell: Callable[[str], None]) -> Learned:
    """A classifier: the linear one, or a recurrent network where that does better on clips held out."""
    cuts = [cut for cut in material.cuts if cut.id in frames.views]
    taught, units = _taught(material, frames, cuts)
    _warn(units)
    tell(f"together: {number(len(set(units.names)), units.kind.removesuffix('s'), units.kind)}; {units.how}"
         if units.known else f"together: {units.kind}")
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
    figure, interval, report = _measured(taught, units, chosen)
    over = _over(units, chosen)
    summary = Summary(
        title=f"{output.name}: {number(len(taught.labels), 'class', 'classes')} of {MEDIA[material.medium]}",
        figure=(figure, f"right of {number(len(report.clips), 'clip')} held out in turns"), interval=interval, over=over,
        told=[_described(material), f"What stays together: {units.how}." if units.known else "",
              f"Taken: {chosen.best}. The model in the folder was taught all clips, those held out here too: the figure "
              "is of models that were taught fewer."],
        warnings=[*material.warnings, *([] if units.known else [units.how]),
                  *(f"{name}: {reason}" for name, reason in (*material.failures, *frames.failures))],
        candidates=_ranked(contenders, chosen, taught), curve=curve,
        commands=_commands(output, recipe, material))
    card = _card(work, material, frames, summary, chosen.best, recipe)
    export_checkpoint(checkpoint, output, card=card, frontend_of=frames.frontend or None)
    page = _write_page(work, report, output, material, cuts, summary)
    low, high = interval
    tell(f"accuracy {percent(figure)} of {len(report.clips)} clips held out (95 % interval {percent(low)} to "
         f"{percent(high)}, over {over})")
    if curve:
        tell(curve.sentence())
    tell(f"{output}: earsight classify CLIP --model {output}\n{page}: the report\n{recipe}: what was done, for "
         "`earsight train fit --config`")
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
        if share < max(LEAST, longest if fold else 0.0) and not _finished(work, f"fold{fold}"):
            break
        begun = time.monotonic()
        kept = [cut for cut, held in zip(cuts, folds) if held != fold]
        _, checkpoint = _train_recurrent(f"fold{fold}", kept, frames, material, work, share)
        longest = max(longest, time.monotonic() - begun)
        model = load_model(checkpoint)
        held = [place for place, number in enumerate(folds) if number == fold]
        from lhotse import CutSet

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
    return _run(name, recipe, learnt, stopping, material, frames, work, seconds)


def _teach_all(best: str, taught: Taught, cuts: Sequence[Any], frames: Frames, material: Material, work: Path,
               clock: Clock, output: Path) -> tuple[Path, Path]:
    if best == "BiLSTM":
        return _train_recurrent("model", cuts, frames, material, work, max(clock.left(), LEAST))
    learnt = [view for cut in cuts for view in frames.views[cut.id]]
    mean = sum(cut.duration for cut in learnt) / len(learnt)
    recipe = linear_recipe(material.medium, frames, float(best.split()[-1]), 64 * mean)
    plain = [frames.views[cut.id][0] for cut in cuts]
    return _run("model", recipe, learnt, plain, material, frames, work, None)


def _run(name: str, recipe: dict[str, Any], learnt: Sequence[Any], stopping: Sequence[Any], material: Material,
         frames: Frames, work: Path, seconds: float | None) -> tuple[Path, Path]:
    """Train by a recipe; what was trained by the same one is not trained again, and what was stopped goes on."""
    folder, run = work / name, work / name / "run"
    train, validation = folder / "train.jsonl.gz", folder / "validation.jsonl.gz"
    path = folder / "recipe.yaml"
    before = _digest(path, train, validation)
    write_manifest(learnt, train)
    write_manifest(stopping, validation)
    write_recipe(path, recipe, run, train, validation, _header(name, material, frames, work))
    if before != _digest(path, train, validation):
        shutil.rmtree(run, ignore_errors=True)
    if not (run / "model.ckpt").is_file():
        options = [] if seconds is None else ["--trainer.max_time", _clock_text(seconds)]
        run_training(["fit", "--config", str(path), "--resume", "auto", *options])
    return path, run / "model.ckpt"


def _finished(work: Path, name: str) -> bool:
    return (work / name / "run" / "model.ckpt").is_file()


def _digest(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() if path.is_file() else b"-" for path in paths)).hexdigest()


def _clock_text(seconds: float) -> str:
    minutes, rest = divmod(max(1, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours // 24:02}:{hours % 24:02}:{minutes:02}:{rest:02}"


def _header(name: str, material: Material, frames: Frames, work: Path) -> str:
    """What a recipe says above its settings: the way to it, in commands."""
    views = max(map(len, frames.views.values())) - 1
    lines = [f"Written by `earsight learn`: {_described(material)}."]
    if frames.frontend:
        lines += [f"Its frames, in {work / 'frames'}, are those of the model {frames.frontend}, {views} augmented views of "
                  "each clip beside it:",
                  f"earsight prepare embeddings CLIPS FRAMES config={work / name / 'recipe.yaml'} "
                  f"model={frames.frontend} views={views}"]
    lines += [f"earsight train fit --config {work / name / 'recipe.yaml'}",
              f"earsight export {work / name / 'run' / 'model.ckpt'} MODEL"
              + (f" --frontend {frames.frontend}" if frames.frontend else "")]
    return "\n".join(lines)


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


def _measured(taught: Taught, units: Units, chosen: Chosen):
    """Accuracy on clips held out, its interval, and the report."""
    asked = np.isfinite(chosen.outputs[:, 0])
    places = np.flatnonzero(asked)
    right = (chosen.outputs[places].argmax(axis=1) == taught.targets[places]).astype(float)
    interval = bootstrap_interval(right, np.ones(len(right)), _drawn_over(units, places))
    results = [ClassificationResult(taught.names[place], units.names[place] if units.known else None,
                                    taught.labels[taught.targets[place]], _probabilities(chosen.outputs[place]))
               for place in places]
    return float(right.mean()), interval, classification_report(results, taught.labels, 10)


def _probabilities(log_probs: np.ndarray) -> np.ndarray:
    probabilities = np.exp(log_probs.astype(np.float64))
    return probabilities / probabilities.sum()


def _drawn_over(units: Units, places: np.ndarray) -> list[Any]:
    drawn = units.numbers[places].tolist()
    return drawn if len(set(drawn)) >= FEWEST else places.tolist()


def _over(units: Units, chosen: Chosen) -> str:
    places = np.flatnonzero(np.isfinite(chosen.outputs[:, 0]))
    drawn = _drawn_over(units, places)
    if len(drawn) == len(set(drawn)):
        return f"{len(drawn)} clips"
    return f"{len(set(drawn))} {units.kind}"


def _ranked(contenders: dict[str, np.ndarray], chosen: Chosen, taught: Taught) -> list[tuple[str, float, str]]:
    asked = int(chosen.asked.sum())
    rows = [(name, chosen.correct[name], number(asked, "clip")) for name in contenders]
    return sorted(rows, key=lambda row: (row[0] != chosen.best, -row[1]))


def _commands(output: Path, recipe: Path, material: Material) -> list[tuple[str, str]]:
    use = "transcribe" if material.task == "text" else "classify"
    return [("recognise clips", f"earsight {use} CLIP --model {output}"),
            ("see what it does with one", f"earsight explain CLIP --model {output} --output clip.png"),
            ("measure it on others", f"earsight evaluate {output} CLIPS --report report/"),
            ("teach it more", f"earsight learn MORE --add --output {output}"),
            ("train it again", f"earsight train fit --config {recipe}")]


def _card(work: Path, material: Material, frames: Frames, summary: Summary, taken: str, recipe: Path) -> Path:
    value, name = summary.figure
    low, high = summary.interval
    card = {"description": summary.title, "trained_on": _described(material),
            "made_by": f"earsight learn; {taken} over the frames of {frames.frontend or 'the clips themselves'}; {recipe}",
            "figures": {name: f"{percent(value)} (95 % interval {percent(low)} to {percent(high)}, over {summary.over})"}}
    path = work / "card.json"
    write_whole(path, json.dumps(card, ensure_ascii=False, indent=2) + "\n")
    return path


def _write_page(work: Path, report: Any, output: Path, material: Material, cuts: Sequence[Any], summary: Summary) -> Path:
    if material.medium == "video":
        from ...video.exhibits import exhibit
    else:
        from ...audio.exhibits import exhibit
    by_id = {cut.id: cut for cut in cuts}
    unread = [EarsightError(f"{name}: {reason}") for name, reason in material.failures]
    write_whole(work / "figures.json", report.json())
    return write_page(work, report, str(output), work, lambda name: exhibit(by_id[name]), unread, head(summary))


def _warn(units: Units) -> None:
    if not units.known:
        print(f"warning: {units.how}", file=sys.stderr, flush=True)


def _described(material: Material) -> str:
    seconds = sum(cut.duration for cut in material.cuts)
    what = [f"{len(material.cuts)} clips of {MEDIA[material.medium]}", duration(seconds)]
    if material.task == "classes":
        what.append(number(len({material.target(cut) for cut in material.cuts}), "class", "classes"))
    else:
        words = [word for cut in material.cuts for word in (text_of(cut) or "").split()]
        what.append(f"{number(len(words), 'word')}, {len(set(words))} different ones")
    if material.failures:
        what.append(f"{len(material.failures)} that cannot be used")
    return ", ".join(what)


def _demand_output(output: Path) -> None:
    demand_own(output)
    if output.exists() and (not output.is_dir() or (not (output / CONFIG).is_file() and any(output.iterdir()))):
        raise EarsightError(f"{output}: exists and is no model folder; choose another --output")


@dataclass(frozen=True)
class _State:
    """What was decided before, so that the same command goes on where it was.

    Attributes:
        sources: absolute paths.
        clips: a digest of the clips' names, places and targets.
        views: augmented views of each clip; None: not decided.
    """

    sources: tuple[str, ...] = ()
    clips: str = ""
    views: int | None = None

    @staticmethod
    def read(path: Path) -> _State:
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
            return _State(tuple(map(str, plain["sources"])), str(plain["clips"]), plain["views"])
        except FileNotFoundError:
            return _State()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EarsightError(f"{path}: damaged ({error}); remove it, and learn anew: frames are kept") from error

    def write(self, path: Path) -> None:
        plain = {"format": FORMAT, "sources": self.sources, "clips": self.clips, "views": self.views}
        write_whole(path, json.dumps(plain, ensure_ascii=False, indent=2) + "\n")

    def with_sources(self, sources: Sequence[str | Path], add: bool, output: Path) -> _State:
        given = tuple(str(Path(source).absolute()) for source in sources)
        if not add:
            return self if given == self.sources else _State(given)
        if not self.sources:
            raise EarsightError(f"--add: nothing was learnt in {output} before; leave --add out")
        return _State(tuple(dict.fromkeys((*self.sources, *given))), self.clips, self.views)

    def for_clips(self, material: Material) -> _State:
        lines = [f"{cut.id}\t{material.target(cut)}\t{cut.start}\t{cut.duration}" for cut in material.cuts]
        clips = hashlib.sha256("\n".join([material.task, *lines]).encode()).hexdigest()
        return self if clips == self.clips else _State(self.sources, clips)

    def with_views(self, frames: Frames) -> _State:
        return _State(self.sources, self.clips, max(map(len, frames.views.values())) - 1)
