"""The REST side of the old protocol: tickets and uploads, at the root.

Its clients take status 200 alone for success, look for the words "Authentication required" in a refusal, and keep
whatever they are sent as their ticket, so each answer is a whole one.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

import tron_core as tron
from tron_plugin_legacy.fleet import Fleet
from tron_plugin_legacy.png import with_texts
from tron_plugin_legacy.protocol import LegacyProtocol
from tron_plugin_legacy.runs import Run
from tron_plugin_legacy.tarpit import Tarpit
from tron_plugin_legacy.uploads import JobOver, NoSuchJob, Uploads, WrongKind, url_of

MAX_BODY = 64 * 1024
"""Bytes of a request for a ticket."""
MAX_DISCARDED = 256 * 1024 * 1024
"""Bytes that are read of a file that is not kept."""
CHUNK = 256 * 1024
NOT_STORED = {"Cache-Control": "no-store"}
METADATA = frozenset({"seed", "sampler", "guidance_scaling", "model_hash", "last_modified"})
"""What is kept of what a client says of a picture; the rest it was told by the hub."""
MAX_VALUE = 200
WRITTEN = ("parameters", "prompt", "sampler", "seed")
"""What of it is written into the picture, for whoever draws it again; who asked is not."""

logger = logging.getLogger(__name__)

Give = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


class Rest:
    """The five routes."""

    def __init__(self, fleet: Fleet, uploads: Uploads, protocol: LegacyProtocol, tarpit: Tarpit) -> None:
        self._fleet = fleet
        self._uploads = uploads
        self._protocol = protocol
        self._tarpit = tarpit

    def router(self) -> APIRouter:
        """The routes, for the root; they are documented on the plugin's own page."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/authorize", self.authorize, methods=["POST"])
        router.add_api_route("/refresh_token", self.refresh, methods=["POST"])
        for path, handler in (
            ("/upload_image", self.upload_image),
            ("/upload_audio", self.upload_audio),
            ("/upload_video", self.upload_video),
        ):
            router.add_api_route(path, handler, methods=["POST"])
        return router

    # Tickets

    async def authorize(self, request: Request) -> Response:
        """A ticket for an api key, nested."""

        async def give(body: Mapping[str, Any]) -> Mapping[str, Any]:
            block = await self._fleet.app.credentials.by_api_key(_text(body, "client_id"), _text(body, "api_key"))
            return {"access_token": _ticket(block)}

        return await self._answer(request, give, status=401)

    async def refresh(self, request: Request) -> Response:
        """A ticket for a refresh token, flat."""

        async def give(body: Mapping[str, Any]) -> Mapping[str, Any]:
            return _ticket(await self._fleet.app.credentials.by_refresh_token(_text(body, "refresh_token")))

        return await self._answer(request, give, status=400)

    async def _answer(self, request: Request, give: Give, *, status: int) -> Response:
        """What ``give`` gives; a refusal takes its time, as clients ask again at once."""
        address = request.client.host if request.client else ""
        try:
            ticket = await give(await _body(request))
        except _Wrong as error:
            await self._tarpit.hold(address)
            return _error(400, str(error))
        except tron.Unauthorized as error:
            await self._tarpit.hold(address)
            return _error(status, error.message)
        self._tarpit.forgive(address)
        return JSONResponse(ticket, headers=NOT_STORED)

    # Uploads

    async def upload_image(self, request: Request) -> Response:
        """A picture of the job that the worker is at."""
        return await self._upload(request, "image", "image.png", "image_url", ("image/",))

    async def upload_audio(self, request: Request) -> Response:
        """A sound of it."""
        return await self._upload(request, "audio_buffer", "speech.wav", "audio_url", ("audio/",))

    async def upload_video(self, request: Request) -> Response:
        """A film of it, or a picture that moves."""
        return await self._upload(request, "file", "video.mp4", "video_url", ("video/", "image/"))

    async def _upload(self, request: Request, part: str, name: str, key: str, kinds: tuple[str, ...]) -> Response:
        try:
            grant = await self._protocol.verify(request.headers.get("Authorization"))
        except tron.Unauthorized as error:
            return _error(401, f"Authentication required. {error.message}")
        metadata = {each: value[:MAX_VALUE] for each, value in request.query_params.items() if each in METADATA}
        try:
            run = self._only_run(grant)
            if run is None:
                return await self._discard(request, key, name)
            async with request.form(max_files=1, max_fields=16) as form:
                file = form.get(part)
                if not isinstance(file, UploadFile):
                    return _error(400, f"The form needs a file {part!r}")
                texts = {each: request.query_params[each] for each in WRITTEN if each in request.query_params}
                data = with_texts(_chunks(file), texts)
                upload = await self._uploads.put(run, name, data, kinds=kinds, metadata=metadata)
        except JobOver:
            return JSONResponse({key: _nowhere(request, name)})
        except NoSuchJob as error:
            return _error(409, f"This file belongs to no job: {error}")
        except WrongKind as error:
            return _error(415, f"{part}: {error}")
        except HTTPException as error:
            return _error(error.status_code, error.detail)
        except tron.TronError as error:
            return _error(error.status, error.message)
        return JSONResponse({key: url_of(str(request.base_url), upload.artifact)})

    async def _discard(self, request: Request, key: str, name: str) -> Response:
        """Take a file of a job that nobody waits for any more, and keep nothing. A client that is refused one tries for
        hours, 15 times, each after twice the time, and does nothing else meanwhile."""
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_DISCARDED:
                return _error(413, f"The file is over {MAX_DISCARDED} bytes")
        logger.info("a file (%d bytes) of a job that is over is not kept", size)
        return JSONResponse({key: _nowhere(request, name)})

    def _only_run(self, grant: tron.Grant) -> Run | None:
        """The one job that the credential's workers are at; None where they are at none that anybody waits for. Raises
        NoSuchJob where they are at none at all, or at several."""
        runs = self._fleet.running(grant.client_id)
        if len(runs) == 1:
            return runs[0]
        if not runs:
            if self._fleet.is_busy(grant.client_id):
                return None
            raise NoSuchJob("none of your workers is at one")
        raise NoSuchJob(f"your workers are at {len(runs)}; give each worker a credential of its own")


class _Wrong(Exception):
    """A request for a ticket that cannot be read."""


async def _body(request: Request) -> Mapping[str, Any]:
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > MAX_BODY:
            raise _Wrong(f"The body is over {MAX_BODY} bytes")
    try:
        body = json.loads(read)
    except (ValueError, RecursionError):
        raise _Wrong("The body must be JSON") from None
    if not isinstance(body, dict):
        raise _Wrong("The body must be a JSON object")
    return body


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value:
        raise _Wrong(f"{key} must be a text")
    return value


def _nowhere(request: Request, name: str) -> str:
    """An address that has the form of a file's and leads to none."""
    return f"{request.base_url}artifacts/discarded/{name}"


def _ticket(block: Mapping[str, Any]) -> dict[str, Any]:
    """A token block as the clients know it: the scopes are of no use to them."""
    return {**block, "scopes": None}


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status)


async def _chunks(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(CHUNK):
        yield chunk
