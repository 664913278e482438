"""`earsight calibrate`: what a classifier's probabilities are worth, and what is none of its classes.

Fitted on clips of the classes that the model was not trained on, and on other clips where there are any; stored in the
model folder, which runs without anything of this.

How familiar a clip is can be told by two scores:
- "energy": of the logits (see `familiarity_graph`), which needs no other clips;
- "states": a layer more on the states that the heads pool over time, whose classes are the model's own and "anything
  else", fitted with the other clips (as Hendrycks et al., Deep Anomaly Detection with Outlier Exposure, 2019, train
  networks). What is linear in states generalises to other sounds and films that it was not fitted on.
With other clips both are cross-validated, and the one that lets fewer of them pass is taken.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import metrics
from ..batch_run import default_jobs, run_parallel
from ..data.cuts import group_of, label_of, speaker_of
from ..data.manifest import read_manifest
from ..data.openers import Openers
from ..errors import EarsightError, require
from ..files import whole_folder
from ..inference.runtime import Runtime, open_graph, run_outputs
from ..inference.unknown import Rejection, logsumexp
from ..model_folder import CONFIG, ENCODER, demand_own, read_config, write_config
from ..reports.layout import number, percent, table
from .familiarity_graph import ENERGY, STATES, with_evidence, with_familiarity

if TYPE_CHECKING:
    from lhotse.cut import Cut

KEEP = 0.95  # share of the classes' clips that get a name
FOLDS = 5
FEWEST = 20  # clips of the classes; of fewer no such share can be told
FEWEST_OTHERS = 20
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # inverse penalties on the layer's weights, standardised states
TEMPERATURES = np.geomspace(0.05, 20.0, 241)

Read = Callable[["Cut"], np.ndarray]  # a clip -> frames (time, feature)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a model makes of n clips: logits (n, label), energies (n,), states (n, feature)."""

    logits: np.ndarray
    energies: np.ndarray
    states: np.ndarray


def calibrate(runtime: Runtime, read: Read, openers: Openers, manifests: Sequence[Path], others: Sequence[Path] = (),
              more: Iterable[np.ndarray] = (), keep: float = KEEP, output: Path | None = None
              ) -> tuple[str, list[EarsightError]]:
    """Calibrate a classifier's folder, or a copy of it.

    Args:
        read: a clip of a manifest -> the model's frames.
        manifests: clips of the classes, held out of the training.
        others: clips of anything else.
        more: frames of further clips of anything else.
        keep: the share of the classes' clips that shall get a name.
        output: folder for a calibrated copy; None changes the model's own, unless that is installed.

    Returns:
        What was found, for a reader, and an error for each clip that could not be read.

    Raises:
        EarsightError: no classifier, too few clips, an installed model without `output`.
    """
    graph = _graph(runtime, output, keep)
    positions = {label: i for i, label in enumerate(runtime.labels.symbols)}
    errors: list[EarsightError] = []
    known, targets, groups = [], [], []
    for cut, frames in _frames_of(runtime, read, openers, manifests, errors):
        if (label := label_of(cut)) not in positions:
            errors.append(EarsightError(f"{cut.id}: its label {label!r} is none of the model's; give such clips as "
                                        "--others"))
            continue
        known.append(frames)
        targets.append(positions[label])
        groups.append(speaker_of(cut) or group_of(cut) or cut.id)
    if len(known) < FEWEST:
        raise errors[0] if errors and not known else EarsightError(
            f"{', '.join(map(str, manifests))}: {number(len(known), 'clip')} of the classes; a share of them "
            f"cannot be told from fewer than {FEWEST}; give more held-out clips")
    strange = [frames for _, frames in _frames_of(runtime, read, openers, others, errors)]
    strange += more if strange else ()
    if others and len(strange) < FEWEST_OTHERS:
        raise errors[0] if errors and not strange else EarsightError(
            f"{', '.join(map(str, others))}: {number(len(strange), 'other clip')}; fewer than "
            f"{FEWEST_OTHERS} teach nothing; give more, or none")
    look = _looker(with_evidence(graph), runtime)
    rejection, layer, report = fit(look(known), np.array(targets), groups, look(strange) if strange else None, keep)
    _store(runtime, output, rejection, with_familiarity(graph, layer))
    return f"{report}\n\nstored in {output or runtime.folder}", errors


def take_over(runtime: Runtime, source: Path, output: Path | None = None) -> str:
    """Give a model the calibration of another that was trained alike on fewer clips, the others being held out.

    So a model that was trained on all there is gets one that clips it has not seen were measured with.

    Raises:
        EarsightError: the other has none, knows other labels, or its score is of its own states.
    """
    graph = _graph(runtime, output, KEEP)
    other = Runtime(source)
    if other.rejection is None:
        raise EarsightError(f"{source}: is not calibrated; do that with the clips that were held out of its training")
    if other.labels.symbols != runtime.labels.symbols:
        raise EarsightError(f"{source}: its labels are not those of {runtime.folder}; take a model of the same ones")
    if other.rejection.score != ENERGY:
        raise EarsightError(f"{source}: its score is of its own states, which mean nothing in another model; calibrate "
                            "it without --others")
    _store(runtime, output, other.rejection, with_familiarity(graph))
    return f"taken over from {source}, stored in {output or runtime.folder}"


def fit(known: Evidence, targets: np.ndarray, groups: Sequence[str], others: Evidence | None, keep: float
        ) -> tuple[Rejection, tuple[np.ndarray, np.ndarray] | None, str]:
    """What is stored, the layer for the graph where there is one, and a report.

    Args:
        known: of clips of the classes.
        targets: (n,) their classes.
        groups: their speakers or groups, which cross-validation keeps together.
        others: of clips of anything else.
        keep: see `calibrate`.
    """
    temperature = fit_temperature(known.logits, targets)
    lines = [_calibration_line(known.logits, targets, temperature)]
    scores, layer, kind = known.energies, None, ENERGY
    rows = []
    if others is not None:
        rows.append(["energy", *_passed(known.energies, others.energies, keep)])
        states, of_others, strength = cross_validated(known.states, targets, groups, others.states, keep)
        rows.append([f"states (strength {strength:g})", *_passed(states, of_others, keep)])
        if _share_passed(states, of_others, keep) < _share_passed(known.energies, others.energies, keep):
            scores, kind = states, STATES
            layer = fit_layer(known.states, targets, others.states, strength)
        lines.append(f"Other clips that get a name, where {percent(keep)} of {len(targets)} clips of the classes do\n"
                     + table(["score", "share", "clips"], rows, align="<>>") + f"\nchosen: {kind}")
    threshold = float(np.quantile(scores, 1 - keep))
    scale = float(max(scores.std(), 1e-6)) if kind == ENERGY else 1.0
    lines.append(f"a clip is unknown below a score of {threshold:.3f}")
    return Rejection(temperature, threshold, scale, keep, kind), layer, "\n\n".join(lines)


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """The temperature that makes the targets (n,) likeliest under logits (n, label), to 2.5 %."""
    def loss(temperature: float) -> float:
        scaled = logits / temperature
        return float((logsumexp(scaled) - scaled[np.arange(len(targets)), targets]).mean())

    return float(min(TEMPERATURES, key=loss))


def fit_layer(known: np.ndarray, targets: np.ndarray, others: np.ndarray, strength: float
              ) -> tuple[np.ndarray, np.ndarray]:
    """Weights (feature, class + 1) and biases (class + 1,) that tell the classes and anything else apart.

    A multinomial logistic regression with a ridge on weights of standardised states; anything else counts as much as
    the classes together. Classes without a clip have no weights, and a bias that leaves them out.
    """
    linear = require("sklearn.linear_model", "train")
    states = np.concatenate([known, others]).astype(np.float64)
    mean, deviation = states.mean(axis=0), states.std(axis=0)
    deviation[deviation < 1e-9] = np.inf  # a constant says nothing
    classes = int(targets.max()) + 1
    truth = np.concatenate([targets, np.full(len(others), classes)])
    counts = np.where(truth == classes, len(known) / len(others), 1.0)
    model = linear.LogisticRegression(C=strength, max_iter=1000)
    model.fit((states - mean) / deviation, truth, counts)
    weights, biases = np.zeros((states.shape[1], classes + 1)), np.full(classes + 1, -100.0)
    if len(model.classes_) == 2:  # one row for the second class against the first
        weights[:, model.classes_[1]], biases[model.classes_] = model.coef_[0], [0.0, model.intercept_[0]]
    else:
        weights[:, model.classes_], biases[model.classes_] = model.coef_.T, model.intercept_
    weights /= deviation[:, None]
    return weights, biases - mean @ weights


def layer_scores(states: np.ndarray, layer: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """(n, feature) -> (n,), as the graph of `with_familiarity` computes them."""
    logits = states @ layer[0] + layer[1]
    return logsumexp(logits[:, :-1]) - logits[:, -1]


def cross_validated(known: np.ndarray, targets: np.ndarray, groups: Sequence[str], others: np.ndarray, keep: float
                    ) -> tuple[np.ndarray, np.ndarray, float]:
    """Scores of clips by layers that were not fitted on them: of the classes (n,), of others (m,); and the strength.

    The strength is the one of STRENGTHS with which fewest of the others pass.
    """
    selection = require("sklearn.model_selection", "train")
    names = np.unique(groups, return_inverse=True)[1]
    folds = min(FOLDS, len(np.unique(names)))
    if folds < 2:
        names, folds = np.arange(len(names)), FOLDS
    parts = list(selection.GroupKFold(folds, shuffle=True, random_state=0).split(known, targets, names))
    strange = np.random.default_rng(0).permutation(len(others)) % folds
    found = []
    for strength in STRENGTHS:
        own, foreign = np.zeros(len(known)), np.zeros(len(others))
        for i, (train, held) in enumerate(parts):
            layer = fit_layer(known[train], targets[train], others[strange != i], strength)
            own[held] = layer_scores(known[held], layer)
            foreign[strange == i] = layer_scores(others[strange == i], layer)
        found.append((own, foreign, strength))
    return min(found, key=lambda each: _share_passed(each[0], each[1], keep))


def _share_passed(known: np.ndarray, others: np.ndarray, keep: float) -> float:
    return float((others >= np.quantile(known, 1 - keep)).mean())


def _passed(known: np.ndarray, others: np.ndarray, keep: float) -> tuple[str, str]:
    share = _share_passed(known, others, keep)
    return percent(share), f"{round(share * len(others))} of {len(others)}"


def _calibration_line(logits: np.ndarray, targets: np.ndarray, temperature: float) -> str:
    right = logits.argmax(axis=1) == targets
    before, after = (metrics.calibration_error(np.exp(scaled.max(axis=1) - logsumexp(scaled)), right)
                     for scaled in (logits, logits / temperature))
    return (f"temperature {temperature:.2f}: expected calibration error of {len(targets)} clips {before:.3f}, "
            f"{after:.3f} when calibrated (on the clips it is fitted on); accuracy {percent(float(right.mean()))}")


def _graph(runtime: Runtime, output: Path | None, keep: float) -> Any:
    """The encoder's graph, after what can be refused before the long work."""
    if not 0.5 <= keep < 1:
        raise EarsightError(f"--keep {keep:g}: give a share from 0.5 to less than 1")
    if runtime.config.task != "classification":
        raise EarsightError(f"model {runtime.name} writes text; `earsight tune-decoder` calibrates its confidence")
    demand_own(output or runtime.folder)
    if output and output.is_dir() and any(output.iterdir()) and not (output / CONFIG).is_file():
        raise EarsightError(f"{output}: exists and is no model folder; choose another --output")
    onnx = require("onnx", "train")
    require("sklearn", "train")
    return onnx.load_from_string((runtime.folder / ENCODER).read_bytes())


def _frames_of(runtime: Runtime, read: Read, openers: Openers, manifests: Sequence[Path], errors: list[EarsightError]
               ) -> "Iterator[tuple[Cut, np.ndarray]]":
    """Clips and their frames; what cannot be read is noted in `errors`."""
    from tqdm import tqdm

    def work(cut: "Cut") -> np.ndarray:
        frames = read(cut)
        runtime.check_frames(frames, cut.id)
        if not len(frames):
            raise EarsightError(f"{cut.id}: shorter than one frame of model {runtime.name}; leave it out")
        return frames

    cuts = [cut for manifest in manifests for cut in read_manifest(manifest, openers)]
    for cut, frames in tqdm(run_parallel(cuts, work, default_jobs()), total=len(cuts), unit="clip", disable=None):
        if isinstance(frames, EarsightError):
            errors.append(frames)
        else:
            yield cut, frames


def _looker(graph: Any, runtime: Runtime) -> Callable[[Sequence[np.ndarray]], Evidence]:
    session = open_graph(graph.SerializeToString(), str(runtime.folder / ENCODER), 1)
    first = session.get_outputs()[0].name

    def look(clips: Sequence[np.ndarray]) -> Evidence:
        found = [run_outputs(session, frames[None].astype(np.float32), (first, ENERGY, STATES)) for frames in clips]
        logits, energies, states = (np.concatenate(each).astype(np.float64) for each in zip(*found))
        return Evidence(logits, energies, states)

    return look


def _store(runtime: Runtime, output: Path | None, rejection: Rejection, graph: Any) -> None:
    with whole_folder(output or runtime.folder) as folder:
        shutil.copytree(runtime.folder, folder, dirs_exist_ok=True)
        (folder / ENCODER).write_bytes(graph.SerializeToString())
        write_config(folder, replace(read_config(folder), unknown=rejection.to_dict()))
