"""The audit log, for administrators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response
from typing_extensions import TypedDict

from tron_core.auth.audit import Entry
from tron_core.frontends.http import shapes
from tron_core.frontends.http.auth import Admin
from tron_core.frontends.http.json import Json
from tron_core.frontends.http.shapes import Page
from tron_core.frontends.http.state import Hub

router = APIRouter(prefix="/audit", tags=["administration"])


class EntryShape(TypedDict):
    """``actor`` did ``action`` to ``target``; ``detail`` says what changed, and holds no secret."""

    id: int
    at: str
    actor: str
    action: str
    target: str
    detail: dict[str, Any]


@router.get("", summary="What administrators did", responses={200: {"model": Page[EntryShape]}})
async def list_entries(
    caller: Admin,
    hub: Hub,
    actor: Annotated[str | None, Query(max_length=96)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """Newest first; those of one ``actor`` (``api:alice``) where that is given."""
    found = await hub.auth.audit.entries(limit=limit + 1, before=cursor, actor=actor)
    following = str(found[limit - 1].id) if len(found) > limit else None
    return Json(shapes.page([shape(entry) for entry in found[:limit]], following))


def shape(entry: Entry) -> EntryShape:
    return {
        "id": entry.id,
        "at": shapes.time(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "target": entry.target,
        "detail": dict(entry.detail),
    }
