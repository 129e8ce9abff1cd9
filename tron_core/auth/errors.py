"""What the auth side refuses beyond the errors that everybody shares."""

from __future__ import annotations

from tron_core.errors import TronError


class InvalidGrant(TronError):
    """A refresh token that is unknown, expired, revoked or was used before (RFC 6749, section 5.2)."""

    code = "invalid_grant"
    status = 400


class TicketExpired(TronError):
    """An upload ticket past its time."""

    code = "ticket_expired"
    status = 410
