"""Liveness, readiness, metrics."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response
from typing_extensions import TypedDict

from tron_core.errors import Unavailable
from tron_core.frontends.http.json import Json
from tron_core.frontends.http.state import Hub, State

router = APIRouter(tags=["health"])


class HealthShape(TypedDict):
    status: str


@router.get("/healthz", summary="Whether the process lives", responses={200: {"model": HealthShape}})
async def healthz() -> Response:
    return Json({"status": "ok"})


@router.get("/readyz", summary="Whether requests are taken", responses={200: {"model": HealthShape}})
async def readyz(hub: Hub) -> Response:
    """503 while the hub starts or stops."""
    if not hub.ready():
        raise Unavailable("The hub is starting or stopping", code="not_ready")
    return Json({"status": "ready"})


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(state: State) -> Response:
    return Response(state.metrics.text(), media_type=CONTENT_TYPE_LATEST)
