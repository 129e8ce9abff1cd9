"""The worker protocol ``tron.v1`` on asyncio: a thin shell around ``session.SessionState``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Protocol

from ulid import ULID
from websockets.asyncio.server import broadcast
from websockets.exceptions import ConnectionClosed

from tron_core.api import Grant
from tron_core.auth.principal import Principal, Scope
from tron_core.auth.tokens import bearer_token
from tron_core.clock import Clock
from tron_core.hub.connection import WorkerConnection
from tron_core.hub.protocol import MAX_FRAME, SUBPROTOCOL, Message, encode
from tron_core.hub.session import Peer, SessionState, Terms
from tron_core.scheduling.bus import Bus
from tron_core.scheduling.messages import SCHEDULER, ToScheduler, ToSession, session_address

PING_INTERVAL = 30.0
PING_TIMEOUT = 120.0
"""Heartbeats tell whether a worker lives; pings keep proxies from closing a quiet connection."""
MAX_UNREAD = 4 * 1024 * 1024
"""Bytes written to a worker that it has not read, beyond which it is cut off."""
TURN = 64
"""Frames of one session that are read before others get their turn."""

logger = logging.getLogger(__name__)


class Authenticator(Protocol):
    """The one thing that sessions need of ``Auth``."""

    async def authenticate(self, access_token: str | None) -> Principal:
        """Who holds a token; raises Unauthorized."""


class TronV1:
    """The project's own worker protocol. ``public_url`` replaces the host that a worker dialled in the URLs that it
    is given."""

    subprotocol: str | None = SUBPROTOCOL
    max_size = MAX_FRAME
    ping_interval: float | None = PING_INTERVAL
    ping_timeout: float | None = PING_TIMEOUT

    def __init__(
        self,
        auth: Authenticator,
        bus: Bus,
        clock: Clock,
        *,
        terms: Terms | None = None,
        public_url: str | None = None,
    ) -> None:
        self._auth = auth
        self._bus = bus
        self._clock = clock
        self._terms = terms or Terms()
        self._public_url = public_url

    async def authenticate(self, headers: Mapping[str, str], address: str) -> Grant:
        """An access token of scope ``worker``; raises Unauthorized, Forbidden."""
        principal = await self._auth.authenticate(bearer_token(headers.get("Authorization")))
        principal.require(Scope.WORKER)
        return Grant(principal.client_id, principal.username, frozenset(principal.scopes))

    async def serve(self, connection: WorkerConnection, grant: Grant) -> None:
        """Speak with the worker until the connection ends."""
        base_url = self._public_url or connection.base_url
        peer = Peer(str(ULID()), grant.client_id, base_url.rstrip("/"))
        await Session(connection, peer, self._terms, self._bus, self._clock).run()


class Session:
    """One connection: frames and Bus messages go into the state, whose words go out."""

    def __init__(self, connection: WorkerConnection, peer: Peer, terms: Terms, bus: Bus, clock: Clock) -> None:
        self._connection = connection
        self._bus = bus
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._goodbye: asyncio.Task[None] | None = None
        self._state = SessionState(peer, terms, self, clock.monotonic())

    async def run(self) -> None:
        """Serve until the connection ends, whoever ends it."""
        unlisten = self._bus.listen(session_address(self._state.peer.session), self._hear)
        self._check()
        try:
            await self._read()
        finally:
            unlisten()
            if self._timer is not None:
                self._timer.cancel()
            self._state.ended(self._reason())
            if self._goodbye is not None:
                await self._goodbye

    async def _read(self) -> None:
        receive, recv, monotonic = self._state.receive, self._connection.recv, self._clock.monotonic
        try:
            while True:
                for _ in range(TURN):
                    receive(await recv(), monotonic())
                await asyncio.sleep(0)  # frames that wait already are read without a pause
        except ConnectionClosed:
            return

    def _hear(self, message: ToSession) -> None:
        self._state.answer(message, self._clock.monotonic())

    def _check(self) -> None:
        again = self._state.check(self._clock.monotonic())
        self._timer = None if again is None else self._loop.call_later(again, self._check)

    def _reason(self) -> str:
        code, reason = self._connection.close_code, self._connection.close_reason
        return f"connection closed ({code}{': ' + reason if reason else ''})"

    # The Outlet of the state

    def send(self, message: Message) -> None:
        """To the worker, at once: what it has not read yet waits in the transport's buffer, up to ``MAX_UNREAD``."""
        transport = self._connection.transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_UNREAD:
            logger.warning("worker %s does not read what it is sent: it is cut off", self._state.worker)
            transport.abort()
            return
        broadcast((self._connection,), encode(message))

    def tell(self, message: ToScheduler) -> None:
        """To the scheduler."""
        self._bus.send(SCHEDULER, message)

    def close(self, code: int, reason: str) -> None:
        """Say goodbye, in a task of its own, as this may be called from the Bus or a timer."""
        if self._goodbye is None:
            self._goodbye = self._loop.create_task(self._connection.hang_up(code, reason))
