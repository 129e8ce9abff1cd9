"""One WebSocket connection of a worker: websockets' own, told to wait at the gate and to take its protocol's limits."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.protocol import Event, State

from tron_core.api import Grant, WorkerProtocol
from tron_core.hub.gate import Gate

HANG_UP_SECONDS = 2.0
"""How long the other end may take to say goodbye."""

logger = logging.getLogger(__name__)


class WorkerConnection(ServerConnection):
    """``grant`` and ``worker_protocol`` are set between authentication and upgrade."""

    grant: Grant | None = None
    worker_protocol: WorkerProtocol | None = None

    def __init__(self, gate: Gate, opening: set[WorkerConnection], *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._gate = gate
        self._opening = opening
        self._handshake: asyncio.Task[Any] | None = None
        self._counted = False
        self._deaf = False

    @property
    def address(self) -> str:
        """The address of the other end, without the port."""
        peer = self.remote_address
        return str(peer[0]) if isinstance(peer, tuple) else ""

    @property
    def base_url(self) -> str:
        """The host that the worker dialled, as ``http(s)://host`` without a port: where it can reach the hub."""
        scheme = "http" if self.transport.get_extra_info("sslcontext") is None else "https"
        header = "" if self.request is None else next(iter(self.request.headers.get_all("Host")), "")
        host = dialled_host(header) or _bracketed(str(self.local_address[0]))
        return f"{scheme}://{host}"

    def adopt(self, protocol: WorkerProtocol, grant: Grant) -> None:
        """Speak ``protocol``: its limits hold from the first frame."""
        self.worker_protocol, self.grant = protocol, grant
        self.protocol.max_message_size = protocol.max_size
        self.ping_interval, self.ping_timeout = protocol.ping_interval, protocol.ping_timeout

    async def hang_up(self, code: int, reason: str) -> None:
        """Close from our side: nothing that still comes is heard, and who does not say goodbye in time, or does not
        even read, is cut off."""
        self._deaf = True
        if self.state is not State.OPEN:
            self.transport.abort()
            return
        try:
            async with asyncio.timeout(HANG_UP_SECONDS):
                await self.close(code, _shortened(reason))
        except TimeoutError:
            self.transport.abort()

    def give_up(self) -> None:
        """Cut off a connection that is before its upgrade."""
        self.transport.abort()
        if self._handshake is not None:
            self._handshake.cancel()

    # What follows refines websockets.asyncio.server.ServerConnection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._opening.add(self)
        self._counted = self._gate.enter(self.address)
        if not self._counted:
            logger.debug("no room before the upgrade for another socket of %s", self.address)
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._leave_gate()

    async def handshake(self, *args: Any, **options: Any) -> None:
        self._handshake = asyncio.current_task()
        try:
            await super().handshake(*args, **options)
        finally:
            self._handshake = None
            self._leave_gate()

    def process_event(self, event: Event) -> None:
        if not self._deaf:
            super().process_event(event)

    def _leave_gate(self) -> None:
        self._opening.discard(self)
        if self._counted:
            self._counted = False
            self._gate.leave(self.address)


def dialled_host(header: str) -> str | None:
    """The host of a Host header without its port (an IPv6 address keeps its brackets); None where there is none."""
    if header.startswith("["):
        address, closed, rest = header[1:].partition("]")
        return f"[{address}]" if closed and rest[:1] in ("", ":") and _is_host(address, ":") else None
    host = header.partition(":")[0]
    return host if _is_host(host, "") else None


def _is_host(host: str, more: str) -> bool:
    return 0 < len(host) <= 253 and host.isascii() and all(c.isalnum() or c in "-._" + more for c in host)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _shortened(reason: str) -> str:
    """What fits a close frame: 123 bytes."""
    return reason.encode()[:123].decode(errors="ignore")
