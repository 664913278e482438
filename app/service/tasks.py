"""What a worker does: transcribe a file, classify one, write a result again, read what was heard of a stream."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...audio.live.pcm import PcmDecoder
from ...audio.live.reading import read_sound
from ...audio.reading import ReadingOptions, open_blocks
from ...common.errors import TooLong
from ...common.escaping import printable
from ...common.inference.recognition import Utterance, as_json, written
from ...common.steps import Steps, in_one
from ...common.workers import Tell
from ...video.content import has_pictures
from ..recognisers import DEFAULT_CLASSIFIERS, classifier, listener, reads_films, transcriber
from .corrected import written_again
from .transcripts import body_of, joint, plain_word


def warm(model: str, threads: int) -> None:
    """Load a model, and have the runtime take what memory and time its first clip takes."""
    recogniser = listener(model, threads)
    recogniser.transcript_of(np.random.default_rng(1).normal(0, 0.01, recogniser.sample_rate).astype(np.float32))


def transcribe(tell: Tell, path: str, name: str, model: str, threads: int, form: str, language: str, words: bool,
               segments: bool, longest: float) -> Steps[dict[str, Any]]:
    """Read a file, in steps.

    Each utterance is told as `delta`, what it adds to the text, and with `words` of verbose_json as these too.

    Args:
        path: where it is.
        name: what the client calls it.
        form: of the answer; see `transcripts.body_of`, as for `language`.
        words, segments: what verbose_json has.
        longest: seconds that it may last.

    Returns:
        `body` and `text`; `duration` in seconds.
    """
    heard: list[Utterance] = []

    def hear(utterance: Utterance) -> None:
        text = utterance.transcript.text
        if text:
            before = any(one.transcript.text for one in heard)
            event: dict[str, Any] = {"delta": joint(before) + text}
            if words and form == "verbose_json":
                event["words"] = [plain_word(word) for word in utterance.transcript.words]
            tell(event)
        heard.append(utterance)

    options = ReadingOptions(quiet=True, longest=longest)
    with _named(path, name):
        reader: Any = transcriber(model, threads)
        if reads_films(model, options):
            if has_pictures(path):
                _demand_short(path, longest)
            transcript = reader.transcribe(path, heard=hear, options=options)
        else:
            transcript = yield from reader.transcribing(path, heard=hear, options=options)
    return {"body": body_of(transcript, heard, form, language, words, segments), "text": transcript.text,
            "duration": transcript.duration}


def classify(tell: Tell, path: str, name: str, model: str, threads: int, form: str, top: int,
             longest: float, video_model: str) -> dict[str, Any]:
    """Name what is done in a file, or with `form` timeline, srt or csv what is done when; arguments as `transcribe`'s.

    Args:
        model: "" for `video_model` where there are pictures, and else what knows sound.
        top: how many classes csv and srt tell.
    """
    with _named(path, name):
        pictures = has_pictures(path)
        if not pictures:
            for _ in open_blocks(path, options=ReadingOptions(quiet=True, longest=longest))[1]:
                pass  # longer sound raises TooLong
        else:
            _demand_short(path, longest)
        recogniser = classifier(model or (video_model if pictures else DEFAULT_CLASSIFIERS["sound"]), threads)
        result = recogniser.classify(path) if form == "json" else recogniser.timeline(path)
    result = replace(result, path=printable(name))
    body = as_json(result) if form in ("json", "timeline") else written(result, form, top)
    return {"body": body, "duration": result.duration}


def write(tell: Tell, path: str, threads: int, form: str) -> dict[str, Any]:
    """Write a file of JSON, a transcript or a timeline, in another format; see `corrected.written_again`."""
    return {"body": written_again(Path(path).read_bytes(), form), "duration": 0.0}


def hear(tell: Tell, samples: str, sample_rate: int, model: str, threads: int, final: bool) -> dict[str, Any]:
    """Read what there is of an utterance: base64 of 16-bit samples -> `reading`, as `audio.live.reading` has it."""
    waveform = PcmDecoder()(base64.b64decode(samples))
    return {"reading": asdict(read_sound(listener(model, threads), waveform, sample_rate, final))}


TASKS: dict[str, Callable[..., Steps[dict[str, Any]]]] = {
    "transcribe": transcribe, "classify": in_one(classify), "write": in_one(write), "hear": in_one(hear)}


def _demand_short(path: str, longest: float) -> None:
    from ...video.reading import probe

    if probe(Path(path)).duration > longest:
        raise TooLong(f"{path}: longer than {longest:g} s; give a part of it")


@contextmanager
def _named(path: str, name: str) -> Iterator[None]:
    """Have an error of a file tell the client's name of it, not where it is here."""
    try:
        yield
    except Exception as error:
        if path in str(error) and error.args:
            error.args = (str(error.args[0]).replace(path, printable(name)), *error.args[1:])
        raise
