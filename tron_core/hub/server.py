"""The WebSocket server: one port, several worker protocols, nobody in without a credential."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Sequence
from ssl import SSLContext
from typing import cast

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHeader
from websockets.headers import parse_subprotocol
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from tron_core.api import Grant, WorkerProtocol
from tron_core.errors import TronError
from tron_core.hub.connection import WorkerConnection
from tron_core.hub.gate import MAX_WAITING, MAX_WAITING_PER_ADDRESS, Gate
from tron_core.hub.protocol import CLOSE_REVOKED
from tron_core.hub.refusal import NotSpoken, refusal

OPEN_TIMEOUT = 45.0
"""Seconds until the upgrade: long enough for a protocol that refuses slowly, for clients that come back at once."""
CLOSE_RESTART = 1012
"""Service restart (RFC 6455's registry): come back."""
STOP_SECONDS = 10.0

logger = logging.getLogger(__name__)
wire = logging.getLogger("tron_core.hub.wire")
wire.setLevel(logging.WARNING)  # websockets says a line for each connection that opens and closes


class WorkerServer:
    """Accepts workers on ``host`` and ``port`` (0: a free one) and hands each connection to the protocol that its
    subprotocol names. ``ssl`` None means plain text. The two limits are on sockets that wait before the upgrade:
    behind a proxy, where all come from one address, ``waiting_per_address`` is to be raised to ``waiting``."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        ssl: SSLContext | None = None,
        waiting: int = MAX_WAITING,
        waiting_per_address: int = MAX_WAITING_PER_ADDRESS,
    ) -> None:
        self.host = host
        self._port = port
        self._ssl = ssl
        self._gate = Gate(limit=waiting, per_address=waiting_per_address)
        self._protocols: dict[str | None, WorkerProtocol] = {}
        self._connections: dict[str, set[WorkerConnection]] = {}
        self._opening: set[WorkerConnection] = set()
        self._goodbyes: set[asyncio.Task[None]] = set()
        self._revocations = 0
        self._server: Server | None = None

    @property
    def port(self) -> int:
        """The port that is bound; before ``start`` the one that was asked for."""
        return self._port

    async def start(self, protocols: Sequence[WorkerProtocol]) -> None:
        """Bind and serve ``protocols``; of two with one subprotocol the first is served. Raises OSError."""
        for protocol in protocols:
            if protocol.subprotocol in self._protocols:
                logger.error("two worker protocols for subprotocol %r: the later is left out", protocol.subprotocol)
                continue
            self._protocols[protocol.subprotocol] = protocol
        connect = functools.partial(WorkerConnection, self._gate, self._opening)
        self._server = await serve(
            self._serve,
            self.host,
            self._port,
            create_connection=cast(type[ServerConnection], connect),
            process_request=self._admit,
            select_subprotocol=_selected,
            compression=None,
            server_header=None,
            open_timeout=OPEN_TIMEOUT,
            max_size=min((protocol.max_size for protocol in self._protocols.values()), default=0),
            ssl=self._ssl,
            logger=wire,
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self, code: int = CLOSE_RESTART, reason: str = "The hub stops; come back soon") -> None:
        """Take no more connections, close every session, free the port. Draining is done before."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close(close_connections=False)
        for connection in [c for connections in self._connections.values() for c in connections]:
            self._hang_up(connection, code, reason)
        for connection in tuple(self._opening):
            connection.give_up()
        while self._goodbyes:
            await asyncio.wait(self._goodbyes)
        await _end(server)

    def revoke(self, client_id: str) -> None:
        """Close the sessions of a credential, now; whoever is between authentication and upgrade is asked again."""
        self._revocations += 1
        for connection in tuple(self._connections.get(client_id, ())):
            self._hang_up(connection, CLOSE_REVOKED, "This credential is no longer valid")

    async def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Choose the protocol and authenticate; None lets the upgrade go on."""
        assert isinstance(connection, WorkerConnection)
        if "Upgrade" not in request.headers:
            return None  # no WebSocket client: websockets says so, with 426
        try:
            protocol = self._choose(request.headers)
            grant = await self._authenticate(protocol, request.headers, connection.address)
        except TronError as error:
            return refusal(error)
        connection.adopt(protocol, grant)
        self._connections.setdefault(grant.client_id, set()).add(connection)
        connection.connection_lost_waiter.add_done_callback(lambda _: self._forget(connection, grant.client_id))
        return None

    def _choose(self, headers: Headers) -> WorkerProtocol:
        """The protocol of the first subprotocol offered that is known, or the one without a name where none is
        offered; raises NotSpoken."""
        try:
            offered = [name for value in headers.get_all("Sec-WebSocket-Protocol") for name in parse_subprotocol(value)]
        except InvalidHeader as error:
            raise NotSpoken(f"Sec-WebSocket-Protocol: {error}") from error
        candidates: Sequence[str | None] = offered or (None,)
        for name in candidates:
            if name in self._protocols:
                return self._protocols[name]
        spoken = sorted(name for name in self._protocols if name is not None)
        named = ", ".join(spoken) or "none with a name"
        came = ", ".join(offered) or "none"
        raise NotSpoken(
            f"Sec-WebSocket-Protocol: {came[:200]}; this hub speaks: {named}", details={"protocols": spoken}
        )

    async def _authenticate(self, protocol: WorkerProtocol, headers: Headers, address: str) -> Grant:
        first_values = Headers([(name, headers.get_all(name)[0]) for name in headers])
        while True:
            before = self._revocations
            grant = await protocol.authenticate(first_values, address)
            if before == self._revocations:  # else it may have been this one, while its row was being read
                return grant

    async def _serve(self, connection: ServerConnection) -> None:
        assert isinstance(connection, WorkerConnection)
        protocol, grant = connection.worker_protocol, connection.grant
        if protocol is None or grant is None:
            raise RuntimeError("a connection was opened without a grant")
        await protocol.serve(connection, grant)

    def _hang_up(self, connection: WorkerConnection, code: int, reason: str) -> None:
        task = asyncio.get_running_loop().create_task(connection.hang_up(code, reason))
        self._goodbyes.add(task)
        task.add_done_callback(self._goodbyes.discard)

    def _forget(self, connection: WorkerConnection, client_id: str) -> None:
        connections = self._connections.get(client_id, set())
        connections.discard(connection)
        if not connections:
            self._connections.pop(client_id, None)


def _selected(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    assert isinstance(connection, WorkerConnection)
    protocol = connection.worker_protocol
    return None if protocol is None or protocol.subprotocol is None else Subprotocol(protocol.subprotocol)


async def _end(server: Server) -> None:
    """Wait until the server has let go of every connection."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await server.wait_closed()
    except TimeoutError:
        logger.error("a worker protocol has not ended its session %d s after the connection was closed", STOP_SECONDS)
