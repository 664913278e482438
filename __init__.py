"""Earsight: speech into text and video into actions, by bidirectional LSTMs that run on a plain CPU.

    import earsight
    earsight.transcribe("clip.wav").text
    earsight.classify("push-ups.mp4").probabilities
    earsight.learn("clips/", "models/mine").figure
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

# ONNX Runtime (as of 1.32) reports to its maker and keeps a number of this machine in the home directory, from its
# import on. It looks for 1, true or yes; whatever else was set here, nothing is sent.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from .common.errors import EarsightError
from .common.threads import share_machine

share_machine()  # before torch is loaded, by whoever loads it

if TYPE_CHECKING:
    from .app.learning.ending import Learned
    from .common.inference.recognition import Classification, Transcript
    from .common.series.classifier import SeriesClassifier

__all__ = ["EarsightError", "SeriesClassifier", "classify", "learn", "transcribe"]


def __getattr__(name: str) -> Any:
    """What is loaded when it is asked for."""
    if name == "SeriesClassifier":
        from .common.series.classifier import SeriesClassifier

        return SeriesClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@overload
def transcribe(path: str | Path, model: str | Path | None = None, *, track: int | None = None,
               channels: Literal["split"], damaged: str = "refuse", **decoding: Any) -> "tuple[Transcript, ...]": ...


@overload
def transcribe(path: str | Path, model: str | Path | None = None, *, track: int | None = None,
               channels: Literal["mix"] | int = "mix", damaged: str = "refuse", **decoding: Any) -> "Transcript": ...


def transcribe(path: str | Path, model: str | Path | None = None, *, track: int | None = None,
               channels: str | int = "mix", damaged: str = "refuse", **decoding: Any
               ) -> "Transcript | tuple[Transcript, ...]":
    """Read the speech in a sound file, a video's sound track or stored frames; or the lips in a film, or both together,
    with a model of such.

    Args:
        path: the file.
        model: a model folder or the name of an installed model; that of the package unless one is named.
        track: sound track, from 1; the first that is not silent unless one is named.
        channels: "mix" for the mean of all, a number from 1 for one, or "split" for a transcript of each.
        damaged: "refuse" what is damaged, or "skip" it: silence stands in its place, and a warning tells of it.
        decoding: what differs from the model's own: `decoder`, `lm`, `lexicon`, `n_best`, `hotwords` (a sequence, each
            as on the command line), and the other fields of `earsight.common.decoding.options.DecodingOptions`.

    Raises:
        EarsightError: the file or the model cannot be read; the message says what to do.
    """
    from .app.recognisers import DEFAULT_TRANSCRIBER, reads_films, transcriber
    from .audio.reading import FRAME_SUFFIXES, ReadingOptions, each_channel
    from .common.batch_run import default_jobs
    from .common.decoding.options import given_options
    from .common.paths import demand_paths

    demand_paths(path=path, model=model)
    reading, options = ReadingOptions(track, channels, damaged), given_options(**decoding)
    model = model or DEFAULT_TRANSCRIBER
    films = reads_films(model, reading)
    read: Any = transcriber(model, default_jobs(), **options)
    if films or channels != "split":
        return read.transcribe(path, options=reading)
    if Path(path).suffix.lower() in FRAME_SUFFIXES:
        return (read.transcribe(path),)
    return tuple(read.transcribe(path, options=one) for one in each_channel(path, reading))


def classify(path: str | Path, model: str | Path | None = None) -> "Classification":
    """Classify a video, a sound file, stored frames or a table of one series.

    A model of the package does it unless one is named; for tables there is none.

    Raises:
        EarsightError: the file or the model cannot be read; the message says what to do.
    """
    from .app.recognisers import classifier, default_classifier
    from .common.batch_run import default_jobs
    from .common.paths import demand_paths

    demand_paths(path=path, model=model)
    return classifier(model or default_classifier(path), default_jobs()).classify(path)


def learn(source: str | Path | Sequence[str | Path], output: str | Path, *, minutes: float = 15.0, add: bool = False,
          task: Literal["auto", "classes", "text"] = "auto") -> "Learned":
    """Make a measured model of clips: `earsight learn` in Python; needs the extra `train`.

    Args:
        source: a folder per class, a table or a manifest, or several of them.
        output: the model folder; the report, the recipe and the frames go into `output`-learning beside it.
        minutes: the time to take.
        add: teach the model in `output` further classes or clips, beside those that it knows.
        task: what to learn; "auto": classes where each clip has a label, else texts.

    Raises:
        EarsightError: clips from which nothing can be learnt, or too little time; the message says what to do.
    """
    from .common.errors import require

    require("pytorch_lightning", "train")
    from .app.learning.learning import learn as learn_them
    from .common.paths import demand_paths

    try:
        sources = [source] if isinstance(source, str | os.PathLike) else list(source)
    except TypeError:
        raise EarsightError(f"source: a {type(source).__name__}, {source!r:.40}; give the path of a folder, a table or "
                            "a manifest, or a list of them") from None
    for each in (*sources, output):
        demand_paths(path=each)
    if not isinstance(add, bool):
        raise EarsightError(f"add: {add!r:.40} is neither True nor False")
    return learn_them(sources, Path(output), minutes, add, task)
