"""How long a request's head may be: programs of old put what they know of a picture into the URL."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from tron_core.frontends.http.server import MAX_HEAD, HttpServer


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    body = await request.body()
    await PlainTextResponse(f"{len(request.url.query)} {len(body)}")(scope, receive, send)


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    server = HttpServer(app, "127.0.0.1", 0)
    await server.start()
    yield server
    await server.stop()


@pytest.mark.parametrize("length", [10, 40 * 1024, 65_000])
async def test_a_query_of_that_length_arrives(server: HttpServer, length: int) -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(2):  # on one connection
            answer = await client.post(f"{server.url}/?{'q' * length}", content=b"x" * 1_000_000)
            assert answer.text == f"{length} 1000000"


@pytest.mark.parametrize("head", [b"GET /?", b"GET / HTTP/1.1\r\nX-Endless: "])
async def test_a_head_without_end_is_cut_off(server: HttpServer, head: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(head)
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < 100 * MAX_HEAD and not reader.at_eof():
            writer.write(b"q" * 65536)
            sent += 65536
            await writer.drain()
            await asyncio.sleep(0)
    assert sent < 100 * MAX_HEAD
    writer.close()
