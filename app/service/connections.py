"""Sockets: who opens one and sends no request, or sends it a letter at a time, does not hold it for long.

uvicorn, as of 0.54, waits for ever for the first request of a connection, and for the end of its headers.
"""

import asyncio
import socket
from contextlib import suppress
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from ...common.errors import EarsightError


def timed_protocol(idle: float, most: int) -> type[H11Protocol]:
    """uvicorn's protocol of HTTP/1.1, with limits.

    Args:
        idle: seconds in which the headers of a request have to be there, and a client has to take what waits for it.
        most: connections; beyond them that which has waited longest for a request is closed.
    """
    waiting: dict[H11Protocol, asyncio.TimerHandle] = {}

    class TimedProtocol(H11Protocol):
        unread: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > most:
                (next(iter(waiting), self)).transport.abort()
            if not transport.is_closing():
                self._begin_to_wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:  # a part of the next one's headers
                self._begin_to_wait()

        def handle_events(self) -> None:
            super().handle_events()
            if self.conn.their_state is not h11.IDLE:
                self._end_to_wait()

        def pause_writing(self) -> None:
            super().pause_writing()
            self.unread = self.loop.call_later(idle, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self.unread is not None:
                self.unread.cancel()

        def timeout_keep_alive_handler(self) -> None:
            super().timeout_keep_alive_handler()  # closes once all is written, which may be never
            self.loop.call_later(idle, self.transport.abort)

        def connection_lost(self, exc: Exception | None) -> None:
            self._end_to_wait()
            if self.unread is not None:
                self.unread.cancel()
            super().connection_lost(exc)

        def handle_websocket_upgrade(self, event: h11.Request) -> None:
            self._end_to_wait()
            super().handle_websocket_upgrade(event)

        def _begin_to_wait(self) -> None:
            if self not in waiting:
                waiting[self] = self.loop.call_later(idle, self.transport.abort)

        def _end_to_wait(self) -> None:
            if (timer := waiting.pop(self, None)) is not None:
                timer.cancel()

    return TimedProtocol


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        EarsightError: the port is taken, or the address is none of this machine's.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=1024)
    except (OSError, OverflowError, UnicodeError) as error:  # UnicodeError: a host of letters that no name has
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise EarsightError(f"{host}:{port}: cannot be listened at ({reason}); choose another --port or --host"
                            ) from error


def is_local(host: str) -> bool:
    """Whether only this machine reaches an address."""
    with suppress(OSError, UnicodeError):
        return all(found[4][0] == "::1" or str(found[4][0]).startswith("127.")
                   for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    return False
