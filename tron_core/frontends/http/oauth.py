"""The form of a token request (RFC 6749): read strictly, its errors in that document's words."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request

from tron_core.errors import TronError
from tron_core.frontends.http.bodies import read_body

MAX_FORM = 16 * 1024


class OAuthError(TronError):
    """A token request that is refused; ``code`` is RFC 6749's ``error``, which stands in the document as well."""

    status = 400

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message, code=code, details={"error": code, "error_description": message})
        self.status = status


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form; raises OAuthError (``invalid_request``) for what is no form or says something twice."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "Content-Type: allowed: application/x-www-form-urlencoded")
    text = await read_body(request, MAX_FORM)
    try:
        pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        raise OAuthError("invalid_request", "The body is no form of at most 20 fields in UTF-8") from None
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise OAuthError("invalid_request", "A field occurs twice")
    return fields


def field(fields: Mapping[str, str], name: str) -> str:
    """A field that must be there; raises OAuthError."""
    value = fields.get(name, "")
    if not value:
        raise OAuthError("invalid_request", f"{name}: this field is required")
    return value


def client_of(request: Request, fields: Mapping[str, str]) -> tuple[str, str]:
    """The client's id and api key, from the form or from HTTP Basic; raises OAuthError."""
    header = request.headers.get("authorization", "")
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return field(fields, "client_id"), field(fields, "client_secret")
    if "client_secret" in fields:
        raise OAuthError("invalid_request", "The client says who it is twice: in the header and in the form")
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise OAuthError("invalid_request", "Authorization: this is not HTTP Basic") from None
    return unquote_plus(name), unquote_plus(secret)
