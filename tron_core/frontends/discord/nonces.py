"""Nonces: what makes a message that is sent twice show once. Pure."""

from __future__ import annotations

import base64

from ulid import ULID


def nonce_of(id: str, page: int = 0) -> str:
    """The nonce of a message that shows page ``page`` of a job or delivery (a ULID); at most 25 characters, as Discord
    asks for."""
    return f"{base64.urlsafe_b64encode(ULID.from_str(id).bytes).decode().rstrip('=')}{page or ''}"
