"""The class probabilities of a timeline as bands that lie one upon the other, those that matter in colour."""

from dataclasses import dataclass

import numpy as np

from ...common.inference.recognition import Timeline
from ...common.inference.unknown import UNKNOWN

COLOURED = 6  # classes at most; more cannot be told apart
POINTS = 500  # of a curve; more windows than that are averaged, or their noise would be all there is to see
MATTERS = 0.15  # the probability that a class without a segment must reach once to have a colour

# Okabe and Ito's colours, which people with any colour vision tell apart (Color Universal Design, 2008).
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
GREY, PALE, INK = "#c3cad3", "#eceff3", "#1b2a41"  # of all other classes, of none of them, of letters
ROUNDING = 1e-3  # what probabilities may lack to 1


@dataclass(frozen=True)
class Band:
    """A class's share of the stacked probabilities: `lower` and `upper` are (time,) at `times` in seconds."""

    label: str
    colour: str
    times: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    others: bool = False  # all classes without a colour of their own


def bands_of(timeline: Timeline) -> list[Band]:
    """From the bottom up: the classes that matter in the order in which they appear, all others as one, and unknown."""
    times, probabilities = _curve(timeline)
    chosen = _chosen_labels(timeline, probabilities)
    columns = [timeline.labels.index(label) for label in chosen]
    known = probabilities.sum(axis=1)
    known = np.where(known > 1 - ROUNDING, 1.0, known)
    edges = np.concatenate([np.zeros((1, len(times))), probabilities[:, columns].T.cumsum(axis=0)])
    made = [
        Band(label, colour, times, lower, upper)
        for label, colour, lower, upper in zip(chosen, PALETTE, edges, edges[1:])
    ]
    if len(chosen) < len(timeline.labels):
        others = len(timeline.labels) - len(chosen)
        name = "other classes" if others > 1 else next(each for each in timeline.labels if each not in chosen)
        made.append(Band(name, GREY, times, edges[-1], known, others=True))
    if (known < 1).any():
        made.append(Band(UNKNOWN, PALE, times, known, np.ones(len(times)), others=True))
    return made


def _curve(timeline: Timeline) -> tuple[np.ndarray, np.ndarray]:
    """Times from 0 to the end and probabilities (time, label) there, at most some POINTS of them.

    Nothing is known before the first window's centre but what that window says, and so at the end.
    """
    times, probabilities = timeline.times, timeline.probabilities.astype(np.float64)
    if len(times) > POINTS:
        begins = np.arange(0, len(times), -(-len(times) // POINTS))
        sizes = np.diff(begins, append=len(times))
        times = np.add.reduceat(times, begins) / sizes
        probabilities = np.add.reduceat(probabilities, begins) / sizes[:, None]
    inside = times < timeline.duration
    times, probabilities = times[inside], probabilities[inside] if inside.any() else probabilities[:1]
    ends = [probabilities[:1], probabilities, probabilities[-1:]] if len(times) else [probabilities, probabilities]
    return np.concatenate([[0.0], times, [timeline.duration]]), np.concatenate(ends)


def _chosen_labels(timeline: Timeline, probabilities: np.ndarray) -> list[str]:
    """The classes with a colour: those of the longest segments, then those that are likely somewhere."""
    seconds = dict.fromkeys(timeline.labels, 0.0)
    for segment in timeline.segments:
        seconds[segment.label] += segment.end - segment.start
    highest = dict(zip(timeline.labels, probabilities.max(axis=0).tolist(), strict=True))
    ranked = sorted(timeline.labels, key=lambda label: (-seconds[label], -highest[label]))
    chosen = [label for label in ranked if seconds[label] or highest[label] >= MATTERS][:COLOURED]
    order = list(dict.fromkeys(segment.label for segment in timeline.segments))
    return sorted(chosen, key=lambda label: order.index(label) if label in order else len(order))


def contrasting(colour: str) -> str:
    """White or ink, whichever is read better on a colour (WCAG 2.1's contrast)."""
    on, ink = _luminance(colour) + 0.05, _luminance(INK) + 0.05
    return "white" if 1.05 / on > on / ink else INK


def _luminance(colour: str) -> float:
    """WCAG 2.1's relative luminance of #rrggbb."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return float(np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722))
