"""Which pages may ask a service of this machine where nobody needs a key: its own.

A page of any site can have its own name point at 127.0.0.1 (DNS rebinding); to the browser that it runs in, this
service is then part of that site. What it cannot do is to have the browser name another host. It may also post a form
across sites; it cannot read the answer, but each costs this machine work, and browsers say where it comes from.
"""

from collections.abc import Collection
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from .errors import ApiError


def with_known_hosts(app: ASGIApp, names: Collection[str]) -> ASGIApp:
    """The same for requests to an address, localhost or one of these names, by no other site's page; others get 403."""
    async def known(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            try:
                _demand_known(HTTPConnection(scope), names)
            except ApiError as error:
                return await error.response()(scope, receive, send)
        await app(scope, receive, send)

    return known


def _demand_known(connection: HTTPConnection, names: Collection[str]) -> None:
    if not _is_known(connection.headers.get("host"), names):
        raise ApiError(403, "this service goes by another name; its --allow-host, or --keys, lets names in",
                       "wrong_host")
    # https://www.w3.org/TR/fetch-metadata
    if connection.scope.get("method") == "POST" and connection.headers.get("sec-fetch-site") == "cross-site":
        raise ApiError(403, "pages of other sites may not ask here", "wrong_origin")


def _is_known(host: str | None, names: Collection[str]) -> bool:
    if host is None:  # no browser's
        return True
    with suppress(ValueError):
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        if name in names or name == "localhost" or name.endswith(".localhost"):
            return True
        return bool(ip_address(name))
    return False
