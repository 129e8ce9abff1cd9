import asyncio
from collections.abc import AsyncIterator

from tron_core.frontends.http import events
from tron_core.job import JobEvent


def event(kind: str, **data: object) -> JobEvent:
    return JobEvent(kind, "J1", "echo", "api:alice", data)


async def told(*items: JobEvent, then: asyncio.Event | None = None) -> AsyncIterator[JobEvent]:
    for item in items:
        yield item
    if then is not None:
        await then.wait()


async def job_json() -> bytes:
    return b'{"id":"J1"}'


async def test_events_are_named_and_end_with_the_job_itself() -> None:
    source = told(
        event("state", state="running"), event("partial", seq=0, text="a\nb"), event("result", state="succeeded")
    )
    response = events.response(source, job_json, asyncio.Event())
    text = b"".join([chunk async for chunk in response.body_iterator]).decode()
    assert text == (
        'event: state\ndata: {"state":"running"}\n\n'
        'event: partial\ndata: {"seq":0,"text":"a\\nb"}\n\n'
        'event: result\ndata: {"id":"J1"}\n\n'
    )


async def test_silence_is_filled_with_comments() -> None:
    never = asyncio.Event()
    stopping = asyncio.Event()
    body = aiter(events.response(told(then=never), job_json, stopping, heartbeat=0.001).body_iterator)
    assert await anext(body) == events.HEARTBEAT
    assert await anext(body) == events.HEARTBEAT
    stopping.set()
    assert [chunk async for chunk in body if chunk != events.HEARTBEAT] == []


async def test_a_reader_that_leaves_ends_the_watch() -> None:
    closed = asyncio.Event()

    async def source() -> AsyncIterator[JobEvent]:
        try:
            yield event("state", state="queued")
            await asyncio.Event().wait()
        finally:
            closed.set()

    body = events.response(source(), job_json, asyncio.Event()).body_iterator
    await anext(aiter(body))
    await body.aclose()  # type: ignore[attr-defined]
    assert closed.is_set()
