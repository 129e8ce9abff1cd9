"""How a connection is turned away before the upgrade: an HTTP answer with a problem document (RFC 9457)."""

from __future__ import annotations

import json
from http import HTTPStatus

from websockets.datastructures import Headers
from websockets.http11 import Response

from tron_core.errors import TooMany, TronError, Unauthorized


class NotSpoken(TronError):
    """A connection that offers no subprotocol that the hub speaks."""

    code = "subprotocol"
    status = 400


def refusal(error: TronError) -> Response:
    """The answer that says ``error``."""
    status = HTTPStatus(error.status)
    problem = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "code": error.code,
        "detail": error.message,
    }
    body = json.dumps(problem | dict(error.details)).encode()
    headers = Headers(
        [
            ("Content-Type", "application/problem+json"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ]
    )
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = 'Bearer realm="tron"'
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    return Response(status.value, status.phrase, headers, body)
