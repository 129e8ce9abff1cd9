"""What Discord's answers say about the buckets of channels, handed to those who send there."""

from __future__ import annotations

import re
from typing import Any

import aiohttp

from tron_core.frontends.discord.editor import Editor

REPEATED = frozenset({500, 502, 504, 524})
"""What discord.py repeats by itself, up to five times within 25 seconds."""
_PATH = re.compile(r"/channels/(\d+)/messages(?:/\d+)?$")


def observe(trace: aiohttp.TraceConfig, *, posts: Editor[Any], edits: Editor[Any]) -> None:
    """Let ``trace``, with which discord.py makes its calls, tell the two editors about their buckets."""

    async def ended(session: Any, context: Any, params: aiohttp.TraceRequestEndParams) -> None:
        editor = {"POST": posts, "PATCH": edits}.get(params.method)
        found = _PATH.search(params.url.path)
        if editor is None or found is None:
            return
        if params.response.status in REPEATED and editor is edits:
            edits.failing(int(found[1]))
        headers = params.response.headers
        if "X-RateLimit-Remaining" not in headers:
            return
        editor.limited(
            int(found[1]),
            int(headers.get("X-RateLimit-Limit", 1)),
            int(headers["X-RateLimit-Remaining"]),
            float(headers.get("X-RateLimit-Reset-After", 0)),
        )

    trace.on_request_end.append(ended)
