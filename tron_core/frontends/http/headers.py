"""What a caller says in headers: Idempotency-Key, and ``Prefer: wait=N`` (RFC 7240)."""

from __future__ import annotations

import re

from starlette.requests import Request

from tron_core.frontends.http.errors import invalid_request

MAX_KEY = 128
MAX_WAIT = 60
"""The longest wait, in seconds: longer ones meet the time-outs of proxies."""

_WAIT = re.compile(r"\s*wait\s*=\s*\"?(\d{1,6})\"?\s*", re.IGNORECASE | re.ASCII)


def idempotency_key(request: Request) -> str | None:
    """The request's key, None without one; raises InvalidRequest."""
    key = request.headers.get("idempotency-key")
    if key is None or (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        return key
    allowed = f"1 to {MAX_KEY} printable ASCII characters"
    raise invalid_request(
        [{"field": "Idempotency-Key", "value": key[:MAX_KEY], "message": "this is not a key", "allowed": allowed}]
    )


def wait_seconds(request: Request) -> int | None:
    """How long the caller would wait for the end, at most MAX_WAIT; None where it does not say so in a form that we
    know (a preference that is not understood is ignored)."""
    for header in request.headers.getlist("prefer"):
        for preference in header.split(","):
            match = _WAIT.fullmatch(preference.partition(";")[0])
            if match:
                return min(int(match[1]), MAX_WAIT)
    return None
