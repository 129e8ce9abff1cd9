"""The OAuth 2 token endpoint."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response
from typing_extensions import TypedDict

from tron_core.auth.errors import InvalidGrant
from tron_core.auth.service import Auth
from tron_core.auth.tokens import TokenPair
from tron_core.errors import TronError, Unauthorized
from tron_core.frontends.http.errors import problem_of
from tron_core.frontends.http.json import Json
from tron_core.frontends.http.limits import address_key
from tron_core.frontends.http.oauth import OAuthError, client_of, field, read_form
from tron_core.frontends.http.state import Hub, State

router = APIRouter(tags=["authentication"])

NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}

_TEXT = {"type": "string"}
_FORM = {
    "type": "object",
    "required": ["grant_type"],
    "properties": {
        "grant_type": {"enum": ["client_credentials", "password", "refresh_token"]},
        "client_id": _TEXT,
        "client_secret": {**_TEXT, "description": "The api key"},
        "username": _TEXT,
        "password": _TEXT,
        "refresh_token": _TEXT,
    },
}
FORM: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": _FORM}}}
}


class TokenShape(TypedDict):
    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str
    scope: str


@router.post("/token", summary="Get an access token", openapi_extra=FORM, responses={200: {"model": TokenShape}})
async def token(request: Request, state: State, hub: Hub) -> Response:
    """``grant_type=client_credentials`` with ``client_id`` and ``client_secret`` (the api key; HTTP Basic does too),
    ``grant_type=password`` with ``username`` and ``password`` (a login, as on the web page), or
    ``grant_type=refresh_token`` with ``refresh_token``, which is spent by it."""
    address = address_key(request.client.host if request.client else "")
    state.logins.take(address)
    try:
        pair = await _grant(request, hub.auth)
    except TronError as error:
        return _refusal(error)
    state.logins.give_back(address)  # the limit is on guessing: a fleet behind one address may sign in at once
    return Json(_shape(pair), headers=NOT_STORED)


async def _grant(request: Request, auth: Auth) -> TokenPair:
    fields = await read_form(request)
    kind = field(fields, "grant_type")
    if kind == "client_credentials":
        client_id, secret = client_of(request, fields)
        try:
            return await auth.grant_client_credentials(client_id, secret)
        except Unauthorized as error:
            raise OAuthError("invalid_client", error.message, status=401) from None
    if kind == "password":
        try:
            return await auth.grant_password(field(fields, "username"), field(fields, "password"))
        except Unauthorized as error:
            raise OAuthError("invalid_grant", error.message) from None
    if kind == "refresh_token":
        try:
            return await auth.grant_refresh(field(fields, "refresh_token"))
        except InvalidGrant as error:
            raise OAuthError("invalid_grant", error.message) from None
    allowed = "client_credentials, password, refresh_token"
    raise OAuthError("unsupported_grant_type", f"grant_type ({kind[:40]}): allowed: {allowed}")


def _refusal(error: TronError) -> Response:
    response = problem_of(error)
    response.headers.update(NOT_STORED)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="tron"'
    return response


def _shape(pair: TokenPair) -> TokenShape:
    return {
        "access_token": pair.access_token,
        "token_type": "Bearer",
        "expires_in": pair.expires_in,
        "refresh_token": pair.refresh_token,
        "scope": " ".join(sorted(pair.scopes)),
    }
