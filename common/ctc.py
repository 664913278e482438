"""CTC decoding of log-probabilities, in numpy."""

import numpy as np

from common.labels import BLANK


def greedy(log_probs: np.ndarray) -> tuple[list[int], list[int]]:
    """Best label of each frame, repeats merged, blanks dropped (Graves et al., 2006, best path decoding).

    Args:
        log_probs: (time, n_labels).

    Returns:
        The label ids, and the frame at which each of them begins.
    """
    best = log_probs.argmax(axis=-1)
    starts = np.flatnonzero(np.diff(best, prepend=-1))
    starts = starts[best[starts] != BLANK]
    return best[starts].tolist(), starts.tolist()
