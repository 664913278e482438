"""Videos to embeddings, block by block; where there are threads for it, one decodes, one looks for motion and people,
and one runs the CNN."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ...common.ahead import ahead
from .pictures import CNN_STREAMS, Moment, PictureSettings, View, pictures

BLOCK = 16  # moments that go through the CNN at once
AHEAD = 2  # blocks that may wait for it: enough to keep it busy, little to hold

Embed = Callable[[np.ndarray], np.ndarray]  # pictures (time, height, width, 3) uint8 -> (time, feature)


def embedding_blocks(path: str | Path, settings: PictureSettings, embed: Embed, view: View = View(),
                     start: float = 0.0, end: float | None = None, threads: int = 1) -> Iterator[np.ndarray]:
    """The embeddings of a video in order, (up to BLOCK, feature) at a time; memory does not grow with the video.

    Args:
        threads: that may work on it. Where there is one, as beside other videos, others would only take turns with it,
            and each empty the others' caches.

    Raises:
        EarsightError: see `video.reading.sample`; blocks that were whole by then have been given.
    """
    held: dict[str, np.ndarray] = {}
    blocks = moment_blocks(pictures(path, settings, view, start, end, threads))
    for block in ahead(blocks, AHEAD) if threads > 1 else blocks:
        yield embed_block(block, settings, embed, held)


def embedding_moments(moments: Iterator[Moment], settings: PictureSettings, embed: Embed, until: Callable[[], bool]
                      ) -> Iterator[np.ndarray]:
    """The embeddings of moments that are still coming, (1, feature) each as soon as it is there, until `until`."""
    held: dict[str, np.ndarray] = {}
    for moment in ahead(moments, AHEAD, until):
        yield embed_block([moment], settings, embed, held)


def embed_block(block: list[Moment], settings: PictureSettings, embed: Embed, held: dict[str, np.ndarray]
                ) -> np.ndarray:
    """The frames (time, feature) of a block of moments.

    Args:
        held: by stream, the last embedding (1, feature) of the blocks before; this block's are put in their place.
    """
    columns = []
    for stream in settings.streams:
        due = [k for k, moment in enumerate(block) if stream in moment]
        rows = [held[stream]] if stream in held else []
        if due:
            shown = np.stack([block[k][stream] for k in due])
            rows.append(embed(shown) if stream in CNN_STREAMS else shown)
        known = np.concatenate(rows)
        # The row before the first picture of this block is the one held from the blocks before.
        columns.append(known[np.searchsorted(due, np.arange(len(block)), side="right") + len(known) - len(due) - 1])
        held[stream] = known[-1:]
    return np.concatenate(columns, axis=1)


def moment_blocks(moments: Iterator[Moment]) -> Iterator[list[Moment]]:
    """BLOCK moments at a time."""
    block = []
    for moment in moments:
        block.append(moment)
        if len(block) == BLOCK:
            yield block
            block = []
    if block:
        yield block
