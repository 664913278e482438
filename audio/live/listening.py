"""`earsight listen`: what is said, while it is said."""

from collections.abc import Callable
from pathlib import Path

from ...common.errors import EarsightError
from ...common.paths import keep_inputs
from ...common.signals import GRACE, Stopped, grace, leave, told, told_for
from ..recognition.recogniser import SpeechRecogniser
from .endpoints import EndpointRules
from .reader import LiveReader
from .reading import read_sound
from .sources import Source, open_source
from .telling import Teller

LAST = GRACE - 0.5  # seconds after a signal in which another reading is begun


def listen(recogniser: Callable[[], SpeechRecogniser], path: str | None, rate: int | None, device: str | None,
           rules: EndpointRules, form: str, subtitles: Path | None) -> int:
    """Read a source until it ends, or a signal comes; then what is left of it is read and told.

    Args:
        recogniser: makes it.
        path, rate, device: the source; see `sources.open_source`.
        rules: when an utterance is over.
        form: txt or jsonl, of what is printed.
        subtitles: file that grows with what is heard.

    Returns:
        The exit status: 0.

    Raises:
        EarsightError: the source is not there or fails; what was heard before is told.
        Stopped: a signal came before the end of a source that has one.
    """
    if subtitles:
        keep_inputs(subtitles, (path,), "--subtitles")
    read = recogniser()
    if not read.sample_rate:
        raise EarsightError(f"model {read.runtime.name} takes stored frames, not sound; choose another "
                            "(see `earsight models`)")
    with grace(GRACE, deferred=True):
        source = open_source(path, rate, device, read.sample_rate, lambda: bool(told()))
        _listen(source, read, LiveReader(source.sample_rate, rules), Teller(form, subtitles))
    if told() and not source.endless:
        raise Stopped(told(), "what was heard until then is told")
    return leave(0) if told() else 0


def _listen(source: Source, recogniser: SpeechRecogniser, reader: LiveReader, teller: Teller) -> None:
    def read_on(last: bool = False) -> None:
        # Once a signal has come there is no time for all that may wait where sound came faster than it could be read.
        while told_for() < LAST and (wanted := reader.wanted(last)) is not None:
            update = reader.heard(read_sound(recogniser, wanted.samples, wanted.sample_rate, wanted.final))
            teller.tell(update)
            if update.settled and update.words is None:
                teller.settle(reader.settled, reader.seconds)

    try:
        for samples in source.blocks:
            reader.take(samples)
            teller.hear(samples)
            teller.show(reader.settled, reader.partial)
            read_on()
    finally:  # a microphone that goes away takes nothing with it
        try:
            read_on(last=True)
        finally:
            teller.close()
