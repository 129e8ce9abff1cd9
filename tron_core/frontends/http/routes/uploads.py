"""Files that jobs take in."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from starlette.responses import Response

from tron_core.frontends.http.auth import User
from tron_core.frontends.http.filenames import name_of
from tron_core.frontends.http.json import Json
from tron_core.frontends.http.multipart import FileStream
from tron_core.frontends.http.pictures import bounded
from tron_core.frontends.http.routes.jobs import Shapes
from tron_core.frontends.http.shapes import ArtifactShape
from tron_core.frontends.http.state import Hub
from tron_core.job import Role

router = APIRouter(prefix="/uploads", tags=["jobs"])

_BINARY = {"type": "string", "format": "binary"}
_FORM = {"type": "object", "properties": {"file": _BINARY}, "required": ["file"]}
BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {}}, "multipart/form-data": {"schema": _FORM}},
    }
}


@router.post(
    "", status_code=201, summary="Upload a file", openapi_extra=BODY, responses={201: {"model": ArtifactShape}}
)
async def upload(caller: User, request: Request, hub: Hub, shapes: Shapes) -> Response:
    """The body is the file itself, its name in ``X-Filename`` (percent-encoded) or ``Content-Disposition``; or a form
    with one file. What kind of file it is is found out from its bytes. Its ``id`` is what a job's field takes."""
    name, data = await _file_of(request)
    picture = bounded(data, hub.settings.limits.picture_pixels)
    artifact = await hub.artifacts.put(name, picture, owner=caller.requester, role=Role.INPUT)
    return Json(shapes.artifact(artifact), 201, {"Location": shapes.artifact(artifact)["url"]})


async def _file_of(request: Request) -> tuple[str, AsyncIterator[bytes]]:
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "multipart/form-data":
        return name_of(request.headers), request.stream()
    stream = FileStream(kind, request.stream())
    return await stream.open(), stream.chunks()
