"""How a stored file is answered: what a browser may show of it, and which part was asked for. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tron_core.frontends.http.ranges import Span, Unsatisfiable, etag_matches, parse_range
from tron_core.job import Artifact

SHOWN = frozenset(
    {
        "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp",
        "audio/mpeg", "audio/wav", "audio/ogg", "audio/flac", "audio/mp4", "audio/aac", "audio/webm",
        "video/mp4", "video/webm", "text/plain",
    }
)  # fmt: skip
"""What browsers show and none of them runs; all else is offered as a download."""

# Should a browser think otherwise of the bytes: they run nothing, ask for nothing, and belong to nobody's origin.
POLICY = "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'"
FOR_EVER = "public, max-age=31536000, immutable"


INTERNAL = "x-tron-internal"
"""The header in which nginx names its internal location of the artifacts, ``/internal/artifacts``."""
_LOCATION = re.compile(r"(/[A-Za-z0-9_-]+)+")


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and headers, and the bytes to send, None for none."""

    status: int
    headers: Mapping[str, str]
    span: Span | None


def answer(artifact: Artifact, asked: Mapping[str, str]) -> Answer:
    """The answer to a GET whose headers are ``asked`` (names in lower case)."""
    etag = f'"{artifact.sha256}"'
    headers = _headers(artifact, etag)
    if etag_matches(asked.get("if-none-match"), etag):
        return Answer(304, headers, None)
    wanted = asked.get("range") if asked.get("if-range", etag) == etag else None
    try:
        span = parse_range(wanted, artifact.size)
    except Unsatisfiable:
        return Answer(416, {**headers, "Content-Range": f"bytes */{artifact.size}"}, None)
    whole = span or Span(0, artifact.size)
    headers["Content-Type"] = _content_type(artifact.media_type)
    headers["Content-Length"] = str(whole.end - whole.start)
    if span is None:
        return Answer(200, headers, whole)
    headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{artifact.size}"
    return Answer(206, headers, span)


def internal_path(artifact: Artifact, location: str | None) -> str | None:
    """Where nginx finds the file in its internal ``location``; None without one, or for what cannot be one.

    Whoever sends the header without an nginx in between gets no bytes, and learns nothing.
    """
    if location is None or not _LOCATION.fullmatch(location):
        return None
    return f"{location}/{artifact.key}/{artifact.filename}"


def by_proxy(given: Answer, path: str) -> dict[str, str]:
    """The headers of an answer whose bytes nginx sends: what it says itself of the part, it is not told."""
    # It adds Accept-Ranges to the whole of a file, and not to a part.
    its_own = {"Content-Length", "Content-Range", *(["Accept-Ranges"] if given.status == 200 else [])}
    return {**{name: value for name, value in given.headers.items() if name not in its_own}, "X-Accel-Redirect": path}


def _headers(artifact: Artifact, etag: str) -> dict[str, str]:
    shown = "inline" if artifact.media_type in SHOWN else "attachment"
    return {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": FOR_EVER,
        # The store gives files names of letters, digits and ._- alone, so that no quoting is needed.
        "Content-Disposition": f'{shown}; filename="{artifact.filename}"',
        "Content-Security-Policy": POLICY,
    }


def _content_type(media_type: str) -> str:
    return f"{media_type}; charset=utf-8" if media_type == "text/plain" else media_type
