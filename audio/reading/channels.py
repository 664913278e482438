"""From the channels of a recording to the one signal that is recognised."""

from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...common.errors import EarsightError
from .options import ReadingOptions
from .pieces import Piece

# Share of the power that unlike channels keep in their mean, below which they cancel each other. Two microphones in one
# room keep about all of it, and two that were wired in opposite phase less than a thousandth.
CANCELLED = 0.01
EVERY = 17  # samples of which one is looked at
AUDIBLE = 1e-8  # mean power, -80 dB: below it there is nothing that could cancel


class Mono(NamedTuple):
    """A stretch of one signal."""

    samples: np.ndarray  # float32 (n,)
    sample_rate: int


def one_signal(path: Path, pieces: Iterator[Piece], options: ReadingOptions) -> Iterator[Mono]:
    """The channel that was asked for, or the mean of all: of a piece whose channels cancel, the loudest of them."""
    told = False
    for number, piece in enumerate(pieces):
        if options.channel is not None:
            yield Mono(_channel(path, piece, options.channel, number == 0), piece.sample_rate)
            continue
        mean = piece.samples[0] if piece.channels == 1 else reduce(np.add, piece.samples) / np.float32(piece.channels)
        if piece.channels > 1 and (loudest := _loudest_of_cancelled(piece.samples, mean)) is not None:
            if not told:
                options.warn(path, f"its {piece.channels} channels cancel each other when they are mixed (opposite "
                             f"phase); channel {loudest + 1}, the loudest, is read in their place")
            told, mean = True, np.ascontiguousarray(piece.samples[loudest])
        yield Mono(mean, piece.sample_rate)


def _channel(path: Path, piece: Piece, wanted: int, first: bool) -> np.ndarray:
    if wanted <= piece.channels:
        return np.ascontiguousarray(piece.samples[wanted - 1])
    if first:
        raise EarsightError(f"{path}: has no channel {wanted}, its last is {piece.channels}; choose another")
    return np.zeros(piece.samples.shape[1], np.float32)  # where the number of channels changes on the way


def _loudest_of_cancelled(samples: np.ndarray, mean: np.ndarray) -> int | None:
    """The loudest channel of (channels, n), if too little of them is left in their mean (n,)."""
    some, mean = np.ascontiguousarray(samples[:, ::EVERY]), mean[::EVERY]
    powers = np.square(some).sum(axis=1)
    unlike = float(powers.sum()) / len(samples) ** 2  # the power of the mean of signals that have nothing in common
    if unlike <= AUDIBLE * len(mean) or not np.isfinite(unlike) or float(np.square(mean).sum()) >= CANCELLED * unlike:
        return None
    return int(powers.argmax())
