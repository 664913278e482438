"""Around all endpoints: keys, the log, the figures, and what becomes of an error that nobody foresaw."""

import hmac
import json
import logging
import time
import traceback
import uuid
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from .errors import ApiError
from .page import is_page
from .service import Service

log = logging.getLogger("earsight.service")

OPEN = ("/health", "/ready")  # what a supervisor asks without a key
GONE = 499  # nginx's status for a client that did not wait for the answer
SUBPROTOCOL = "openai-insecure-api-key."  # how OpenAI's clients in a browser, which can set no header, send a key


class Gate:
    """Middleware of one service."""

    def __init__(self, app: ASGIApp, service: Service, endpoints: frozenset[str]):
        self.app, self.service, self.endpoints = app, service, endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        begun, status, name = time.monotonic(), 0, uuid.uuid4().hex
        scope.setdefault("state", {})["sound"] = 0.0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", name.encode())]
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        try:
            try:
                self._admit(HTTPConnection(scope))
            except ApiError as error:
                await error.response()(scope, receive, watched)
            else:
                await self.app(scope, receive, watched)
        except (ClientDisconnect, WebSocketDisconnect):
            status = status or GONE
        except Exception as error:
            # Where, and not what: a message may quote what was said.
            place = traceback.extract_tb(error.__traceback__)[-1]
            log.error("an endpoint failed", extra={"request": name, "why":
                                                   f"{type(error).__name__} at {place.filename}:{place.lineno}"})
            if not status:
                error = ApiError(500, "the server failed on this; its log tells where", "internal_error")
                await error.response()(scope, receive, watched)
        finally:
            seconds = time.monotonic() - begun
            endpoint = scope["path"] if scope["path"] in self.endpoints else "other"
            self.service.metrics.request(endpoint, status or GONE, seconds)
            log.info("request", extra={"request": name, "method": scope.get("method", "WEBSOCKET"), "path": endpoint,
                                       "status": status or GONE, "seconds": round(seconds, 4),
                                       "sound": round(scope["state"]["sound"], 3)})

    def _admit(self, connection: HTTPConnection) -> None:
        """Raise ApiError for who has no key, or comes from another site's page: browsers let these open websockets."""
        origin = connection.headers.get("origin")
        if connection.scope["type"] == "websocket" and origin:
            if urlsplit(origin).netloc != connection.headers.get("host"):
                raise ApiError(403, "pages of other sites may not listen here", "wrong_origin")
        path = connection.url.path
        if not self.service.keys or path in OPEN or connection.scope["type"] == "http" and is_page(path):
            return
        scheme, _, given = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            given = next((each.strip().removeprefix(SUBPROTOCOL)
                          for each in connection.headers.get("sec-websocket-protocol", "").split(",")
                          if each.strip().startswith(SUBPROTOCOL)), "")
        # Each is compared, in a time that tells nothing of how far it is right.
        if not sum(hmac.compare_digest(given.strip().encode(), key.encode()) for key in self.service.keys):
            raise ApiError(401, "no valid API key; send one as `Authorization: Bearer KEY`", "invalid_api_key",
                           headers={"WWW-Authenticate": "Bearer"})


class JsonLines(logging.Formatter):
    """A record as one line of JSON, with what was given as `extra`."""

    PLAIN = frozenset(logging.makeLogRecord({}).__dict__)

    def format(self, record: logging.LogRecord) -> str:
        more = {key: value for key, value in record.__dict__.items()
                if key not in self.PLAIN and not key.startswith("_")}  # as Ray's
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return json.dumps({"time": f"{stamp}.{record.msecs:03.0f}Z", "level": record.levelname.lower(),
                           "message": record.getMessage(), **more})
