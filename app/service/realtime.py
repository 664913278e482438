"""OpenAI's realtime transcription, `/v1/realtime?intent=transcription`: events of JSON, sound in base64 within them.

Words come as deltas as soon as two readings agree on them, before the utterance ends; `completed` has what it is in the
end, with the words' times and confidences beside it.
"""

import base64
import binascii
import json
import uuid
from typing import Any

from starlette.websockets import WebSocket

from ...audio.live.endpoints import MANUAL, EndpointRules
from ...audio.live.reader import Update
from .ear import Ear, next_message, stream
from .errors import ApiError
from .service import Service
from .transcripts import usage

RATE = 24000  # Hz, OpenAI's
HELD = 120.0  # seconds of sound that wait for a commit
SILENCE = 500  # ms that end an utterance where a client does not say; OpenAI's
TRANSCRIBED = "conversation.item.input_audio_transcription"


async def realtime(service: Service, socket: WebSocket) -> None:
    """One connection, to its end."""
    if socket.query_params.get("intent", "transcription") != "transcription":
        raise ApiError(400, "intent: transcription is all that there is", "invalid_value", "intent")
    async with stream(service):
        await socket.accept(_subprotocol(socket))
        session = Session(service, socket)
        await session.send("session.created", session=session.described())
        while True:
            try:
                message = await next_message(service, socket)
                if message is None:
                    return
                await session.handle(message)
            except ApiError as error:
                await session.send("error", error={**error.plain, "event_id": None})
                if error.status in (408, 413):
                    return await socket.close(1008, error.message[:120])


class Session:
    """What a client has set, and the utterance that it is in."""

    def __init__(self, service: Service, socket: WebSocket):
        self.service, self.socket = service, socket
        self.id, self.rate, self.silence = f"sess_{uuid.uuid4().hex}", RATE, SILENCE
        self.by_hand = False  # the client says when an utterance ends
        self.model = socket.query_params.get("model", "")
        self.ear = self._ear(self.model, self.rate, self.silence, self.by_hand)
        self.item, self.previous, self.begun = _item(), None, False

    async def send(self, kind: str, **more: Any) -> None:
        await self.socket.send_text(json.dumps({"type": kind, "event_id": f"event_{uuid.uuid4().hex}", **more},
                                               ensure_ascii=False))

    async def handle(self, message: bytes | dict[str, Any]) -> None:
        """One event of the client's."""
        kind = message.get("type") if isinstance(message, dict) else None
        if isinstance(message, bytes):
            raise ApiError(400, "sound has to come as base64 in input_audio_buffer.append", "invalid_message")
        if kind in ("session.update", "transcription_session.update"):
            self._set(message.get("session"))
            await self.send(kind + "d", session=self.described())
        elif kind == "input_audio_buffer.append":
            await self._append(message.get("audio"))
        elif kind == "input_audio_buffer.commit":
            await self._commit()
        elif kind == "input_audio_buffer.clear":
            self.ear = self._ear(self.model, self.rate, self.silence, self.by_hand)
            self.begun = False
            await self.send("input_audio_buffer.cleared")
        else:
            raise ApiError(400, f"event {str(kind)[:50]!r} is unknown; known are session.update and input_audio_buffer."
                           "append, commit, clear", "invalid_message", "type")

    def described(self) -> dict[str, Any]:
        """The session, as OpenAI describes it."""
        detection = None if self.by_hand else {"type": "server_vad", "silence_duration_ms": self.silence}
        return {"type": "transcription", "object": "realtime.transcription_session", "id": self.id, "audio": {"input": {
            "format": {"type": "audio/pcm", "rate": self.rate}, "transcription": {"model": self.model or "whisper-1"},
            "turn_detection": detection}}}

    def _set(self, given: Any) -> None:
        """Take settings, of the interface as it is and as its beta was; all of them or none."""
        plain = _dictionary(given, "session")
        own = _dictionary(_dictionary(plain.get("audio", {}), "audio").get("input", {}), "input")
        form = own.get("format", plain.get("input_audio_format")) or {}
        form = {"type": form} if isinstance(form, str) else _dictionary(form, "format")
        if form.get("type", "audio/pcm") not in ("audio/pcm", "pcm16"):
            raise ApiError(400, "format: audio/pcm (16 bits, mono) is all that there is", "invalid_value", "format")
        rate = form.get("rate", self.rate)
        if isinstance(rate, bool) or not isinstance(rate, int):
            raise ApiError(400, "rate: a whole number of Hz", "invalid_value", "rate")
        transcription = own.get("transcription", plain.get("input_audio_transcription")) or {}
        model = _dictionary(transcription, "transcription").get("model", self.model)
        if not isinstance(model, str):
            raise ApiError(400, "model: a name", "invalid_value", "model")
        by_hand, silence = self.by_hand, self.silence
        for settings in (plain, own):
            if "turn_detection" in settings:
                by_hand = settings["turn_detection"] is None
                detection = {} if by_hand else _dictionary(settings["turn_detection"], "turn_detection")
                silence = detection.get("silence_duration_ms", self.silence)
        if isinstance(silence, bool) or not isinstance(silence, int) or not 100 <= silence <= 10_000:
            raise ApiError(400, "silence_duration_ms: a whole number from 100 to 10000", "invalid_value",
                           "silence_duration_ms")
        changed = (model, rate, silence, by_hand) != (self.model, self.rate, self.silence, self.by_hand)
        ear = self._ear(model, rate, silence, by_hand) if changed else self.ear
        self.model, self.rate, self.silence, self.by_hand, self.ear = model, rate, silence, by_hand, ear

    def _ear(self, model: str, rate: int, silence: int, by_hand: bool) -> Ear:
        rules = MANUAL if by_hand else EndpointRules(rule2_min_trailing_silence=silence / 1000)
        return Ear(self.service, self.service.listener(model), rate, rules)

    async def _append(self, audio: Any) -> None:
        try:
            sound = base64.b64decode(audio, validate=True)
        except (TypeError, ValueError, binascii.Error):
            raise ApiError(400, "audio: no base64", "invalid_value", "audio") from None
        self.ear.take(sound)
        self.socket.scope["state"]["sound"] = self.ear.reader.seconds
        if self.by_hand:
            if self.ear.reader.held > HELD:
                raise ApiError(413, f"more than {HELD:g} s wait for a commit", "too_large", "audio")
            return
        while update := await self.ear.read():
            await self._tell(update)

    async def _commit(self) -> None:
        if not self.ear.reader.held:
            raise ApiError(400, "there is no sound to commit", "input_audio_buffer_commit_empty")
        while update := await self.ear.read(last=True):
            await self._tell(update)

    async def _tell(self, update: Update) -> None:
        if update.partial and not self.begun:
            self.begun = True
            await self.send("input_audio_buffer.speech_started", item_id=self.item,
                            audio_start_ms=round(1000 * update.start))
        finished = update.words is not None
        if finished and (update.partial or self.by_hand):
            await self.send("input_audio_buffer.speech_stopped", item_id=self.item,
                            audio_end_ms=round(1000 * update.end))
            await self.send("input_audio_buffer.committed", item_id=self.item, previous_item_id=self.previous)
        if update.settled:
            text = " ".join(update.settled)
            await self.send(f"{TRANSCRIBED}.delta", item_id=self.item, content_index=0,
                            delta=text if finished else text + " ")
        if finished and (update.partial or self.by_hand):
            words = [{"word": word.text, "start": round(word.start, 3), "end": round(word.end, 3),
                      "confidence": round(word.confidence, 4)} for word in update.words or ()]
            await self.send(f"{TRANSCRIBED}.completed", item_id=self.item, content_index=0, transcript=update.partial,
                            usage=usage(update.end - update.start), words=words)
            self.item, self.previous, self.begun = _item(), self.item, False


def _subprotocol(socket: WebSocket) -> str | None:
    asked = [each.strip() for each in socket.headers.get("sec-websocket-protocol", "").split(",")]
    return "realtime" if "realtime" in asked else None


def _dictionary(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ApiError(400, f"{name}: no object", "invalid_value", name)
    return value


def _item() -> str:
    return f"item_{uuid.uuid4().hex}"
