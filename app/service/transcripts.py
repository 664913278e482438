"""Transcripts as OpenAI's interface has them, by the writers of the command line."""

import json
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...common.formats.transcripts import written_transcript
from ...common.inference.recognition import Transcript, Utterance, Word

FORMATS = {"json": "application/json", "text": "text/plain; charset=utf-8",
           "srt": "application/x-subrip; charset=utf-8", "vtt": "text/vtt; charset=utf-8",
           "verbose_json": "application/json"}
HUNDREDTH = 100  # `seek` counts frames of a hundredth of a second


def joint(before: bool) -> str:
    """What stands between an utterance and what comes before it; see `Transcript.text`."""
    return "\n" if before else ""


def body_of(transcript: Transcript, utterances: Sequence[Utterance], form: str, language: str, words: bool,
            segments: bool) -> str:
    """The body of a response.

    Args:
        utterances: those that the transcript is joined of.
        form: one of FORMATS.
        language: what verbose_json says it is.
        words, segments: whether verbose_json has them.
    """
    if form == "verbose_json":
        return json.dumps(verbose(transcript, utterances, language, words, segments), ensure_ascii=False)
    if form == "json":
        return json.dumps({"text": transcript.text, "usage": usage(transcript.duration)}, ensure_ascii=False)
    plain = "txt" if form == "text" else form
    return written_transcript(transcript, plain, {Path(transcript.path): ""}) + "\n"


def usage(duration: float) -> dict[str, Any]:
    """What a request took: seconds of sound, begun ones counted whole as OpenAI counts them."""
    return {"type": "duration", "seconds": math.ceil(duration)}


def verbose(transcript: Transcript, utterances: Sequence[Utterance], language: str, words: bool, segments: bool
            ) -> dict[str, Any]:
    """OpenAI's `verbose_json`; beside each word and segment, and the whole, stands its `confidence`."""
    plain: dict[str, Any] = {"task": "transcribe", "language": language, "duration": round(transcript.duration, 3),
                             "text": transcript.text, "confidence": round(transcript.confidence, 4),
                             "model": transcript.model, "usage": usage(transcript.duration)}
    if words:
        plain["words"] = [plain_word(word) for word in transcript.words]
    if segments:
        spoken = [utterance for utterance in utterances if utterance.transcript.text]
        plain["segments"] = [_segment(number, utterance) for number, utterance in enumerate(spoken)]
    return plain


def plain_word(word: Word) -> dict[str, Any]:
    """A word, with its confidence."""
    return {"word": word.text, "start": round(word.start, 3), "end": round(word.end, 3),
            "confidence": round(word.confidence, 4)}


def _segment(number: int, utterance: Utterance) -> dict[str, Any]:
    """An utterance, from its first word's start to its last word's end.

    What Whisper's decoder has and a CTC model has not is what greedy decoding would give: no tokens, temperature 0, and
    no probability that nothing is said. `avg_logprob` is the mean of the words' log-confidences.
    """
    said = utterance.transcript
    text = said.text.encode()
    start, end = (said.words[0].start, said.words[-1].end) if said.words else (utterance.start, utterance.end)
    chances = [math.log(max(word.confidence, 1e-6)) for word in said.words] or [0.0]
    return {"id": number, "seek": round(HUNDREDTH * utterance.start), "start": round(start, 3), "end": round(end, 3),
            "text": said.text, "tokens": [], "temperature": 0.0, "avg_logprob": round(sum(chances) / len(chances), 4),
            "compression_ratio": round(len(text) / len(zlib.compress(text)), 4), "no_speech_prob": 0.0,
            "confidence": round(said.confidence, 4)}
