"""What Hugging Face says of a model, over its HTTP API."""

from __future__ import annotations

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
            async with httpx.AsyncClient(timeout=SECONDS, follow_redirects=True) as client:
                answer = await client.get(url, headers=headers)
        except httpx.HTTPError as error:
            raise NoMetadata(f"Hugging Face cannot be reached ({str(error) or type(error).__name__})") from error
        if answer.status_code in (401, 403, 404):
            raise NoSuchModel(f"Hugging Face has no model {name}, or not for this hub's token")
        if answer.is_error:
            raise NoMetadata(f"Hugging Face answered with HTTP {answer.status_code}")
        return _facts(answer)


def _facts(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        if len(answer.content) > MAX_BYTES:
            raise ValueError("it is too long")
        given = answer.json()
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
