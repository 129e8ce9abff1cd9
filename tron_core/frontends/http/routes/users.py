"""Users, for administrators."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from tron_core.auth.audit import FORGOTTEN, Action
from tron_core.auth.principal import Scope
from tron_core.auth.users import User
from tron_core.forgetting import Forgetting
from tron_core.frontends.http import shapes
from tron_core.frontends.http.auth import Admin
from tron_core.frontends.http.auth import User as Caller
from tron_core.frontends.http.bodies import Body, documented, json_body
from tron_core.frontends.http.json import Json
from tron_core.frontends.http.shapes import Page
from tron_core.frontends.http.state import Hub

router = APIRouter(prefix="/users", tags=["administration"])

Username = Annotated[str, Field(min_length=1, max_length=64)]
Requester = Annotated[str, Field(min_length=1, max_length=96)]
ChannelId = Annotated[str, Field(pattern="^[0-9]{1,20}$")]
ScopeName = Literal["user", "admin", "worker"]


class UserShape(TypedDict):
    id: int
    username: str
    email: str | None
    scope: str
    created_at: str
    banned_at: str | None
    ban_reason: str | None
    channels: list[str]


class ForgottenShape(TypedDict):
    requester: str
    jobs: int
    artifacts: int
    failed: dict[str, str]


class UserBody(Body):
    """A new user."""

    username: Username
    password: Annotated[str, Field(min_length=1, max_length=1024)]
    email: Annotated[str, Field(max_length=254)] | None = None
    scope: ScopeName = "user"


class UserChange(Body):
    """What changes; what is left out stays."""

    scope: ScopeName | None = None
    banned: bool | None = None
    ban_reason: Annotated[str, Field(max_length=500)] | None = None
    channels: Annotated[list[ChannelId], Field(max_length=100)] | None = None
    """The ids of the Discord channels to which the user may have replies sent (``notify``): these and no others."""


NewUser = Annotated[UserBody, Depends(json_body(UserBody))]
Change = Annotated[UserChange, Depends(json_body(UserChange))]


@router.get("", summary="List users", responses={200: {"model": Page[UserShape]}})
async def list_users(caller: Admin, hub: Hub) -> Response:
    """Oldest first."""
    return Json(shapes.page([shape(user) for user in await hub.auth.list_users()]))


@router.post(
    "",
    status_code=201,
    summary="Make a user",
    openapi_extra=documented(UserBody),
    responses={201: {"model": UserShape}},
)
async def create(caller: Admin, body: NewUser, hub: Hub) -> Response:
    """409 where the name is taken."""
    user = await hub.auth.create_user(body.username, body.password, email=body.email, scope=Scope(body.scope))
    await hub.auth.audit.record(caller.requester, Action.USER_CREATED, user.username, scope=user.scope.value)
    return Json(shape(user), 201)


@router.patch(
    "/{username}",
    summary="Change a user's scope or channels, ban or unban",
    openapi_extra=documented(UserChange),
    responses={200: {"model": UserShape}},
)
async def change(caller: Admin, username: str, body: Change, hub: Hub) -> Response:
    """A ban ends the user's tokens and open sessions at once."""
    user = await hub.auth.get_user(username)
    if body.scope is not None:
        user = await hub.auth.promote(username, Scope(body.scope))
    if body.banned is True:
        user = await hub.auth.ban(username, body.ban_reason)
    elif body.banned is False:
        user = await hub.auth.unban(username)
    if body.channels is not None:
        user = await hub.auth.grant_channels(username, body.channels)
    changed = body.model_dump(exclude_none=True)
    await hub.auth.audit.record(caller.requester, Action.USER_CHANGED, user.username, **changed)
    return Json(shape(user))


@router.delete("/{username}", status_code=204, summary="Delete a user")
async def delete(caller: Admin, username: str, hub: Hub) -> Response:
    """With every api key and token; their jobs stay."""
    await hub.auth.delete_user(username)
    await hub.auth.audit.record(caller.requester, Action.USER_DELETED, username)
    return Response(status_code=204)


@router.post("/{username}/forget", summary="Erase a person", responses={200: {"model": ForgottenShape}})
async def forget(caller: Caller, username: Requester, hub: Hub) -> Response:
    """Their account, settings, jobs and files, and what plugins keep. Oneself, or for administrators anybody, also of
    another frontend, as in ``discord:1234``. ``failed`` says, by plugin, why it could not erase its part: then call
    again."""
    requester = username if ":" in username else f"api:{username}"
    if requester != caller.requester:
        caller.require(Scope.ADMIN)
    forgetting = Forgetting(hub.auth, hub.database, hub.artifacts, hub.saved_settings, hub.scheduler, hub.plugins)
    forgotten = await forgetting.forget(requester)
    actor = FORGOTTEN if requester == caller.requester else caller.requester
    await hub.auth.audit.record(actor, Action.USER_FORGOTTEN, FORGOTTEN, jobs=forgotten.jobs)
    return Json(asdict(forgotten))


def shape(user: User) -> UserShape:
    return {
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "scope": user.scope.value,
        "created_at": shapes.time(user.created_at),
        "banned_at": shapes.time_or_none(user.banned_at),
        "ban_reason": user.ban_reason,
        "channels": list(user.channels),
    }
