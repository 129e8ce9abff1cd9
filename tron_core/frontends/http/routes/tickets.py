"""What workers upload, each file with a ticket of its own."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from tron_core.auth.tickets import UploadGrant
from tron_core.errors import TronError, Unauthorized
from tron_core.frontends.http.auth import Credentials
from tron_core.frontends.http.json import Json
from tron_core.frontends.http.routes.jobs import Shapes
from tron_core.frontends.http.shapes import ArtifactShape
from tron_core.frontends.http.state import Hub
from tron_core.job import Role
from tron_core.services import Services

router = APIRouter(prefix="/jobs/{job}/artifacts", tags=["workers"])

BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {}}}}}


class AttemptOver(TronError):
    """The attempt that the ticket was for does not hold its lease any more."""

    code = "attempt_over"
    status = 410


@router.put(
    "/{name:path}",
    status_code=201,
    summary="Upload an artifact of a result",
    openapi_extra=BODY,
    responses={201: {"model": ArtifactShape}, 200: {"model": ArtifactShape, "description": "It was there already"}},
)
async def put(job: str, name: str, request: Request, credentials: Credentials, hub: Hub, shapes: Shapes) -> Response:
    """With the ticket as bearer token. 400: another size or digest than announced; 403: not this ticket's; 409: other
    bytes are stored under that name; 410: the ticket has expired or the attempt is over."""
    if credentials is None:
        raise Unauthorized("This needs an upload ticket: Authorization: Bearer TICKET")
    grant = hub.tickets.verify(credentials.credentials, job=job, name=name)
    if not await hub.scheduler.attempt_is_current(job, grant.attempt):
        raise AttemptOver(f"Attempt {grant.attempt} of job {job} is over; its artifacts are not wanted any more")
    repeated = await _is_stored(hub, grant)
    artifact = await hub.artifacts.put(
        name,
        request.stream(),
        role=Role(grant.role),
        job=job,
        attempt=grant.attempt,
        expected_size=grant.size,
        expected_sha256=grant.sha256,
    )
    if artifact.role is Role.PREVIEW:
        hub.scheduler.preview_arrived(job, grant.attempt, artifact.id)
    return Json(shapes.artifact(artifact), 200 if repeated else 201)


async def _is_stored(hub: Services, grant: UploadGrant) -> bool:
    stored = await hub.artifacts.for_job(grant.job)
    return any((artifact.attempt, artifact.name) == (grant.attempt, grant.name) for artifact in stored)
