"""Which model, and which medium's recogniser, takes a file."""

from functools import lru_cache
from pathlib import Path

DEFAULT_TRANSCRIBER = "en-small"
DEFAULT_CLASSIFIERS = {"sound": "digits", "video": "actions-10"}


def is_video(path: str | Path) -> bool:
    from ..video.reading import VIDEO_SUFFIXES

    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def default_classifier(path: str | Path) -> str:
    return DEFAULT_CLASSIFIERS["video" if is_video(path) else "sound"]


@lru_cache
def recogniser(model: str | Path, task: str, threads: int, **decoding):
    """A recogniser of sound, frames or pictures, as the model takes them; made once for the same arguments.

    Args:
        model: a model folder or the name of an installed model.
        task: "ctc" or "classification".
        threads: of one clip's computation.
        decoding: fields of `common.decoding.options.DecodingOptions` that differ from what the folder stores.
    """
    from ..common.model_folder import medium_of

    if medium_of(model) == "video" and task == "classification":
        from ..video.recognition.recogniser import ActionRecogniser

        return ActionRecogniser(model, threads)
    from ..audio.recognition.recogniser import SpeechRecogniser

    return SpeechRecogniser(model, task, threads, decoding)
