"""What Hugging Face says of a model, over its HTTP API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

SECONDS = 8.0
"""The longest wait for an answer."""
MAX_BYTES = 2_000_000
"""Of an answer; the lists of files of some repositories are long."""
MAX_TAGS = 20


class NoMetadata(Exception):
    """There is nothing to be had of a model; the sentence says why."""


class NoSuchModel(NoMetadata):
    """Hugging Face has no model of that name, or not for this token."""


@dataclass(frozen=True, slots=True)
class HuggingFace:
    """``token`` is for models that are not everybody's."""

    url: str
    token: str | None = None

    async def facts(self, name: str) -> Mapping[str, Any]:
        """``revision``, ``pipeline``, ``library``, ``license``, ``gated``, ``tags`` and ``downloads`` of OWNER/NAME, as
        far as they are known; raises NoMetadata."""
        url = f"{self.url.rstrip('/')}/api/models/{quote(name)}"
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            # httpx drops the token where a redirect leads to another host.
            async with (
                httpx.AsyncClient(timeout=SECONDS, follow_redirects=True) as client,
                client.stream("GET", url, headers=headers) as answer,
            ):
                status, body = answer.status_code, await _read(answer)
        except httpx.HTTPError as error:
            raise NoMetadata(f"Hugging Face cannot be reached ({str(error) or type(error).__name__})") from error
        if status in (401, 403, 404):
            raise NoSuchModel(f"Hugging Face has no model {name}, or not for this hub's token")
        if status >= 400:
            raise NoMetadata(f"Hugging Face answered with HTTP {status}")
        return _facts(body)


async def _read(answer: httpx.Response) -> bytes:
    body = b""
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > MAX_BYTES:
            raise NoMetadata("Hugging Face's answer is too long")
    return body


def _facts(body: bytes) -> Mapping[str, Any]:
    try:
        given = json.loads(body)
        if not isinstance(given, dict):
            raise ValueError("it is no JSON object")
    except ValueError as error:
        raise NoMetadata(f"Hugging Face's answer cannot be read: {error}") from None
    tags = [tag for tag in given.get("tags") or () if isinstance(tag, str)]
    found = {
        "revision": given.get("sha"),
        "pipeline": given.get("pipeline_tag"),
        "library": given.get("library_name"),
        "license": next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), None),
        "gated": given.get("gated") or None,
        "downloads": given.get("downloads"),
        "tags": [tag for tag in tags if ":" not in tag][:MAX_TAGS] or None,
    }
    return {key: value for key, value in found.items() if isinstance(value, str | int | list) and value is not None}
