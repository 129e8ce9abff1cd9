"""Plugins, for administrators."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from starlette.responses import Response
from typing_extensions import TypedDict

from tron_core.auth.audit import Action
from tron_core.frontends.http import shapes
from tron_core.frontends.http.auth import Admin
from tron_core.frontends.http.bodies import Body, documented, json_body
from tron_core.frontends.http.json import Json
from tron_core.frontends.http.shapes import Page
from tron_core.frontends.http.state import Hub
from tron_core.plugins import PluginState
from tron_core.plugins.switching import set_disabled

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


class PluginStateBody(Body):
    """What the plugin is to be from the next start on."""

    state: Literal["active", "disabled"]


class PluginStateShape(TypedDict):
    """``restart_required``: whether the hub must be started again for it to hold."""

    name: str
    state: str
    restart_required: bool


NewState = Annotated[PluginStateBody, Depends(json_body(PluginStateBody))]


@router.put(
    "/{name}/state",
    summary="Enable or disable a plugin",
    openapi_extra=documented(PluginStateBody),
    responses={200: {"model": PluginStateShape}},
)
async def set_state(caller: Admin, name: str, body: NewState, hub: Hub) -> Response:
    """Written into the configuration file; it holds from the next start of the hub on. ``active`` ends a quarantine at
    once."""
    wanted = body.state == "disabled"
    await asyncio.to_thread(set_disabled, hub.config_file, name, wanted)
    await hub.auth.audit.record(caller.requester, Action.PLUGIN_CHANGED, name, state=body.state)
    now = {record.name: record.state for record in hub.plugins.records}.get(name)
    if now is PluginState.QUARANTINED and not wanted:
        hub.plugins.reinstate(name)
    shape: PluginStateShape = {
        "name": name,
        "state": body.state,
        "restart_required": (now is PluginState.DISABLED) is not wanted,
    }
    return Json(shape)
