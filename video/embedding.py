"""Videos to embeddings, block by block: one thread decodes and draws pictures while others run the CNN."""

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from video.pictures import PictureSettings, View, pictures

BLOCK = 16  # moments that go through the CNN at once
AHEAD = 2  # blocks that may wait for it: enough to keep it busy, little to hold

Embed = Callable[[np.ndarray], np.ndarray]  # pictures (time, stream, height, width, 3) uint8 -> (time, feature)


def embedding_blocks(path: str | Path, settings: PictureSettings, embed: Embed, view: View = View(),
                     start: float = 0.0, end: float | None = None) -> Iterator[np.ndarray]:
    """The embeddings of a video in order, (up to BLOCK, feature) at a time; memory does not grow with the video.

    Raises:
        EarsightError: see `video.reading.sample`; blocks that were whole by then have been given.
    """
    for block in _ahead(_blocks(pictures(path, settings, view, start, end))):
        yield embed(block)


def _blocks(moments: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    block = []
    for moment in moments:
        block.append(moment)
        if len(block) == BLOCK:
            yield np.stack(block)
            block = []
    if block:
        yield np.stack(block)


def _ahead(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The same blocks, made in another thread. Decoding and optical flow work outside Python's lock."""
    waiting: queue.Queue = queue.Queue(AHEAD)
    stopped = threading.Event()

    def put(item: object) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def produce() -> None:
        try:
            for block in blocks:
                if not put(block):
                    return
            put(None)
        except BaseException as error:  # handed over to the thread that reads
            put(error)

    thread = threading.Thread(target=produce, daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
