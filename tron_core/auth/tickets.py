"""Upload tickets: what a worker may PUT, signed by the hub, so that no table needs to remember them."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import asdict, dataclass

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import Connection, insert, select

from tron_core.api import DatabaseAccess
from tron_core.auth.errors import TicketExpired
from tron_core.clock import Clock
from tron_core.errors import Forbidden
from tron_core.storage.tables import hub

HUB_KEY = "ticket_secret"
"""Where table ``hub`` keeps the secret; whoever removes the row ends every ticket."""


@dataclass(frozen=True, slots=True)
class UploadGrant:
    """What a ticket allows: one artifact of one attempt, with its size in bytes and its hash, to one credential."""

    job: str
    attempt: int
    name: str
    media_type: str
    size: int
    sha256: str
    role: str
    client_id: str
    expires_at: float


class Tickets:
    """Signs and verifies upload tickets, which travel as ``Authorization: Bearer <ticket>``."""

    def __init__(self, secret: str, clock: Clock) -> None:
        self._clock = clock
        self._serializer = URLSafeSerializer(
            secret, salt="upload", signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )

    @classmethod
    async def load(cls, database: DatabaseAccess, clock: Clock) -> Tickets:
        """With this hub's secret, which is made at the first use."""
        return cls(await database.write(_secret), clock)

    def sign(
        self,
        *,
        job: str,
        attempt: int,
        name: str,
        size: int,
        sha256: str,
        role: str,
        client_id: str,
        expires_s: float,
        media_type: str = "application/octet-stream",
    ) -> str:
        """A ticket that is good for ``expires_s`` seconds."""
        expires_at = self._clock.now() + expires_s
        grant = UploadGrant(job, attempt, name, media_type, size, sha256, role, client_id, expires_at)
        return str(self._serializer.dumps(asdict(grant)))

    def verify(self, ticket: str, *, job: str, name: str) -> UploadGrant:
        """What ``ticket`` allows; raises Forbidden where it is no ticket of this hub or one for another artifact,
        TicketExpired past its time."""
        try:
            grant = UploadGrant(**self._serializer.loads(ticket))
        except (BadSignature, TypeError) as error:
            raise Forbidden("This is no upload ticket of this hub", code="ticket_invalid") from error
        if (grant.job, grant.name) != (job, name):
            raise Forbidden(f"This ticket is not for artifact {name!r} of job {job}", code="ticket_mismatch")
        if self._clock.now() >= grant.expires_at:
            raise TicketExpired("This upload ticket has expired; ask for another with `upload`")
        return grant


def _secret(connection: Connection) -> str:
    stored = connection.scalar(select(hub.c.value).where(hub.c.key == HUB_KEY))
    if stored is not None:
        return str(stored)
    made = secrets.token_urlsafe(32)
    connection.execute(insert(hub).values(key=HUB_KEY, value=made))
    return made
