"""Requests with a file: transcriptions, classifications, and results to be written again."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from .corrected import KINDS
from .errors import ApiError
from .service import Service
from .transcripts import FORMATS, usage
from .uploads import Upload, receive_upload

TRANSCRIPTION_FIELDS = {
    "file": "a file, with a filename", "model": "a model's name", "language": "a language", "prompt": "a text",
    "response_format": "a format", "temperature": "a number", "stream": "true or false",
    "timestamp_granularities[]": "word or segment", "timestamp_granularities": "word or segment",
    # What OpenAI's models take beside, and these have no use for.
    "include[]": "a list", "include": "a list", "chunking_strategy": "a text",
}
CLASSIFICATION_FIELDS = {"file": "a file, with a filename", "model": "a model's name", "response_format": "a format",
                         "top": "a whole number from 1"}
CLASSIFICATION_FORMATS = {"json": "application/json", "timeline": "application/json",
                          "srt": FORMATS["srt"], "csv": "text/csv; charset=utf-8"}
EXPORT_FIELDS = {"file": "a file of JSON, with a filename", "response_format": "a format"}
GRANULARITIES = ("word", "segment")


class Transcriptions:
    """POST /v1/audio/transcriptions."""

    def __init__(self, service: Service):
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        async with _received(request, self.service, TRANSCRIPTION_FIELDS) as upload:
            form = _choice(upload, "response_format", FORMATS, "json")
            stream = _choice(upload, "stream", ("true", "false", "True", "False", "1", "0"), "false")
            _number(upload, "temperature", 0.0, 1.0)
            granularities = [value for name in ("timestamp_granularities[]", "timestamp_granularities")
                             for value in upload.fields.get(name, ())]
            if strange := [value for value in granularities if value not in GRANULARITIES]:
                raise ApiError(400, f"timestamp_granularities: {strange[0][:50]!r} is neither word nor segment",
                               "invalid_value", "timestamp_granularities[]")
            model = self.service.transcriber(_one(upload, "model"))
            arguments = {"path": str(upload.path), "name": upload.name, "model": model, "form": form,
                         "language": self.service.language(_one(upload, "language"), model),
                         "words": "word" in granularities, "segments": granularities != ["word"],
                         "longest": self.service.settings.max_duration}
            if stream in ("true", "True", "1"):
                await self._stream(arguments, request, send, upload)
            else:
                await _answer(self.service, "transcribe", arguments, FORMATS[form], request, send, upload)

    async def _stream(self, arguments: dict[str, Any], request: Request, send: Send, upload: Upload) -> None:
        """Server-sent events: what each utterance adds to the text, then all of it.

        With verbose_json the first have the utterance's words too, and the last all that a whole answer has.
        """
        verbose = arguments["form"] == "verbose_json"
        async with _ahead(self.service.pool.events("transcribe", arguments), upload.remove) as following:
            first = await _while_there(request, following)  # an error before it has a status of its own

            async def lines() -> AsyncIterator[bytes]:
                event = first
                try:
                    while "done" not in event:
                        yield told(event)
                        event = await following()
                    yield told(event)
                except ApiError as error:
                    yield _sent({"type": "error", "error": error.plain}, "error")

            def told(event: dict[str, Any]) -> bytes:
                if "delta" in event:
                    return _sent({"type": "transcript.text.delta", **event})
                done = event["done"]
                _count(self.service, request, done)
                return _sent({"type": "transcript.text.done", "text": done["text"], "usage": usage(done["duration"]),
                              **(json.loads(done["body"]) if verbose else {})})

            response = StreamingResponse(lines(), media_type="text/event-stream",
                                         headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
            await response(request.scope, request.receive, send)


class Classifications:
    """POST /v1/video/classifications."""

    def __init__(self, service: Service):
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        async with _received(request, self.service, CLASSIFICATION_FIELDS) as upload:
            form = _choice(upload, "response_format", CLASSIFICATION_FORMATS, "json")
            arguments = {"path": str(upload.path), "name": upload.name,
                         "model": self.service.classifier(_one(upload, "model")), "form": form,
                         "top": int(_number(upload, "top", 1, 1000, whole=True) or 1),
                         "longest": self.service.settings.max_duration,
                         "video_model": self.service.settings.video_model}
            await _answer(self.service, "classify", arguments, CLASSIFICATION_FORMATS[form], request, send, upload)


class Exports:
    """POST /v1/exports: a result, as after corrections, in any format that the command line writes."""

    def __init__(self, service: Service):
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        async with _received(request, self.service, EXPORT_FIELDS) as upload:
            form = _choice(upload, "response_format", KINDS, "json")
            arguments = {"path": str(upload.path), "form": form}
            await _answer(self.service, "write", arguments, KINDS[form], request, send, upload)


def _received(request: Request, service: Service, known: dict[str, str]):
    service.pool.demand_room()
    settings = service.settings
    return receive_upload(request, service.folder, settings.max_upload * 1e6, settings.upload_time, settings.idle_time,
                          known)


@asynccontextmanager
async def _ahead(events: AsyncGenerator[dict[str, Any], None], finished: Callable[[], None]
                 ) -> AsyncIterator[Callable[[], Awaitable[dict[str, Any]]]]:
    """What gives the next of a task's events; they are taken as they come, so that no slow client keeps a worker.

    Args:
        finished: called when the last has come.
    """
    queue: asyncio.Queue[dict[str, Any] | Exception] = asyncio.Queue()

    async def take() -> None:
        try:
            async with aclosing(events):
                async for event in events:
                    queue.put_nowait(event)
        except Exception as error:
            queue.put_nowait(error)
        finally:
            finished()

    async def following() -> dict[str, Any]:
        event = await queue.get()
        if isinstance(event, Exception):
            raise event
        return event

    taking = asyncio.create_task(take())
    try:
        yield following
    finally:
        taking.cancel()
        with suppress(asyncio.CancelledError):
            await taking


async def _answer(service: Service, task: str, arguments: dict[str, Any], kind: str, request: Request, send: Send,
                  upload: Upload) -> None:
    done = await _while_there(request, lambda: service.pool.result(task, arguments))
    upload.remove()  # who reads the answer slowly does not keep it here
    _count(service, request, done)
    await Response(done["body"], media_type=kind)(request.scope, request.receive, send)


async def _while_there(request: Request, work: Callable[[], Any]) -> Any:
    """What `work` gives, unless the client leaves: then it is cancelled, and ClientDisconnect raised."""
    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, leaving = asyncio.ensure_future(work()), asyncio.ensure_future(gone())
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        for task in (working, leaving):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


def _count(service: Service, request: Request, done: dict[str, Any]) -> None:
    request.scope["state"]["sound"] += done["duration"]
    service.metrics.recognised(done["duration"], done["took"])


def _sent(plain: dict[str, Any], event: str = "") -> bytes:
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {json.dumps(plain, ensure_ascii=False)}\n\n".encode()


def _one(upload: Upload, name: str) -> str:
    values = upload.fields.get(name, [""])
    if len(values) > 1:
        raise ApiError(400, f"`{name}` is there {len(values)} times; give it once", "invalid_value", name)
    return values[0]


def _choice(upload: Upload, name: str, choices: Any, default: str) -> str:
    value = _one(upload, name) or default
    if value not in choices:
        raise ApiError(400, f"{name}: {value[:50]!r} is none of {', '.join(choices)}", "invalid_value", name)
    return value


def _number(upload: Upload, name: str, least: float, most: float, whole: bool = False) -> float | None:
    text = _one(upload, name)
    if not text:
        return None
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise ApiError(400, f"{name}: {text[:50]!r} is no number from {least:g} to {most:g}", "invalid_value", name)
    return value
