"""What both websockets share: a place among the streams, sound that comes in, and readings of it by workers."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from ...audio.recognition.live import BYTES, EndpointRules, Listening, Update
from ...common.inference.recognition import Word
from .errors import ApiError
from .service import Service

RATES = (8000, 48000)  # Hz, the least and the most
MANUAL = EndpointRules(float("inf"), float("inf"), float("inf"))  # who uses them says when an utterance ends


class Ear:
    """A stream of 16-bit mono sound."""

    def __init__(self, service: Service, model: str, sample_rate: int, rules: EndpointRules | None = None):
        if not RATES[0] <= sample_rate <= RATES[1]:
            raise ApiError(400, f"sound of {sample_rate} Hz; send 16-bit PCM of {RATES[0]} to {RATES[1]} Hz",
                           "invalid_value", "sample_rate")
        self.service, self.model = service, model
        self.listening = Listening(sample_rate, rules)

    def take(self, sound: bytes) -> None:
        """Add sound; ApiError where the stream becomes longer than it may."""
        self.listening.samples += sound
        longest = self.service.settings.max_duration
        if self.listening.seconds > longest:
            raise ApiError(413, f"the stream is longer than {longest:g} s; open another", "too_large")

    async def read(self, last: bool = False) -> Update | None:
        """Read what there is, as far as the next utterance's end; None where there is nothing.

        Args:
            last: nothing comes behind it.
        """
        listening = self.listening
        everything = len(listening.samples) // BYTES * BYTES
        size = everything if last and listening.rules is MANUAL else listening.readable
        if not size:
            return None
        arguments = {"samples": base64.b64encode(listening.samples[:size]).decode(), "model": self.model,
                     "sample_rate": listening.sample_rate}
        done = await self.service.pool.result("hear", arguments, patient=True)
        words = [Word(**word) for word in done["words"]]
        before = listening.seconds - listening.held
        update = listening.heard(words, size, last and size == everything)
        gone = listening.seconds - listening.held - before
        self.service.metrics.recognised(gone, done["took"])
        return update


@asynccontextmanager
async def stream(service: Service) -> AsyncIterator[None]:
    """A place among the streams; ApiError (429) where all are taken, before the websocket is accepted."""
    if service.streams >= service.settings.max_streams:
        raise ApiError(429, f"{service.streams} streams are open already; try again later", "rate_limit_exceeded",
                       headers={"Retry-After": "10"})
    service.streams += 1
    service.metrics.streams.set(service.streams)
    try:
        yield
    finally:
        service.streams -= 1
        service.metrics.streams.set(service.streams)


async def refuse_socket(error: ApiError, socket: WebSocket) -> None:
    """Answer a websocket that is not accepted with a response of HTTP."""
    await socket.send_denial_response(error.response())


async def next_message(service: Service, socket: WebSocket) -> bytes | dict[str, Any] | None:
    """Sound, or an object of JSON; None where the client has gone.

    Raises:
        ApiError: it is neither; or nothing came for long (408).
    """
    try:
        async with asyncio.timeout(service.settings.stream_idle):
            message = await socket.receive()
    except TimeoutError:
        raise ApiError(408, f"nothing came for {service.settings.stream_idle:g} s", "timeout") from None
    except WebSocketDisconnect:
        return None
    if message["type"] == "websocket.disconnect":
        return None
    if (sound := message.get("bytes")) is not None:
        return sound
    try:
        plain = json.loads(message["text"])
    except (ValueError, RecursionError):
        plain = None
    if not isinstance(plain, dict):
        raise ApiError(400, "a message is neither sound nor an object of JSON", "invalid_message")
    return plain
