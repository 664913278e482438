"""The service's addresses, and what answers at each."""

from collections.abc import Awaitable, Callable
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from .clips import Classifications, Exports, Transcriptions
from .connections import is_local
from .description import description
from .ear import refuse_socket
from .errors import ApiError
from .gate import Gate
from .hosts import with_known_hosts
from .page import ADDRESS, PageFiles, page
from .realtime import realtime
from .service import Service
from .vosk import vosk


def application(service: Service) -> ASGIApp:
    """All of it, as ASGI."""
    def socket(talk: Callable[[Service, WebSocket], Awaitable[None]]) -> Callable[[WebSocket], Awaitable[None]]:
        async def endpoint(websocket: WebSocket) -> None:
            try:
                await talk(service, websocket)
            except ApiError as error:  # before it was accepted
                await refuse_socket(error, websocket)

        return endpoint

    routes = [
        Route("/", partial(page, service)),
        Mount(ADDRESS, PageFiles()),
        Route("/health", _health),
        Route("/ready", partial(_ready, service)),
        Route("/metrics", partial(_metrics, service)),
        Route("/openapi.json", _description),
        Route("/v1/models", partial(_models, service)),
        Route("/v1/models/{name}", partial(_model, service)),
        Route("/v1/audio/transcriptions", Transcriptions(service), methods=["POST"]),
        Route("/v1/video/classifications", Classifications(service), methods=["POST"]),
        Route("/v1/exports", Exports(service), methods=["POST"]),
        WebSocketRoute("/v1/realtime", socket(realtime)),
        WebSocketRoute("/", socket(vosk)),
    ]
    app = Starlette(routes=routes, exception_handlers={ApiError: _refused, HTTPException: _no_such})
    app.router.redirect_slashes = False
    settings = service.settings
    known = app if service.keys or not is_local(settings.host) else with_known_hosts(
        app, {name.lower() for name in (settings.host, *settings.allow_host)})
    return Gate(known, service, frozenset(route.path for route in routes))


async def _health(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _ready(service: Service, request: Request) -> Response:
    ready = service.pool.ready > 0 and not service.pool.closing
    return JSONResponse({"status": "ready" if ready else "not ready"}, 200 if ready else 503)


async def _metrics(service: Service, request: Request) -> Response:
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _description(request: Request) -> Response:
    return JSONResponse(description())


async def _models(service: Service, request: Request) -> Response:
    return JSONResponse({"object": "list", "data": [_described(name, about)
                                                    for name, about in service.models().items()]})


async def _model(service: Service, request: Request) -> Response:
    name = request.path_params["name"]
    if name not in service.models():
        raise ApiError(404, f"there is no model {name[:100]!r}", "model_not_found", "model")
    return JSONResponse(_described(name, service.models()[name]))


def _described(name: str, about: dict) -> dict:
    return {"id": name, "object": "model", "created": about["created"], "owned_by": "earsight",
            "medium": about["medium"], "task": "transcription" if about["task"] == "ctc" else about["task"]}


async def _refused(request: HTTPConnection, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error.response()


async def _no_such(request: HTTPConnection, error: Exception) -> Response:
    """Unknown addresses and methods."""
    assert isinstance(error, HTTPException)
    message = {404: "there is nothing at this address; /openapi.json lists what there is",
               405: "this address takes another method"}.get(error.status_code, error.detail)
    return ApiError(error.status_code, message, headers=error.headers).response()
