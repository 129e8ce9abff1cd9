"""The absolute URLs that answers hold."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request

from tron_core.config import Settings
from tron_core.job import Artifact


def base_of(settings: Settings, request: Request) -> str:
    """What absolute URLs of this hub begin with, as the caller reaches it; no trailing slash."""
    return (settings.http.public_url or str(request.base_url)).rstrip("/")


def artifacts_of(settings: Settings, request: Request) -> str:
    """What artifacts' URLs begin with: a web server of the operator's own, or this hub."""
    return (settings.artifacts.public_url or f"{base_of(settings, request)}/artifacts").rstrip("/")


def artifact_url(base: str, artifact: Artifact) -> str:
    """The URL of ``artifact`` below ``base``."""
    return f"{base}/{artifact.key}/{quote(artifact.filename)}"
