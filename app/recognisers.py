"""Which model, and which medium's recogniser, takes a file."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..audio.recognition.recogniser import SpeechRecogniser
    from ..video.recognition.recogniser import ActionRecogniser

DEFAULT_TRANSCRIBER = "en-small"
DEFAULT_CLASSIFIERS = {"sound": "digits", "video": "actions-10"}


def default_classifier(path: str | Path) -> str:
    """The model for what a file holds: pictures, or sound alone."""
    from ..video.content import has_pictures

    return DEFAULT_CLASSIFIERS["video" if has_pictures(path) else "sound"]


@lru_cache
def transcriber(model: str | Path, threads: int, **decoding: Any) -> "SpeechRecogniser":
    """What transcribes sound or frames, as the model takes them; made once for the same arguments.

    Args:
        model: a model folder or the name of an installed model.
        threads: of one clip's computation.
        decoding: fields of `common.decoding.options.DecodingOptions` that differ from what the folder stores.
    """
    from ..audio.recognition.recogniser import SpeechRecogniser

    return SpeechRecogniser(model, "ctc", threads, decoding)


@lru_cache
def classifier(model: str | Path, threads: int) -> "SpeechRecogniser | ActionRecogniser":
    """What classifies sound, frames or pictures, as the model takes them; made once for the same arguments."""
    from ..common.model_folder import medium_of

    if medium_of(model) == "video":
        from ..video.recognition.recogniser import ActionRecogniser

        return ActionRecogniser(model, threads)
    from ..audio.recognition.recogniser import SpeechRecogniser

    return SpeechRecogniser(model, "classification", threads)
