"""The one layer around every request: pure ASGI, because each of Starlette's BaseHTTPMiddleware costs a task."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tron_core.errors import TooLarge
from tron_core.frontends.http.errors import problem_of, unexpected

logger = logging.getLogger(__name__)

Observer = Callable[[str, str, int, float], None]

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Boundary:
    """Bounds every body, keeps what is raised inside from reaching people, adds ``nosniff`` and times the answer."""

    def __init__(self, app: ASGIApp, *, max_body: int, observe: Observer) -> None:
        self._app = app
        self._max_body = max_body
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(receive, send, self._max_body)
        started = time.perf_counter()
        try:
            await self._answer(scope, exchange)
        finally:
            seconds = time.perf_counter() - started
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._observe(method, _route(scope), exchange.status, seconds)

    async def _answer(self, scope: Scope, exchange: _Exchange) -> None:
        try:
            if _content_length(scope) > self._max_body:
                raise _too_large(self._max_body)
            await self._app(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            exchange.status = exchange.status or 499
        except TooLarge as error:
            await exchange.answer(scope, problem_of(error))
        except Exception as error:
            if exchange.complete:
                return  # Starlette raises again what it has answered already
            if exchange.status:
                logger.exception("an answer broke off: %s %s", scope["method"], scope["path"])
                raise  # it has begun: cutting the connection is all that can still be said
            await exchange.answer(scope, unexpected(error))


class _Exchange:
    """One request and its answer; ``status`` is 0 until the answer began, ``complete`` says that it was all sent."""

    def __init__(self, receive: Receive, send: Send, max_body: int) -> None:
        self.status = 0
        self.complete = False
        self._receive = receive
        self._send = send
        self._left = max_body
        self._max_body = max_body

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                # An HTTPException, because FastAPI turns all others into a 400 while it reads a body itself.
                raise HTTPException(413) from _too_large(self._max_body)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (b"x-content-type-options", b"nosniff")]
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.complete = True

    async def answer(self, scope: Scope, response: ASGIApp) -> None:
        await response(scope, self.receive, self.send)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is over {limit} bytes, the most that this hub takes (limits.upload_bytes)")


def _content_length(scope: Scope) -> int:
    value = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    return int(value) if value.isdigit() and len(value) < 20 else 0


def _route(scope: Scope) -> str:
    """The template of the path that was matched; one word for everything else.

    Made from the path and its parameters, as a route in a router that was included knows only its own end of it.
    """
    if "route" not in scope:
        return "unmatched"
    path, end = scope["path"], ""
    for name, value in reversed(scope.get("path_params", {}).items()):
        path, _, rest = path.rpartition(str(value))
        end = f"{{{name}}}{rest}{end}"
    return f"{path}{end}"
