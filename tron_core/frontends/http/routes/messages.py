"""Messages to Discord, on an administrator's behalf."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from tron_core.auth.audit import Action
from tron_core.errors import Unavailable
from tron_core.frontends.http.auth import Admin
from tron_core.frontends.http.bodies import Body, documented, json_body
from tron_core.frontends.http.json import Json
from tron_core.frontends.http.state import Hub

router = APIRouter(prefix="/messages", tags=["messages"])

ArtifactId = Annotated[str, Field(pattern="^[0-9A-Za-z]{1,26}$")]


class MessageShape(TypedDict):
    channel_id: str
    message_id: str


class MessageBody(Body):
    """What to post, and where."""

    channel_id: Annotated[str, Field(pattern="^[0-9]{1,20}$")]
    """The id of a Discord channel."""
    content: Annotated[str, Field(max_length=2000)] = ""
    artifacts: Annotated[list[ArtifactId], Field(max_length=10, default_factory=list)]
    """Ids of artifacts to attach."""


NewMessage = Annotated[MessageBody, Depends(json_body(MessageBody))]


@router.post(
    "",
    status_code=201,
    summary="Post to a Discord channel",
    openapi_extra=documented(MessageBody),
    responses={201: {"model": MessageShape}},
)
async def post(caller: Admin, body: NewMessage, hub: Hub) -> Response:
    """503 while the hub is not connected to Discord, or has no bot token."""
    if hub.post_message is None:
        raise Unavailable("This hub has no Discord: set discord.token.")
    posted = await hub.post_message(body.channel_id, body.content, body.artifacts)
    await hub.auth.audit.record(caller.requester, Action.MESSAGE_POSTED, body.channel_id)
    return Json(posted, 201)
