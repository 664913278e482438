"""`earsight watch`: what is done, while it is done."""

from collections.abc import Iterator

import numpy as np

from ...common.inference.events import Hysteresis
from ...common.inference.timeline import rolling
from ...common.signals import GRACE, Stopped, grace, leave, told
from ..frontends.embedding import embedding_moments
from ..frontends.pictures import live_pictures, pictures
from ..reading import is_live, probe
from ..recognition.recogniser import ActionRecogniser
from .settings import Rolling
from .telling import Teller


def watch(recogniser: ActionRecogniser, source: str, settings: Rolling, form: str) -> int:
    """Watch a source until it ends, or a signal comes; what is then going on is told as over.

    Args:
        source: a camera's number, a file, or an address.
        form: txt or jsonl, of what is printed.

    Returns:
        The exit status: 0.

    Raises:
        EarsightError: the source is not there or fails; what was seen before is told.
        Stopped: a signal came before the end of a file.
    """
    live = is_live(source)
    with grace(GRACE, deferred=True):
        _watch(recogniser, source, live, settings, Teller(form))
    if told() and not live:
        raise Stopped(told(), "what was seen until then is told")
    return leave(0) if told() else 0


def _watch(recogniser: ActionRecogniser, source: str, live: bool, settings: Rolling, teller: Teller) -> None:
    """Windows over the embeddings as they come, and events of their probabilities.

    A window tells of its middle, the first of what comes before too.
    """
    runtime, seen = recogniser.runtime, recogniser.pictures
    labels, shift = runtime.labels.symbols, runtime.config.frame_shift
    length, hop = (max(1, round(seconds / shift)) for seconds in (settings.window, settings.hop))
    begin = 0.0 if live else probe(source).start
    moments = live_pictures(source, seen) if live else pictures(source, seen)
    events, count = Hysteresis(labels, settings.on, settings.off), 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal count
        for block in embedding_moments(moments, seen, recogniser.embed, lambda: bool(told())):
            count += len(block)
            yield block

    try:
        for start, frames, probabilities in rolling(runtime.batch_judged, counted(), length, hop):
            for event in events.push(begin + (start + frames / 2 if start else 0) * shift, probabilities.tolist()):
                teller.tell(event)
            likeliest = int(np.argmax(probabilities[:len(labels)]))
            teller.show(begin + (start + frames) * shift, labels[likeliest], float(probabilities[likeliest]))
    finally:  # a camera that goes away takes nothing with it
        for event in events.close(begin + count * shift):
            teller.tell(event)
        teller.close()
