"""Recordings without transcripts, with those that a recogniser makes of them: pseudo-labels, of what it is sure of."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ...common.data.corpora.parts import Parts, progress_bar
from ...common.errors import EarsightError, MissingExtra
from ...common.texts import TextForm
from ..reading import SOUND_SUFFIXES
from .files import in_place, sound_cut

if TYPE_CHECKING:
    from lhotse.cut import MonoCut

WHISPER = "whisper:"  # before the folder of a Whisper that faster-whisper runs
WHOLE = 30.0  # s; a shorter file is one clip, of a longer one each utterance is
SPEECH = 0.4  # largest probability of no speech, of a segment that Whisper is sure of
PACKED = 2.2  # largest compression of a segment's text: what Whisper repeats again and again packs better


@dataclass(frozen=True)
class _Heard:
    """What a teacher makes of a stretch: seconds, its text, the mean probability of its words."""

    start: float
    end: float
    text: str
    confidence: float


Teacher = Callable[[Path], Iterator[_Heard]]


def prepare_pseudo(
    source: Path,
    destination: Path,
    *,
    teacher: str,
    keep: float = 0.85,
    case: str = "lower",
    punctuation: str = "drop",
    numbers: str = "words",
    speakers: str = "",
    progress: bool = True,
) -> Parts:
    """The sound files below `source` with what a teacher hears in them, as a training set.

    What it hears nothing in, or is not sure of, is left out. A file of up to 30 s is one clip; of a longer one each
    utterance is.

    Options: `teacher`, a model folder or an installed model's name, or `whisper:FOLDER`, a Whisper in CTranslate2's
    form that the package faster-whisper runs; `keep`, the least confidence of a clip (the geometric mean of its words'
    probabilities); `case`, `punctuation` and `numbers` of the texts, see `common.texts`; `speakers`: folder, where each
    folder's files are one speaker's, or what ends a speaker's name in a file's (`-` for 103-1240-0000.flac).
    """
    form = TextForm(case=case, punctuation=punctuation, numbers=numbers)
    files = sorted(path for path in source.rglob("*")
                   if path.suffix.lower() in SOUND_SUFFIXES and not _hidden(path, source))
    hear = _open_teacher(teacher)
    parts, unsure = Parts(), 0
    for path in progress_bar(files, "listening", progress, len(files)):
        name = path.relative_to(source).with_suffix("").as_posix()
        speaker = {"": None, "folder": path.parent.name}.get(speakers, path.stem.split(speakers or None)[0])
        try:
            whole = cast("MonoCut", sound_cut(name, path, speaker=speaker))
            heard = list(hear(path))
            if whole.duration <= WHOLE:
                heard = [_joined(heard, whole.duration)] if heard else []
            for number, one in enumerate(heard):
                if one.confidence < keep or not form(one.text):
                    unsure += 1
                    continue
                parts.add("train", in_place(_stretch(whole, one, form(one.text), number, len(heard)), destination))
        except EarsightError as error:
            parts.failures.append((name, str(error)))
    if files and not parts.cuts and not parts.failures:
        raise EarsightError(f"{source}: the teacher is sure of none of {len(files)} files ({unsure} stretches below "
                            f"keep={keep:g}); give a smaller keep, or a better teacher")
    return parts


def _hidden(path: Path, source: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(source).parts)


def _joined(heard: list[_Heard], duration: float) -> _Heard:
    """One clip of all stretches; its words are as sure as those of the least sure stretch."""
    return _Heard(0.0, duration, " ".join(one.text for one in heard), min(one.confidence for one in heard))


def _stretch(whole: MonoCut, heard: _Heard, text: str, number: int, count: int) -> MonoCut:
    said = replace(whole.supervisions[0], text=text)
    if heard.start <= 0 and heard.end >= whole.duration:
        return replace(whole, supervisions=[said])
    identity = whole.id if count == 1 else f"{whole.id}-{number:04}"
    end = min(heard.end, whole.duration)
    duration = round(end - heard.start, 3)
    return replace(whole, id=identity, start=heard.start, duration=duration,
                   supervisions=[replace(said, id=identity, start=0.0, duration=duration)])


def _open_teacher(name: str) -> Teacher:
    if name.startswith(WHISPER):
        return _whisper(Path(name.removeprefix(WHISPER)))
    from ..recognition.recogniser import SpeechRecogniser

    recogniser = SpeechRecogniser(name, "ctc")

    def hear(path: Path) -> Iterator[_Heard]:
        for one in recogniser.utterances(path):
            words = one.transcript.words
            if words:
                sure = math.exp(sum(math.log(max(word.confidence, 1e-6)) for word in words) / len(words))
                yield _Heard(one.start, one.end, " ".join(word.text for word in words), sure)

    return hear


def _whisper(folder: Path) -> Teacher:
    try:
        WhisperModel = importlib.import_module("faster_whisper").WhisperModel
    except ImportError as error:
        raise MissingExtra("a teacher whisper:FOLDER needs the package faster-whisper: pip install faster-whisper"
                           ) from error

    from ..reading import read

    if not (folder / "model.bin").is_file():
        raise EarsightError(f"{folder}: no Whisper in CTranslate2's form (it holds no model.bin)")
    try:
        model = WhisperModel(str(folder), device="auto", compute_type="auto", local_files_only=True)
    except (RuntimeError, ValueError, OSError) as error:
        raise EarsightError(f"{folder}: faster-whisper cannot load it ({error})") from error

    def hear(path: Path) -> Iterator[_Heard]:
        samples = read(path, 16000).samples
        segments, _ = model.transcribe(samples, language="en", condition_on_previous_text=False, temperature=0.0)
        for one in segments:
            sure = math.exp(one.avg_logprob)
            if one.no_speech_prob > SPEECH or one.compression_ratio > PACKED:
                sure = 0.0
            yield _Heard(one.start, one.end, one.text, sure)

    return hear
