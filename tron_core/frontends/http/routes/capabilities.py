"""What can be asked for."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from tron_core.frontends.http import shapes
from tron_core.frontends.http.auth import User
from tron_core.frontends.http.json import Json
from tron_core.frontends.http.shapes import CapabilityShape, Page
from tron_core.frontends.http.state import Hub

router = APIRouter(prefix="/capabilities", tags=["jobs"])


@router.get("", summary="List capabilities", responses={200: {"model": Page[CapabilityShape]}})
async def list_capabilities(caller: User, hub: Hub) -> Response:
    """Each with the JSON Schema of its params, what its fields may be, and whether a worker is there now."""
    found = [
        shapes.capability(capability, hub.plugins.plugin_of(name), hub.scheduler)
        for name, capability in sorted(hub.plugins.capabilities.items())
    ]
    return Json(shapes.page(found))
