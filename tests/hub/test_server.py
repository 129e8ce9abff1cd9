"""The server with real sockets; ``test_tron_v1.py`` has the sessions."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from tron_core.api import Grant
from tron_core.errors import Forbidden, TooMany, Unauthorized
from tron_core.hub.server import WorkerServer


class Echo:
    """A worker protocol that says everything again."""

    ping_interval: float | None = None
    ping_timeout: float | None = None

    def __init__(self, subprotocol: str | None, *, max_size: int = 1000) -> None:
        self.subprotocol = subprotocol
        self.max_size = max_size
        self.asked: list[str] = []
        self.reached, self.patience = asyncio.Event(), asyncio.Event()
        self.patience.set()

    async def authenticate(self, headers: Mapping[str, str], address: str) -> Grant:
        self.asked.append(address)
        self.reached.set()
        await self.patience.wait()
        token = headers.get("authorization", "")
        if token == "slow":
            raise TooMany("Not so fast", retry_after=7)
        if token == "wrong":
            raise Forbidden("Not with this")
        if not token:
            raise Unauthorized("Who is there?")
        return Grant(token, "somebody")

    async def serve(self, connection: Any, grant: Grant) -> None:
        try:
            async for message in connection:
                await connection.send(f"{self.subprotocol}: {message}")
        except ConnectionClosed:
            return


@asynccontextmanager
async def serving(*protocols: Echo, **options: Any) -> AsyncIterator[WorkerServer]:
    server = WorkerServer(**options)
    await server.start(protocols)
    try:
        yield server
    finally:
        await server.stop()


def dial(server: WorkerServer, *subprotocols: str, token: str = "client-1", **options: Any) -> connect:
    return connect(
        f"ws://127.0.0.1:{server.port}/",
        subprotocols=[Subprotocol(name) for name in subprotocols] or None,
        additional_headers={"Authorization": token} if token else {},
        **options,
    )


async def refused(server: WorkerServer, *subprotocols: str, token: str = "client-1") -> tuple[Any, Mapping[str, Any]]:
    """The answer to a dial that is turned away, and its problem document."""
    with pytest.raises(InvalidStatus) as caught:
        async with dial(server, *subprotocols, token=token):
            pass
    return caught.value.response, json.loads(caught.value.response.body or b"{}")


# Which protocol


async def test_the_subprotocol_chooses_the_protocol() -> None:
    async with serving(Echo("a.v1"), Echo("b.v1"), Echo(None)) as server:
        for offered, spoken in ((("b.v1",), "b.v1"), (("x", "a.v1", "b.v1"), "a.v1"), ((), None)):
            async with dial(server, *offered) as worker:
                assert worker.subprotocol == spoken
                await worker.send("hi")
                assert await worker.recv() == f"{spoken}: hi"


async def test_who_offers_nothing_that_is_spoken_is_told_what_is() -> None:
    async with serving(Echo("a.v1"), Echo("b.v1")) as server:
        for offered in ((), ("c.v1", "d.v1")):
            response, problem = await refused(server, *offered)
            assert response.status_code == 400
            assert problem["protocols"] == ["a.v1", "b.v1"]
            assert problem["code"] == "subprotocol"


async def test_an_unknown_subprotocol_does_not_mean_the_nameless_one() -> None:
    async with serving(Echo(None)) as server:
        response, problem = await refused(server, "c.v1")
        assert (response.status_code, problem["protocols"]) == (400, [])


async def test_of_two_with_one_subprotocol_the_first_is_served(caplog: pytest.LogCaptureFixture) -> None:
    first, second = Echo("a.v1"), Echo("a.v1")
    async with serving(first, second) as server, dial(server, "a.v1"):
        assert (len(first.asked), len(second.asked)) == (1, 0)
    assert "two worker protocols for subprotocol 'a.v1'" in caplog.text


async def test_a_browser_is_told_that_this_is_no_web_page() -> None:
    async with serving(Echo(None)) as server, httpx.AsyncClient() as browser:
        answer = await browser.get(f"http://127.0.0.1:{server.port}/")
        assert answer.status_code == 426


async def test_each_protocol_has_its_own_largest_frame() -> None:
    async with serving(Echo("small", max_size=10), Echo("large", max_size=10_000)) as server:
        async with dial(server, "large") as worker:
            await worker.send("x" * 5_000)
            assert len(await worker.recv()) > 5_000
        async with dial(server, "small") as worker:
            await worker.send("x" * 11)
            with pytest.raises(ConnectionClosed):
                await worker.recv()
            assert worker.close_code == 1009


async def test_nothing_is_compressed() -> None:
    async with serving(Echo(None)) as server, dial(server, compression="deflate") as worker:
        assert worker.response is not None
        assert "Sec-WebSocket-Extensions" not in worker.response.headers


# Who may


@pytest.mark.parametrize(
    ("token", "status", "header"), [("", 401, "WWW-Authenticate"), ("wrong", 403, None), ("slow", 429, "Retry-After")]
)
async def test_who_may_not_is_told_before_the_upgrade(token: str, status: int, header: str | None) -> None:
    async with serving(Echo(None)) as server:
        response, problem = await refused(server, token=token)
        assert (response.status_code, problem["status"]) == (status, status)
        assert response.headers["Content-Type"] == "application/problem+json"
        assert header is None or header in response.headers


async def test_a_revoked_credential_is_closed_and_the_others_are_not() -> None:
    async with serving(Echo(None)) as server, dial(server) as worker, dial(server, token="client-2") as other:
        server.revoke("client-1")
        with pytest.raises(ConnectionClosed):
            await worker.recv()
        assert worker.close_code == 4403
        await other.send("hi")
        assert await other.recv() == "None: hi"


async def test_who_is_revoked_while_authenticating_is_asked_again() -> None:
    echo = Echo(None)
    echo.patience.clear()
    async with serving(echo) as server:
        dialling = asyncio.create_task(dial(server).__aenter__())
        async with asyncio.timeout(5):
            await echo.reached.wait()
        server.revoke("client-1")
        echo.patience.set()
        worker = await dialling
        assert len(echo.asked) == 2
        await worker.close()


# The gate


async def closed_at_once(port: int) -> bool:
    """Whether a new socket is closed by the server, which was sent nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(0.2):
            return await reader.read(1) == b""
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True
    finally:
        writer.close()


async def test_eight_sockets_of_one_address_may_wait_before_the_upgrade() -> None:
    async with serving(Echo(None)) as server, AsyncExitStack() as held:
        waiting = [held.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(8)]
        while not await closed_at_once(server.port):
            pass
        for one in waiting:
            one.close()
        async with asyncio.timeout(5):
            while await closed_at_once(server.port):
                pass
        async with dial(server) as worker:
            await worker.send("hi")
            assert await worker.recv() == "None: hi"


async def test_sockets_that_were_upgraded_wait_no_longer() -> None:
    async with serving(Echo(None), waiting=2, waiting_per_address=2) as server, AsyncExitStack() as held:
        for number in range(6):
            await held.enter_async_context(dial(server, token=f"client-{number}"))


# The end


async def test_stopping_closes_every_session_so_that_it_comes_back() -> None:
    async with serving(Echo(None)) as server, dial(server) as worker:
        await server.stop()
        with pytest.raises(ConnectionClosed):
            await worker.recv()
        assert worker.close_code == 1012


async def test_stopping_waits_neither_for_who_says_nothing_nor_for_who_is_being_asked() -> None:
    echo = Echo(None)
    echo.patience.clear()
    async with serving(echo) as server:
        silent = socket.create_connection(("127.0.0.1", server.port))
        dialling = asyncio.create_task(dial(server).__aenter__())
        async with asyncio.timeout(5):
            await echo.reached.wait()
        async with asyncio.timeout(2):
            await server.stop()
        with pytest.raises(InvalidMessage):
            await dialling
        silent.close()


async def test_stopping_cuts_off_who_does_not_say_goodbye() -> None:
    async with serving(Echo(None)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nAuthorization: client-1\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 101")
        async with asyncio.timeout(5):
            await server.stop()
        writer.close()
