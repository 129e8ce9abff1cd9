"""The web page: three files of the package, which ask for nothing from anywhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tron_core.config import Settings
from tron_core.frontends.http.ranges import etag_matches

FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/static/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/static/style.css": ("style.css", "text/css; charset=utf-8"),
}


def page_routes(settings: Settings) -> list[Route]:
    """Routes for the page and what it needs."""
    policy = _policy(settings)
    return [_route(path, name, media_type, policy) for path, (name, media_type) in FILES.items()]


def _policy(settings: Settings) -> str:
    """A Content-Security-Policy: own scripts and styles alone; pictures also from where artifacts are served."""
    elsewhere = [urlsplit(url) for url in (settings.artifacts.public_url, settings.http.public_url) if url]
    origins = " ".join(["'self'", *(f"{url.scheme}://{url.netloc}" for url in elsewhere)])
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            f"img-src {origins} data:",
            f"media-src {origins}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


def _route(path: str, name: str, media_type: str, policy: str) -> Route:
    content = files("tron_core.frontends.http").joinpath("static", name).read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers: Mapping[str, str] = {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
        "ETag": etag,
    }

    async def answer(request: Request) -> Response:
        if etag_matches(request.headers.get("if-none-match"), etag):
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=media_type)

    return Route(path, answer, methods=["GET"], name=name)
