"""What is done when: a classifier over overlapping windows of a long clip's frames, merged into segments.

Frames come in blocks and are dropped once the windows over them are classified, so that memory does not grow with
the clip but for the windows' probabilities. Windows, steps and segments are counted in frames; seconds are made of
them at the end, and so cannot drift.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import EarsightError
from .recognition import Segment, Timeline

# (batch, time, feature) -> (batch, label), or (batch, label + 1), the last of none of the labels.
Logits = Callable[[np.ndarray], np.ndarray]

WINDOW = 4.0  # seconds
HOP = 0.5  # seconds
MINIMUM = 1.0  # seconds
PENALTY = 0.25  # nats: a window that is e^0.5 = 1.6 times as likely something else is worth a change and one back
BATCH = 16  # windows
FLOOR = 1e-6  # probability: no step alone rules a label out for its neighbours


@dataclass(frozen=True, eq=False)
class Windows:
    """What a model makes of the windows over a clip.

    Attributes:
        starts: (window,) the first frame of each, rising.
        length: frames of each.
        frames: of the whole clip, the sum of all blocks.
        probabilities: (window, label) float32.
    """

    starts: np.ndarray
    length: int
    frames: int
    probabilities: np.ndarray


def timeline(
    logits: Logits,
    blocks: Iterable[np.ndarray],
    labels: Sequence[str],
    frame_shift: float,
    *,
    window: float = WINDOW,
    hop: float = HOP,
    minimum: float = MINIMUM,
    penalty: float = PENALTY,
    threshold: float = 0.0,
    start: float = 0.0,
    duration: float | Callable[[], float] | None = None,
    batch: int = BATCH,
    path: str = "",
    model: str = "",
) -> Timeline:
    """Classify a clip window by window, and merge what is alike into segments.

    Args:
        logits: the classifier, for windows of one length. Where it has an output more than there are labels, that is
            of none of them, and stretches in which it is likelier than all labels together have no segment.
        blocks: the clip's frames (time, feature), in order, in pieces of any length; `[frames]` for a whole clip.
        labels: names of the classifier's outputs.
        frame_shift: seconds between two frames.
        window: seconds that the classifier sees at once; a shorter clip is one window.
        hop: seconds from one window to the next, and the grain of the segments' boundaries; at most `window`.
        minimum: seconds that a segment lasts at least, where the clip itself does.
        penalty, threshold: see `segment_steps`.
        start: seconds from the clip's start to its first frame.
        duration: seconds from the clip's start to its end, where frames do not say it exactly, as the last of a video
            may stand for less or more than `frame_shift`; or a function that is asked for it when all blocks have come.
            Segments end there. None or 0, not known: all frames times `frame_shift`.
        batch: windows that are classified at once.
        path, model: for the result.

    Raises:
        EarsightError: there is no frame, or the settings contradict each other.
    """
    _check(window, hop, minimum, penalty, threshold)
    window_frames, hop_frames = (max(1, round(seconds / frame_shift)) for seconds in (window, hop))
    windows = classify_windows(logits, blocks, window_frames, hop_frames, batch, path)
    edges = step_edges(windows.frames, hop_frames)
    steps, unknown = np.split(step_probabilities(windows, edges), [len(labels)], axis=1)
    found = segment_steps(
        steps,
        # Each frame is seen by window / hop windows; together they count as one observation, not as many.
        np.diff(edges) / windows.length,
        minimum=-(-round(minimum / frame_shift) // hop_frames),
        penalty=penalty,
        threshold=threshold,
        unknown=unknown[:, 0] if unknown.shape[1] else None,
    )
    if callable(duration):
        duration = duration()
    end = duration or start + windows.frames * frame_shift
    return Timeline(
        path=path,
        segments=tuple(_segments(found, steps, edges, labels, frame_shift, start, end)),
        labels=tuple(labels),
        times=start + (windows.starts + windows.length / 2) * frame_shift,
        probabilities=windows.probabilities[:, : len(labels)],
        duration=end,
        model=model,
    )


def _check(window: float, hop: float, minimum: float, penalty: float, threshold: float) -> None:
    for name, seconds in (("window", window), ("hop", hop)):
        if not 0 < seconds < math.inf:
            raise EarsightError(f"{name}: {seconds} s; it must be more than 0")
    for name, value in (("minimum", minimum), ("penalty", penalty)):
        if not 0 <= value < math.inf:
            raise EarsightError(f"{name}: {value}; it must be at least 0")
    if not 0 <= threshold <= 1:
        raise EarsightError(f"threshold: {threshold}; it is a probability, from 0 to 1")
    if hop > window:
        raise EarsightError(f"hop: {hop} s is more than the window's {window} s, and would leave frames out; lower it")


# Windows


def classify_windows(
    logits: Logits, blocks: Iterable[np.ndarray], length: int, hop: int, batch: int = BATCH, path: str = ""
) -> Windows:
    """Run the classifier over windows of `length` frames that begin `hop` frames apart.

    The last window ends with the clip, less than `hop` after the one before it. A clip shorter than `length` is one
    window. Beyond a block, the frames of one batch of windows are held, and those of a window and a hop.
    """
    starts, probabilities, frames = [], [], 0

    def classify(cut: list[tuple[int, np.ndarray]]) -> None:
        starts.extend(start for start, _ in cut)
        probabilities.append(softmax(logits(np.stack([window for _, window in cut]))))

    waiting: list[tuple[int, np.ndarray]] = []
    for start, window in cut_windows(blocks, length, hop):
        frames = start + len(window)
        waiting.append((start, window))
        if len(waiting) == batch:
            classify(waiting)
            waiting = []
    if waiting:
        classify(waiting)
    if not frames:
        raise EarsightError(f"{path or 'the clip'}: shorter than one frame of the model; give a longer clip")
    return Windows(np.array(starts), min(length, frames), frames, np.concatenate(probabilities))


def cut_windows(blocks: Iterable[np.ndarray], length: int, hop: int) -> Iterator[tuple[int, np.ndarray]]:
    """The first frame of each window, and its frames: (length, feature) but for a clip that is shorter.

    Each is given as soon as its last frame has come.
    """
    held: list[np.ndarray] = []  # frames that are still needed, the first of them `first`
    first, end, start = 0, 0, 0  # `end`: frames that have come; `start`: of the next window
    for block in blocks:
        held.append(block)
        end += len(block)
        if end < start + length:
            continue
        frames = np.concatenate(held)
        while end >= start + length:
            yield start, frames[start - first : start - first + length].copy()  # a view would hold them all
            start += hop
        # The next window begins at `start`, the last one of the clip after the one that was just cut.
        keep = start - hop
        held, first = [frames[keep - first :].copy()], keep
    done = start - hop + length if start else 0
    if end > done:
        start = max(end - length, 0)
        yield start, np.concatenate(held)[start - first :]


def rolling(logits: Logits, blocks: Iterable[np.ndarray], length: int, hop: int
            ) -> Iterator[tuple[int, int, np.ndarray]]:
    """The windows of frames that are still coming: first frame, length, probabilities (label,) or (label + 1,)."""
    for start, window in cut_windows(blocks, length, hop):
        yield start, len(window), softmax(logits(window[None]))[0]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Logits (window, label) to probabilities, float32."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


# From windows to segments


def step_edges(frames: int, hop: int) -> np.ndarray:
    """(step + 1,) where the steps of `hop` frames begin, and the end; what is left over belongs to the last step."""
    edges = np.arange(max(1, frames // hop) + 1) * hop
    edges[-1] = frames
    return edges


def step_probabilities(windows: Windows, edges: np.ndarray) -> np.ndarray:
    """(step, label) float64: the mean probabilities of the windows over each step.

    A window counts by the frames that it shares with the step.
    """
    begins, ends = edges[:-1], edges[1:]
    sums = np.zeros((len(begins), windows.probabilities.shape[1]))
    weights = np.zeros((len(begins), 1))
    firsts = np.searchsorted(ends, windows.starts, side="right")
    afters = np.searchsorted(begins, windows.starts + windows.length, side="left")
    for start, first, after, probabilities in zip(windows.starts, firsts, afters, windows.probabilities, strict=True):
        shared = np.minimum(ends[first:after], start + windows.length) - np.maximum(begins[first:after], start)
        sums[first:after] += shared[:, None] * probabilities
        weights[first:after] += shared[:, None]
    return sums / weights


def segment_steps(
    probabilities: np.ndarray,
    weights: np.ndarray,
    *,
    minimum: int = 1,
    penalty: float = PENALTY,
    threshold: float = 0.0,
    unknown: np.ndarray | None = None,
) -> list[tuple[int, int, int | None]]:
    """Divide steps into segments of one label each: (first step, step after the last, label).

    Of all divisions into segments of at least `minimum` steps, the one with the largest

        sum over steps (weight * log-probability of the step's label) - penalty * number of changes of the label

    is found by dynamic programming: Viterbi's path through a hidden Markov model whose states last at least
    `minimum` steps and then change with one probability, whatever the label is, where a classifier stands for the
    likelihoods, all labels being as frequent (Bourlard & Morgan, Connectionist Speech Recognition, 1994). Unlike a
    median it weighs how sure the classifier was; unlike a removal of short segments afterwards it says to whom they
    fall. Among equals the earlier label is taken, and no change.

    A threshold over 0 adds the label None, of this probability everywhere (Chow's reject option, 1970); a change
    from it or to it costs half, so that a gap between two segments costs as much as none. A segment whose weighted
    mean of log-probabilities is less than the threshold's would be better None, so that its mean probability, which
    is never under the exponential of that, is at least `threshold`. Where it is known how likely each step is none of
    the labels, None is as likely as the likeliest label where the chances of a label are even, as a clip gets a name by
    what all labels have together; or has the threshold, where that is more.

    Args:
        probabilities: (step, label).
        weights: (step,) how many independent observations each step is worth.
        minimum: steps; fewer steps in all are one segment.
        penalty: nats.
        threshold: 0 for none.
        unknown: (step,) probabilities of none of the labels.
    """
    steps, count = probabilities.shape
    scores = np.log(np.maximum(probabilities, FLOOR))
    costs = np.full(count, penalty / 2)  # of a change, for either side of it
    if threshold > 0 or unknown is not None:
        none = np.zeros(steps)
        if unknown is not None:  # one label is compared with it, and all of them speak against it
            none = unknown / np.maximum(1 - unknown, FLOOR) * probabilities.max(axis=1)
        none = np.maximum(none, threshold)
        scores = np.column_stack([scores, np.log(np.maximum(none, FLOOR))])
        costs = np.append(costs, 0.0)
    scores *= weights[:, None]
    minimum = max(1, min(minimum, steps))
    # totals[t] - totals[s]: what the steps from s up to t are worth under each label.
    totals = np.concatenate([np.zeros((1, scores.shape[1])), scores.cumsum(axis=0)])
    # The best division of the steps up to t, if the label changes there: its worth, its last label, and where its
    # last segment begins.
    best, label, begin = np.zeros(steps + 1), np.zeros(steps + 1, np.int64), np.zeros(steps + 1, np.int64)
    worth = totals[minimum].copy()  # the same for each last label
    since = np.zeros(len(worth), np.int64)
    for t in range(minimum, steps + 1):
        if t > minimum:
            worth += scores[t - 1]
        s = t - minimum
        if s >= minimum:
            # A new segment follows the best division up to s. Where that ends in the same label, not to have
            # changed is better.
            changed = best[s] - costs + totals[t] - totals[s]
            better = changed > worth + 1e-9  # more than rounding
            worth[better], since[better] = changed[better], s
        leaving = worth - costs if t < steps else worth
        label[t] = leaving.argmax()
        best[t], begin[t] = leaving[label[t]], since[label[t]]
    found = []
    t = steps
    while t:
        found.append((int(begin[t]), t, int(label[t]) if label[t] < count else None))
        t = int(begin[t])
    return found[::-1]


def _segments(
    found: list[tuple[int, int, int | None]],
    steps: np.ndarray,
    edges: np.ndarray,
    labels: Sequence[str],
    frame_shift: float,
    begin: float,
    duration: float,
) -> Iterator[Segment]:
    for first, after, label in found:
        start = begin + int(edges[first]) * frame_shift
        end = duration if after == len(steps) else min(begin + int(edges[after]) * frame_shift, duration)
        if label is not None and start < end:
            mean = np.average(steps[first:after, label], weights=np.diff(edges[first : after + 1]))
            yield Segment(start, end, labels[label], float(mean))
