"""Plugins, for administrators."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response
from typing_extensions import TypedDict

from tron_core.frontends.http import shapes
from tron_core.frontends.http.auth import Admin
from tron_core.frontends.http.json import Json
from tron_core.frontends.http.shapes import Page
from tron_core.frontends.http.state import Hub

router = APIRouter(prefix="/plugins", tags=["administration"])


class PluginShape(TypedDict):
    name: str
    distribution: str | None
    version: str | None
    state: str
    reason: str | None
    hooks: list[str]
    capabilities: list[str]


@router.get("", summary="List plugins", responses={200: {"model": Page[PluginShape]}})
async def list_plugins(caller: Admin, hub: Hub) -> Response:
    """Each with its state and, unless it is active, the reason."""
    return Json(shapes.page([record.as_json() for record in hub.plugins.records]))
