"""Secrets, their lifetimes and the rules of refreshing: pure, no I/O.

An api key, an access token and a refresh token are each 256 random bits. They need no slow hash: what is stored is
their SHA-256, and a stolen database gives none of them away.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from tron_core.auth.principal import Scope
from tron_core.errors import Unauthorized

ACCESS_SECONDS = 3600
REFRESH_SECONDS = 30 * 24 * 3600
REPEAT_SECONDS = 10.0
"""For so long after its first use a refresh token may be used again: by a client that lost the answer."""

SECRET_BYTES = 32
API_KEY_PREFIX = "trk_"
ACCESS_PREFIX = "tra_"
REFRESH_PREFIX = "trr_"
"""Prefixes tell people, log filters and secret scanners what they are looking at."""


def new_secret(prefix: str) -> str:
    """A new secret: 256 random bits after ``prefix``, in characters that fit a header and a URL."""
    return prefix + secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> bytes:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def bearer_token(header: str | None) -> str:
    """The token of an ``Authorization`` header; raises Unauthorized where it is missing or of another scheme."""
    scheme, _, token = (header or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("This needs the header 'Authorization: Bearer <access token>'", code="token_missing")
    return token.strip()


def iso(moment: float) -> str:
    """Seconds since the epoch as ISO 8601 with the offset (a time without one is read as local time)."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")


def join_scopes(scopes: frozenset[Scope]) -> str:
    """Scopes as they are stored: sorted, with spaces between."""
    return " ".join(sorted(scopes))


def split_scopes(stored: str) -> frozenset[Scope]:
    """The opposite of ``join_scopes``."""
    return frozenset(Scope(scope) for scope in stored.split())


@dataclass(frozen=True, slots=True)
class TokenPair:
    """An access token with its refresh token, as handed out once. ``expires_in`` is the access token's, in seconds."""

    id: int
    access_token: str
    refresh_token: str
    client_id: str
    user_id: int
    scopes: frozenset[Scope]
    issued_at: float
    expires_in: int = ACCESS_SECONDS

    def block(self) -> dict[str, Any]:
        """The token block of ``auth.json``."""
        return {
            "id": self.id,
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            "expires_in": self.expires_in,
            "client_id": self.client_id,
            "user_id": self.user_id,
            "scopes": sorted(self.scopes),
            "issued_at": iso(self.issued_at),
        }


@dataclass(frozen=True, slots=True)
class Refreshing:
    """What the rules need to know of a refresh token that somebody presents. ``successor_used``: one of the pairs
    that were issued for it has itself been refreshed, so its holder has the answer."""

    expires_at: float
    refreshed_at: float | None
    revoked_at: float | None
    successor_used: bool


class Verdict(StrEnum):
    """What happens to a refresh token that is presented."""

    ROTATE = "rotate"
    REPEAT = "repeat"
    REUSED = "reused"
    REVOKED = "revoked"
    EXPIRED = "expired"

    @property
    def grants(self) -> bool:
        """Whether the answer is a new pair."""
        return self in (Verdict.ROTATE, Verdict.REPEAT)


def judge(token: Refreshing, now: float) -> Verdict:
    """Decide about a refresh token.

    The first use rotates: a new pair, and the token is spent. A spent token means that two hold it, the client and a
    thief, and nobody can tell which is which: the whole family ends. Except that an answer can be lost on the way: a
    repeat within ``REPEAT_SECONDS`` of the first use is answered with another pair, unless a pair that was issued
    for it has been refreshed already, for then no answer was lost.
    """
    if token.revoked_at is not None:
        return Verdict.REVOKED
    if now >= token.expires_at:
        return Verdict.EXPIRED
    if token.refreshed_at is None:
        return Verdict.ROTATE
    if now - token.refreshed_at <= REPEAT_SECONDS and not token.successor_used:
        return Verdict.REPEAT
    return Verdict.REUSED
