"""vosk-server's websocket on `/`: its four messages are configuration, sound, reset and end.

Each but the first is answered (https://alphacephei.com/vosk/server): clients send a piece of sound, and wait for the
answer before they send the next.
"""

import json
from typing import Any

from starlette.websockets import WebSocket

from ...audio.live.reader import Update
from ...common.inference.recognition import Word
from .ear import Ear, next_message, stream
from .errors import ApiError
from .service import Service

RATE = 8000  # Hz, where a client does not say; vosk-server's
UNSUPPORTED, POLICY, TOO_BIG, FAILED = 1003, 1008, 1009, 1011  # RFC 6455, 7.4.1


async def vosk(service: Service, socket: WebSocket) -> None:
    """One connection, to its end."""
    async with stream(service):
        await socket.accept()
        try:
            await _converse(service, socket)
        except ApiError as error:
            other = UNSUPPORTED if error.status < 500 else FAILED
            code = {408: POLICY, 413: TOO_BIG}.get(error.status, other)
            await socket.close(code, error.message[:120])


async def _converse(service: Service, socket: WebSocket) -> None:
    config: dict[str, Any] = {}
    ear: Ear | None = None
    while (message := await next_message(service, socket)) is not None:
        if isinstance(message, bytes):
            ear = ear or Ear(service, service.settings.model, _rate(config))
            ear.take(message)
            said = await _say(ear, config)
        elif "config" in message:
            if not isinstance(message["config"], dict):
                raise ApiError(400, "`config` is no object", "invalid_message")
            config, ear = message["config"], None
            _rate(config)
            continue
        elif message.get("eof") or message.get("reset"):
            said = _final(await _rest(ear), config)
        else:
            raise ApiError(400, "a message is none of config, sound, reset and eof", "invalid_message")
        socket.scope["state"]["sound"] = ear.reader.seconds if ear else 0.0
        await socket.send_text(json.dumps(said, ensure_ascii=False))
        if isinstance(message, dict) and message.get("eof"):
            return await socket.close()
        if isinstance(message, dict):
            ear = None


async def _say(ear: Ear, config: dict[str, Any]) -> dict[str, Any]:
    """A finished utterance, or what there is of one."""
    while (update := await ear.read()) is not None:
        if update.words:
            return _final([update], config)
    return {"partial": ear.reader.partial}


async def _rest(ear: Ear | None) -> list[Update]:
    """What is left, to the end, as one or more utterances."""
    updates = []
    while ear is not None and (update := await ear.read(last=True)) is not None:
        if update.words:
            updates.append(update)
    return updates


def _final(updates: list[Update], config: dict[str, Any]) -> dict[str, Any]:
    text = " ".join(update.partial for update in updates if update.partial)
    words = [word for update in updates for word in update.words or ()]
    if config.get("max_alternatives"):
        return {"alternatives": [{"text": text, "confidence": 1.0, "result": [_word(word) for word in words]}]}
    result = {"result": [_word(word) for word in words]} if words and config.get("words", True) else {}
    return {**result, "text": text}


def _word(word: Word) -> dict[str, Any]:
    return {"conf": round(word.confidence, 6), "end": round(word.end, 3), "start": round(word.start, 3),
            "word": word.text}


def _rate(config: dict[str, Any]) -> int:
    rate = config.get("sample_rate", RATE)
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < 1e6:
        raise ApiError(400, "`sample_rate` is no number of Hz", "invalid_value")
    return round(rate)
