"""The worker protocol without a subprotocol, as clients of discord-tron-master speak it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tron_core as tron
from tron_plugin_legacy.fleet import Fleet
from tron_plugin_legacy.link import Link
from tron_plugin_legacy.tarpit import Tarpit
from tron_plugin_legacy.uploads import Uploads

MAX_FRAME = 32 * 1024 * 1024
"""Bytes: a client sends sounds and some pictures in a frame, in base64 and twice."""
PING_INTERVAL = 20.0
PING_TIMEOUT = 300.0
"""Seconds: a client answers no ping while it uploads or fetches a picture."""
WORKER = "worker"


class LegacyProtocol:
    """``grace`` in seconds: how long a client that lost its connection keeps its jobs."""

    subprotocol: str | None = None
    max_size = MAX_FRAME
    ping_interval: float | None = PING_INTERVAL
    ping_timeout: float | None = PING_TIMEOUT

    def __init__(self, fleet: Fleet, uploads: Uploads, tarpit: Tarpit, *, grace: float) -> None:
        self._fleet = fleet
        self._uploads = uploads
        self._tarpit = tarpit
        self._grace = grace

    async def authenticate(self, headers: Mapping[str, str], address: str) -> tron.Grant:
        """An access token of a worker; raises Unauthorized after a pause, as clients come back without one."""
        try:
            grant = await self.verify(headers.get("Authorization"))
        except tron.Unauthorized:
            await self._tarpit.hold(address)
            raise
        self._tarpit.forgive(address)
        return grant

    async def verify(self, authorization: str | None) -> tron.Grant:
        """Who an ``Authorization`` header speaks for; raises Unauthorized."""
        scheme, _, token = (authorization or "").strip().partition(" ")
        if scheme.lower() != "bearer":
            raise tron.Unauthorized("Authentication required: Authorization: Bearer TOKEN", code="token_missing")
        grant = await self._fleet.app.credentials.authenticate(token.strip())
        if WORKER not in grant.scopes:
            raise tron.Unauthorized("Authentication required: this credential is no worker's")
        return grant

    async def serve(self, connection: Any, grant: tron.Grant) -> None:
        """Speak with the client until the connection ends."""
        await Link(connection, grant, self._fleet, self._uploads, self._tarpit, grace=self._grace).run()
