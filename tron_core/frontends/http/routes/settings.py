"""What people saved as their own defaults."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from tron_core.auth.audit import Action
from tron_core.auth.principal import Principal
from tron_core.errors import Forbidden, NotFound
from tron_core.frontends import setting_keys
from tron_core.frontends.http import shapes
from tron_core.frontends.http.auth import User
from tron_core.frontends.http.bodies import Body, documented, json_body
from tron_core.frontends.http.json import Json
from tron_core.frontends.http.shapes import Page
from tron_core.frontends.http.state import Hub
from tron_core.services import Services
from tron_core.storage.saved_settings import SavedSetting

router = APIRouter(prefix="/settings", tags=["settings"])

OWNER = "^[a-z][a-z0-9_-]*:.+$"
Key = Annotated[str, Field(min_length=1, max_length=96)]
Owner = Annotated[str, Field(pattern=OWNER, max_length=96)]
AskedOwner = Annotated[str | None, Query(alias="owner", pattern=OWNER, max_length=96)]
AskedKey = Annotated[str | None, Query(alias="key", min_length=1, max_length=96)]


class SettingShape(TypedDict):
    owner: str
    key: str
    value: Any
    plugin: str
    updated_at: str


class SettingBody(Body):
    """One value to save; ``owner`` other than oneself is for administrators."""

    key: Key
    value: Any
    owner: Owner | None = None


NewSetting = Annotated[SettingBody, Depends(json_body(SettingBody))]


def _owner(given: str | None, caller: Principal) -> str:
    """Whose settings are meant: ``guild:ID``, ``channel:ID`` and other people's are an administrator's business."""
    if given in (None, caller.requester):
        return caller.requester
    if not caller.is_admin:
        raise Forbidden(f"owner ({given}): only an administrator may; allowed: {caller.requester}")
    return str(given)


@router.get("", summary="List saved settings", responses={200: {"model": Page[SettingShape]}})
async def list_settings(caller: User, hub: Hub, asked: AskedOwner = None) -> Response:
    """One's own, or those of ``owner``: ``guild:ID``, ``channel:ID`` or a requester."""
    found = await hub.saved_settings.list(_owner(asked, caller))
    return Json(shapes.page([_shape(setting) for setting in found]))


@router.put(
    "", summary="Save a setting", openapi_extra=documented(SettingBody), responses={200: {"model": SettingShape}}
)
async def save(caller: User, body: NewSetting, hub: Hub) -> Response:
    """``key`` is capability (or group) and field: ``echo.times``. Jobs that do not say otherwise have this value."""
    owner = _owner(body.owner, caller)
    meant = setting_keys.find(hub.plugins, body.key)
    for each in meant:
        each.check(body.value)
    await hub.saved_settings.set(owner, meant[0].plugin, body.key, body.value)
    await _record(hub, caller, owner, key=body.key, value=body.value)
    saved = next(each for each in await hub.saved_settings.list(owner) if each.key == body.key)
    return Json(_shape(saved))


@router.delete("", status_code=204, summary="Forget saved settings")
async def forget(caller: User, hub: Hub, key: AskedKey = None, asked: AskedOwner = None) -> Response:
    """The one named ``key``, or all; 404 where that one was not saved."""
    owner = _owner(asked, caller)
    count = await hub.saved_settings.reset(owner, key=key)
    if key is not None and not count:
        raise NotFound(f"key ({key}): nothing is saved under it")
    await _record(hub, caller, owner, key=key, value=None)
    return Response(status_code=204)


async def _record(hub: Services, caller: Principal, owner: str, **changed: Any) -> None:
    """What one saves for oneself is nobody else's business."""
    if owner != caller.requester:
        await hub.auth.audit.record(caller.requester, Action.SETTING_CHANGED, owner, **changed)


def _shape(setting: SavedSetting) -> SettingShape:
    return {
        "owner": setting.owner,
        "key": setting.key,
        "value": setting.value,
        "plugin": setting.plugin,
        "updated_at": shapes.time(setting.updated_at),
    }
