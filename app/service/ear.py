"""What both websockets share: a place among the streams, sound that comes in, and readings of it by workers."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from ...audio.live.endpoints import EndpointRules
from ...audio.live.pcm import PcmDecoder, as_pcm
from ...audio.live.reader import LiveReader, Update
from ...audio.live.reading import Reading
from .errors import ApiError
from .service import Service

RATES = (8000, 48000)  # Hz, the least and the most


class Ear:
    """A stream of 16-bit mono sound."""

    def __init__(self, service: Service, model: str, sample_rate: int, rules: EndpointRules | None = None):
        if not RATES[0] <= sample_rate <= RATES[1]:
            raise ApiError(400, f"sound of {sample_rate} Hz; send 16-bit PCM of {RATES[0]} to {RATES[1]} Hz",
                           "invalid_value", "sample_rate")
        self.service, self.model = service, model
        self.reader = LiveReader(sample_rate, rules)
        self._decoder = PcmDecoder()

    def take(self, sound: bytes) -> None:
        """Add sound; ApiError where the stream becomes longer than it may."""
        self.reader.take(self._decoder(sound))
        longest = self.service.settings.max_duration
        if self.reader.seconds > longest:
            raise ApiError(413, f"the stream is longer than {longest:g} s; open another", "too_large")

    async def read(self, last: bool = False) -> Update | None:
        """Have a worker read what is to be read now; None where that can wait, or there is nothing.

        Args:
            last: nothing comes behind it.
        """
        wanted = self.reader.wanted(last)
        if wanted is None:
            return None
        arguments = {"samples": base64.b64encode(as_pcm(wanted.samples)).decode(), "model": self.model,
                     "sample_rate": wanted.sample_rate, "final": wanted.final}
        done = await self.service.pool.result("hear", arguments, patient=True)
        before = self.reader.held
        update = self.reader.heard(Reading.from_dict(done["reading"]))
        self.service.metrics.recognised(before - self.reader.held, done["took"])
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
