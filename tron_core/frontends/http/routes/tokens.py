"""Credentials and tokens, for administrators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from tron_core.auth.audit import Action
from tron_core.auth.ledger import TokenView
from tron_core.errors import Refused
from tron_core.frontends.http import shapes
from tron_core.frontends.http.auth import Admin
from tron_core.frontends.http.bodies import Body, documented, json_body
from tron_core.frontends.http.json import Json
from tron_core.frontends.http.shapes import Page
from tron_core.frontends.http.state import Hub
from tron_core.plugins import Plugins, PluginState

router = APIRouter(prefix="/tokens", tags=["administration"])

Username = Annotated[str, Field(min_length=1, max_length=64)]
Whose = Annotated[str | None, Query(max_length=64)]


class TokenViewShape(TypedDict):
    """A token without its secrets."""

    id: int
    client_id: str
    username: str
    scopes: list[str]
    issued_at: str
    access_expires_at: str
    refresh_expires_at: str
    refreshed_at: str | None
    revoked_at: str | None


class NewTokensShape(TypedDict):
    """The two blocks of ``auth.json``; their secrets are shown here and never again."""

    api_key: dict[str, Any]
    token: dict[str, Any]


class TokensBody(Body):
    """Whose credential it will be; ``plugin`` names the one whose doors alone take it."""

    username: Username
    plugin: Annotated[str, Field(min_length=1, max_length=64)] | None = None


@router.get("", summary="List tokens", responses={200: {"model": Page[TokenViewShape]}})
async def list_tokens(caller: Admin, hub: Hub, username: Whose = None) -> Response:
    """Newest first: everybody's, or those of one user."""
    return Json(shapes.page([shape(view) for view in await hub.auth.list_tokens(username)]))


@router.post(
    "",
    status_code=201,
    summary="Make an api key with a first pair of tokens",
    openapi_extra=documented(TokensBody),
    responses={201: {"model": NewTokensShape}},
)
async def create(caller: Admin, body: Annotated[TokensBody, Depends(json_body(TokensBody))], hub: Hub) -> Response:
    """Earlier ones of that user stay valid."""
    if body.plugin is not None:
        _check_plugin(body.plugin, hub.plugins)
    api_key, token = await hub.auth.create_client_tokens(body.username, plugin=body.plugin)
    made = {"client_id": api_key["client_id"]}
    await hub.auth.audit.record(caller.requester, Action.CREDENTIAL_CREATED, body.username, **made)
    return Json({"api_key": api_key, "token": token}, 201, {"Cache-Control": "no-store"})


@router.delete("/{token}", status_code=204, summary="Revoke a token or an api key")
async def revoke(caller: Admin, token: str, hub: Hub) -> Response:
    """A number is a token's ``id``: it ends with what it was refreshed from and to. Anything else is a ``client_id``:
    the api key and all its tokens end. Open sessions end too."""
    if token.isascii() and token.isdigit() and len(token) < 19:
        await hub.auth.revoke_token(int(token))
        await hub.auth.audit.record(caller.requester, Action.TOKEN_REVOKED, token)
    else:
        await hub.auth.revoke_credential(token)
        await hub.auth.audit.record(caller.requester, Action.CREDENTIAL_REVOKED, token)
    return Response(status_code=204)


def _check_plugin(name: str, plugins: Plugins) -> None:
    active = [record.name for record in plugins.records if record.state is PluginState.ACTIVE]
    if name not in active:
        raise Refused(f"plugin: no plugin {name!r} is active here; there are: {', '.join(active) or 'none'}")


def shape(view: TokenView) -> TokenViewShape:
    return {
        "id": view.id,
        "client_id": view.client_id,
        "username": view.username,
        "scopes": sorted(view.scopes),
        "issued_at": shapes.time(view.issued_at),
        "access_expires_at": shapes.time(view.access_expires_at),
        "refresh_expires_at": shapes.time(view.refresh_expires_at),
        "refreshed_at": shapes.time_or_none(view.refreshed_at),
        "revoked_at": shapes.time_or_none(view.revoked_at),
    }
