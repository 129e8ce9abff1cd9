"""Workers, for operators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tron_core.auth.audit import Action
from tron_core.frontends.http import shapes
from tron_core.frontends.http.auth import Admin
from tron_core.frontends.http.bodies import Body, documented, json_body
from tron_core.frontends.http.json import Json
from tron_core.frontends.http.shapes import Page, WorkerShape
from tron_core.frontends.http.state import Hub

router = APIRouter(prefix="/workers", tags=["administration"])


class DrainBody(Body):
    """``draining`` false gives the worker jobs again."""

    draining: bool = True


Drain = Annotated[DrainBody, Depends(json_body(DrainBody, required=False))]


@router.get("", summary="List workers", responses={200: {"model": Page[WorkerShape]}})
async def list_workers(caller: Admin, hub: Hub) -> Response:
    """Those that are connected, and those whose jobs wait for them to come back."""
    return Json(shapes.page([shapes.worker(view) for view in hub.scheduler.workers()]))


@router.post(
    "/{name}/drain",
    summary="Give a worker no more jobs",
    openapi_extra=documented(DrainBody, required=False),
    responses={200: {"model": WorkerShape}},
)
async def drain(caller: Admin, name: str, body: Drain, hub: Hub) -> Response:
    """The jobs that it runs go on. ``{"draining": false}`` undoes it."""
    view = await hub.scheduler.drain_worker(name, draining=body.draining)
    await hub.auth.audit.record(caller.requester, Action.WORKER_CHANGED, name, draining=body.draining)
    return Json(shapes.worker(view))
