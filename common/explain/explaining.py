"""`earsight explain`: what a model's encoder does on a clip, moment by moment, as panels of a picture."""

from dataclasses import dataclass

import numpy as np

from ..errors import EarsightError
from ..inference.recognition import Classification
from ..inference.runtime import Runtime
from ..inference.unknown import UNKNOWN
from ..nn.cells import choose_units
from .encoder_graph import DIRECTIONS, EncoderRun, LayerRun
from .figure import Panel, attention_panel, classes_panel, posteriors_panel, unit_panels

LONGEST = 60.0  # seconds; of more, nothing could be seen
UNITS = 3
PREFIXES = 60  # moments at which a classifier is asked


@dataclass(frozen=True)
class Choice:
    """Which units of which layer are drawn.

    Attributes:
        layer: from 1, the lowest of the first stream; None takes the last.
        direction: "forward" or "backward".
        units: from 0; none takes those that `common.nn.cells.choose_units` picks. Of a Transformer: attention heads.
    """

    layer: int | None = None
    direction: str = DIRECTIONS[0]
    units: tuple[int, ...] = ()


def check_duration(path: object, seconds: float) -> None:
    """Refuse clips that are too long to be drawn."""
    if seconds > LONGEST:
        raise EarsightError(f"{path}: {seconds:.0f} s long, and a picture shows {LONGEST:.0f} at most; cut a part out")


def output_panel(runtime: Runtime, frames: np.ndarray, run: EncoderRun) -> Panel:
    """Posteriors of a model that writes text; of a classifier, what it makes of the clip as it goes on."""
    if runtime.config.task == "ctc":
        return posteriors_panel(run.outputs, runtime.labels.symbols, runtime.config.stride * runtime.config.frame_shift)
    ends = np.unique(np.linspace(1, len(frames), PREFIXES).round().astype(int))
    logits = np.concatenate([runtime.batch_judged(frames[None, :end]) for end in ends])
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    labels = (*runtime.labels.symbols, *[UNKNOWN][: probabilities.shape[1] - len(runtime.labels)])
    return classes_panel(ends * runtime.config.frame_shift, probabilities, labels)


def decision_text(result: Classification) -> str:
    """What a picture says of a clip: its class, or that it is none, with the score beside what is asked of it."""
    likeliest = f"{result.label} {result.probabilities[result.label]:.0%}"
    if result.familiarity is None:
        return likeliest
    score, threshold = result.familiarity.score, result.familiarity.threshold
    beside = f"score {score:.2f}, unknown below {threshold:.2f}".replace("-", "−")
    return f"{likeliest} ({beside})" if result.known else f"{UNKNOWN}, most like {likeliest} ({beside})"


def inside_panels(runtime: Runtime, run: EncoderRun, choice: Choice) -> list[Panel]:
    """The gates and the memory of the chosen units; of a Transformer, the attention of the chosen heads.

    Nothing of a model without layers, which reads the frames themselves.
    """
    shift = runtime.config.stride * runtime.config.frame_shift
    if run.attention:
        number = _checked("layer", choice.layer or len(run.attention), range(1, len(run.attention) + 1))
        heads = run.attention[number - 1]
        shown = [_checked("head", head, range(len(heads))) for head in choice.units or range(min(UNITS, len(heads)))]
        return [attention_panel(f"layer {number}, head {head}", heads[head], shift) for head in shown]
    if not run.layers:
        return []
    layer = _layer(runtime, run, choice)
    hidden = layer.outputs.shape[1]
    units = choice.units or choose_units(layer.values["h"], UNITS)
    return [panel for unit in units
            for panel in unit_panels(_checked("unit", unit, range(hidden)), layer.values, layer.kind, shift)]


def inside_title(runtime: Runtime, run: EncoderRun, choice: Choice, streams: tuple[str, ...] = ()) -> str:
    """Which layer the panels of `inside_panels` are of; `streams` name a model's streams, where they have names."""
    if run.attention:
        return f"attention of layer {choice.layer or len(run.attention)}"
    if not run.layers:
        return "the mean of all frames: there are no gates"
    layer = _layer(runtime, run, choice)
    stream, encoder = "", runtime.config.model.get("encoder") or {}
    if encoder.get("streams"):
        apart = max(each.layer for each in run.layers) - encoder.get("joint", 0)  # layers of one stream, then of others
        own = layer.layer <= apart
        streams = streams or tuple(f"features {number}" for number, _ in enumerate(encoder["streams"], 1))
        stream = f" ({streams[(layer.layer - 1) * len(streams) // apart]})" if own else f" ({' with '.join(streams)})"
    return f"{layer.kind.upper()} layer {layer.layer}{stream}, {layer.direction}"


def _layer(runtime: Runtime, run: EncoderRun, choice: Choice) -> LayerRun:
    layers = {(each.layer, each.direction): each for each in run.layers}
    count = max(number for number, _ in layers)
    number = _checked("layer", choice.layer or count, range(1, count + 1))
    if (number, choice.direction) not in layers:
        raise EarsightError(f"model {runtime.name} reads clips forward only; leave --direction out")
    return layers[number, choice.direction]


def _checked(what: str, number: int, known: range) -> int:
    if number not in known:
        raise EarsightError(f"--{what} {number}: there are {known.start} to {known.stop - 1}")
    return number
