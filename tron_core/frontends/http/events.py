"""A job's events as a stream of server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.responses import StreamingResponse

from tron_core.frontends.http.json import dump
from tron_core.job import JobEvent

HEARTBEAT_SECONDS = 15.0
HEARTBEAT = b": still here\n\n"

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def server_sent(name: str, data: bytes) -> bytes:
    """One event; ``data`` is JSON and so has no line breaks."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


def response(
    events: AsyncIterator[JobEvent],
    result: Callable[[], Awaitable[bytes]],
    stopping: asyncio.Event,
    *,
    heartbeat: float = HEARTBEAT_SECONDS,
) -> StreamingResponse:
    """Stream ``events`` until the one of kind ``result``, whose data is what ``result()`` returns, or until
    ``stopping`` is set (the caller then connects again). A comment is sent after ``heartbeat`` seconds of silence."""
    body = _stream(events, result, stopping, heartbeat)
    return StreamingResponse(body, media_type="text/event-stream", headers=HEADERS)


async def _stream(
    events: AsyncIterator[JobEvent],
    result: Callable[[], Awaitable[bytes]],
    stopping: asyncio.Event,
    heartbeat: float,
) -> AsyncIterator[bytes]:
    stop = asyncio.ensure_future(stopping.wait())
    coming = asyncio.ensure_future(_next(events))
    try:
        while True:
            await asyncio.wait((coming, stop), timeout=heartbeat, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                if stop.done():
                    return
                yield HEARTBEAT
                continue
            event = coming.result()
            if event is None:
                return
            if event.kind == "result":
                yield server_sent("result", await result())
                return
            coming = asyncio.ensure_future(_next(events))
            yield server_sent(event.kind, dump(event.data))
    finally:
        await _end(stop, coming)
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()


async def _next(events: AsyncIterator[JobEvent]) -> JobEvent | None:
    return await anext(events, None)


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
