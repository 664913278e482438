"""Which model, and which medium's recogniser, takes a file."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.errors import EarsightError

if TYPE_CHECKING:
    from ..audio.reading import ReadingOptions
    from ..audio.recognition.recogniser import SpeechRecogniser
    from ..common.series.recognition import SeriesRecogniser
    from ..video.lips.reader import FilmReader
    from ..video.recognition.recogniser import ActionRecogniser

DEFAULT_TRANSCRIBER = "en"
DEFAULT_CLASSIFIERS = {"sound": "digits", "video": "actions-10"}


def default_classifier(path: str | Path) -> str:
    """The model for what a file holds: pictures, or sound alone.

    Raises:
        EarsightError: it is a table of series, of which no two are alike.
    """
    from ..common.series.reading import is_table
    from ..video.content import has_pictures

    if is_table(path):
        raise EarsightError(f"{path}: a table of series, for which no model comes with the package; name yours "
                            "(--model), or train one (configs/series.yaml)")
    return DEFAULT_CLASSIFIERS["video" if has_pictures(path) else "sound"]


def transcriber(model: str | Path, threads: int, **decoding: Any) -> "SpeechRecogniser | FilmReader":
    """What transcribes sound, frames, lips, or sound with lips, as the model takes them.

    It is made once for the same arguments and files.

    Args:
        model: a model folder or the name of an installed model.
        threads: of one clip's computation.
        decoding: fields of `common.decoding.options.DecodingOptions` that differ from what the folder stores.
    """
    further = [Path(decoding[name]) for name in ("lm", "lexicon") if decoding.get(name)]
    return _transcriber(*as_it_is(model, *further), threads, **decoding)


def listener(model: str | Path, threads: int, **decoding: Any) -> "SpeechRecogniser":
    """What transcribes sound that is still coming; see `transcriber`.

    Raises:
        EarsightError: the model reads films.
    """
    from ..audio.recognition.recogniser import SpeechRecogniser

    recogniser = transcriber(model, threads, **decoding)
    if not isinstance(recogniser, SpeechRecogniser):
        raise EarsightError(f"model {model} reads films, and no sound that is still coming; choose another (see "
                            "`earsight models`)")
    return recogniser


def classifier(model: str | Path, threads: int) -> "SpeechRecogniser | ActionRecogniser | SeriesRecogniser":
    """What classifies sound, frames, pictures or series, as the model takes them; made once, as `transcriber`'s."""
    return _classifier(*as_it_is(model), threads)


def classifier_of(model: str | None, threads: int, path: Path
                  ) -> "SpeechRecogniser | ActionRecogniser | SeriesRecogniser":
    """`classifier`, of the default model for what a file holds where none is named."""
    return classifier(model or default_classifier(path), threads)


def as_it_is(model: str | Path, *further: Path) -> tuple[Path, tuple]:
    """A model's folder, and what changes when one of its files, or a further one, is replaced."""
    from ..common.model_folder import find_model

    folder = Path(os.path.abspath(find_model(model)))
    stats = []
    for path in (*sorted(folder.iterdir()), *map(Path.absolute, further)):
        with suppress(OSError):  # who reads it says what is wrong
            stat = path.stat()
            stats.append((path, stat.st_size, stat.st_mtime_ns, stat.st_ino))
    return folder, tuple(stats)


def reads_films(model: str | Path, reading: "ReadingOptions") -> bool:
    """Whether a model reads films: lips, to which no option of reading sound applies, or sound with lips.

    Raises:
        EarsightError: an option is given that does not apply, or there is no such model.
    """
    from ..common.model_folder import medium_of

    medium = medium_of(model)
    if medium == "lips" and (reading.track, reading.channels, reading.damaged) != (None, "mix", "refuse"):
        raise EarsightError(f"model {model} reads lips and hears nothing; leave out what chooses or mends sound "
                            "(track, channels, damaged)")
    if medium == "audiovisual" and reading.channels == "split":
        raise EarsightError(f"model {model} reads one face with one sound; name the channel that belongs to it "
                            "(channels), or mix them")
    return medium in ("lips", "audiovisual")


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Python's garbage collector off: it goes through tens of thousands of lists of a lexicon, which stay, again and
    again, for a tenth of the time that `en` takes to begin."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


@lru_cache(8)
@_nothing_collected()
def _transcriber(model: Path, _: tuple, threads: int, **decoding: Any) -> "SpeechRecogniser | FilmReader":
    from ..common.model_folder import medium_of

    if (medium := medium_of(model)) == "lips":
        from ..video.lips.reader import LipReader

        return LipReader(model, threads, decoding)
    if medium == "audiovisual":
        from ..audiovisual.reader import AudioVisualReader

        return AudioVisualReader(model, threads, decoding)
    from ..audio.recognition.recogniser import SpeechRecogniser

    return SpeechRecogniser(model, "ctc", threads, decoding)


@lru_cache(8)
def _classifier(model: Path, _: tuple, threads: int) -> "SpeechRecogniser | ActionRecogniser | SeriesRecogniser":
    from ..common.model_folder import medium_of

    if (medium := medium_of(model)) == "series":
        from ..common.series.recognition import SeriesRecogniser

        return SeriesRecogniser(model, threads)
    if medium == "video":
        from ..video.recognition.recogniser import ActionRecogniser

        return ActionRecogniser(model, threads)
    from ..audio.recognition.recogniser import SpeechRecogniser

    return SpeechRecogniser(model, "classification", threads)
