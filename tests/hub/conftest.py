"""A hub without its insides: a WorkerServer, a LocalBus and a scheduler that does as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tron_core.auth.principal import Principal, Scope
from tron_core.clock import SystemClock
from tron_core.errors import Unauthorized
from tron_core.hub.server import WorkerServer
from tron_core.hub.session import Terms
from tron_core.hub.tron_v1 import TronV1
from tron_core.scheduling.bus import LocalBus
from tron_core.scheduling.messages import (
    SCHEDULER,
    ToScheduler,
    ToSession,
    Turned,
    Welcomed,
    WorkerConnected,
    session_address,
)

T = TypeVar("T")
DEADLINE = 10.0


@dataclass
class Tokens:
    """Access tokens without a database."""

    principals: dict[str, Principal] = field(
        default_factory=lambda: {
            "worker": Principal("client-1", 1, "box", frozenset({Scope.WORKER})),
            "other": Principal("client-2", 2, "other", frozenset({Scope.WORKER})),
            "user": Principal("client-3", 3, "alice", frozenset({Scope.USER})),
        }
    )
    hook: Callable[[], Awaitable[None]] | None = None

    async def authenticate(self, access_token: str | None) -> Principal:
        principal = self.principals.get(access_token or "")
        if self.hook is not None:
            await self.hook()
        if principal is None:
            raise Unauthorized("This access token is not valid", code="token_invalid")
        return principal


class ScriptedScheduler:
    """Remembers what sessions say, in order; answers ``hello`` with ``greeting`` unless that is None."""

    def __init__(self, bus: LocalBus) -> None:
        self._bus = bus
        self._said: asyncio.Queue[ToScheduler] = asyncio.Queue()
        self.greeting: Welcomed | Turned | None = Welcomed()
        self.heard: list[ToScheduler] = []
        bus.listen(SCHEDULER, self._hear)

    def _hear(self, message: ToScheduler) -> None:
        self.heard.append(message)
        self._said.put_nowait(message)
        if isinstance(message, WorkerConnected) and self.greeting is not None:
            self.say(message.session, self.greeting)

    def say(self, session: str, message: ToSession) -> None:
        self._bus.send(session_address(session), message)

    async def next(self, kind: type[T]) -> T:
        """The next message of that kind; others before it are passed over."""
        async with asyncio.timeout(DEADLINE):
            while True:
                message = await self._said.get()
                if isinstance(message, kind):
                    return message


@dataclass
class Worker:
    """The other end: a worker by hand."""

    socket: ClientConnection

    async def say(self, type: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": type, **fields}))

    async def hello(self, **fields: Any) -> None:
        await self.say("hello", **({"worker": "box", "capabilities": {"echo": {}}} | fields))

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE):
            return dict(json.loads(await self.socket.recv()))

    async def closed(self) -> tuple[int | None, str | None]:
        """The close code and reason, once the connection has ended."""
        try:
            async with asyncio.timeout(DEADLINE):
                while True:
                    await self.socket.recv()
        except ConnectionClosed:
            return self.socket.close_code, self.socket.close_reason


@dataclass
class Hub:
    """What a test drives."""

    server: WorkerServer
    bus: LocalBus
    scheduler: ScriptedScheduler
    tokens: Tokens

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.server.port}/"

    @asynccontextmanager
    async def dial(self, token: str | None = "worker", subprotocols: tuple[str, ...] = ("tron.v1",)) -> Any:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        offered = [Subprotocol(name) for name in subprotocols] or None
        async with connect(self.url, additional_headers=headers, subprotocols=offered, compression=None) as socket:
            yield Worker(socket)

    @asynccontextmanager
    async def worker(self, **hello: Any) -> AsyncIterator[tuple[Worker, WorkerConnected]]:
        """A worker that was welcomed."""
        async with self.dial() as worker:
            await worker.hello(**hello)
            connected = await self.scheduler.next(WorkerConnected)
            assert (await worker.hear())["type"] == "welcome"
            yield worker, connected


@pytest.fixture
def terms() -> Terms:
    """Patient, unless a test says otherwise."""
    return Terms()


@pytest.fixture
async def hub(terms: Terms) -> AsyncIterator[Hub]:
    bus, tokens = LocalBus(), Tokens()
    server = WorkerServer()
    await server.start([TronV1(tokens, bus, SystemClock(), terms=terms)])
    yield Hub(server, bus, ScriptedScheduler(bus), tokens)
    await server.stop()
    await bus.stop()
