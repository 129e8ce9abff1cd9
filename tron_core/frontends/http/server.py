"""uvicorn inside the hub's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tron_core.config import cannot_listen

STOP_SECONDS = 5
"""What requests under way get when the server stops."""
MAX_HEAD = 192 * 1024
"""Bytes of a request before its body, beyond which the connection is cut: a URL may have 64 KiB (programs of old send
what they know of a picture there), the headers may have as much, and a read that brings the end of the head may bring
the beginning of the body."""


class _HttpProtocol(HttpToolsProtocol):
    """uvicorn's own, whose parser keeps a head of any size in memory."""

    _head = 0
    _in_head = True

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head += len(data)
            if self._head - len(data) > MAX_HEAD:
                self.send_400_response("The request line and the headers are too long.")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._in_head, self._head = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()


class _Server(uvicorn.Server):
    """Signals belong to the hub, which stops its services in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """Serves ``app`` at ``host`` and ``port`` (0: a free one, known as ``port`` after ``start``)."""

    def __init__(self, app: ASGIApp, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> None:
        self._host = host
        self._wanted = port
        self._scheme = "http" if tls is None else "https"
        self._port: int | None = None
        self._task: asyncio.Task[None] | None = None
        config = uvicorn.Config(
            app,
            http=_HttpProtocol,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        config.load()
        config.ssl = tls
        self._server = _Server(config)

    @property
    def port(self) -> int:
        """The port that is bound."""
        if self._port is None:
            raise RuntimeError("the server was not started")
        return self._port

    @property
    def url(self) -> str:
        """The address as it is bound, without a trailing slash."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self._scheme}://{host}:{self.port}"

    async def start(self) -> None:
        """Listen; returns once connections are taken. Raises ConfigError where the address cannot be bound."""
        listener = _bind(self._host, self._wanted)
        self._port = listener.getsockname()[1]
        self._task = asyncio.create_task(self._server.serve([listener]), name="http server")
        while not self._server.started:
            if self._task.done():
                await self._task  # raises what stopped it
                raise RuntimeError("the http server ended while it started")
            await asyncio.sleep(0)

    async def stop(self) -> None:
        """Take no more connections, give those under way STOP_SECONDS, and end."""
        if self._task is None:
            return
        self._server.should_exit = True
        await self._task
        self._task = None


def _bind(host: str, port: int) -> socket.socket:
    """A socket bound to the first address of ``host``."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise cannot_listen("http", host, port, error) from None
    try:
        if os.name == "posix":  # elsewhere the option would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise cannot_listen("http", host, port, error) from None
    return listener
