"""Stored files, public to whoever has the unguessable address."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from tron_core.errors import NotFound
from tron_core.frontends.http import serving
from tron_core.frontends.http.errors import problem
from tron_core.frontends.http.state import Hub

router = APIRouter(prefix="/artifacts", tags=["artifacts"])

_FILE: dict[str, Any] = {"content": {"*/*": {"schema": {}}}}


@router.get(
    "/{key}/{filename}",
    summary="Get a file",
    response_class=Response,
    responses={200: _FILE, 206: {"description": "A part of it", **_FILE}, 304: {"description": "It did not change"}},
)
@router.head("/{key}/{filename}", include_in_schema=False)
async def get(key: str, filename: str, request: Request, hub: Hub) -> Response:
    """``Range`` and ``If-None-Match`` are understood. What a browser might run is sent as a download.

    An nginx in front says in ``X-Tron-Internal`` where it has the folder of the artifacts: then only the headers are
    ours, and the bytes are sent by nginx.
    """
    artifact = await hub.artifacts.by_key(key)
    if artifact.filename != filename:
        raise NotFound("there is no such artifact")
    answer = serving.answer(artifact, request.headers)
    if answer.status == 416:
        detail = f"Range ({request.headers['range'][:80]}): the file has {artifact.size} bytes"
        return problem(416, "range_not_satisfiable", detail, headers=answer.headers)
    if answer.span is None or request.method == "HEAD":
        return Response(status_code=answer.status, headers=answer.headers)
    internal = serving.internal_path(artifact, request.headers.get(serving.INTERNAL))
    if internal is not None and hub.settings.artifacts.url.startswith("file:"):
        return Response(headers=serving.by_proxy(answer, internal))
    chunks = hub.artifacts.read(artifact, start=answer.span.start, end=answer.span.end)
    return StreamingResponse(chunks, answer.status, answer.headers)
