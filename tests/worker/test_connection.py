"""The connection alone, with a scripted hub and nothing behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from random import Random

import pytest
from scripted_hub import Impatient, ScriptedHub, until

from tron_core.hub.protocol import Drain, Fault, FromHub, Heartbeat, Hello, Notice, Rejected, Status, Welcome
from tron_core.worker.address import hub_address
from tron_core.worker.connection import HubConnection
from tron_core.worker.stopped import ExitCode, WorkerStopped
from tron_core.worker.tokens import TOKEN_PATH, TokenSource, WorkerAuth
from tron_core.worker.transfer import http_client


class Recorder:
    """A Peer that writes down what it is told."""

    def __init__(self) -> None:
        self.messages: list[FromHub] = []
        self.log: list[str] = []
        self.holding = False

    def hello(self) -> Hello:
        return Hello(worker="w", capabilities={})

    async def welcomed(self, welcome: Welcome) -> None:
        self.log.append("welcomed")

    def received(self, message: FromHub) -> None:
        self.messages.append(message)

    def disconnected(self) -> None:
        self.log.append("disconnected")

    def connection_changed(self, text: str) -> None:
        self.log.append(text)


class Ceilings(Impatient):
    """Waits for nothing either, and remembers how long it might have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []

    def uniform(self, a: float, b: float) -> float:
        self.asked.append(b)
        return a


class Line:
    """A connection that runs, its peer and its hub."""

    def __init__(self, hub: ScriptedHub, peer: Recorder, connection: HubConnection) -> None:
        self.hub = hub
        self.peer = peer
        self.connection = connection
        self.task = asyncio.create_task(connection.run())

    async def stopped(self) -> WorkerStopped:
        with pytest.raises(WorkerStopped) as stopped:
            await asyncio.wait_for(self.task, 10)
        return stopped.value


@pytest.fixture
async def hub() -> AsyncIterator[ScriptedHub]:
    hub = ScriptedHub()
    await hub.start()
    yield hub
    await hub.stop()


@asynccontextmanager
async def connect(hub: ScriptedHub, token: str = "good", random: Random | None = None) -> AsyncIterator[Line]:
    address = hub_address(hub.url, http=hub.http)
    auth = WorkerAuth.model_validate({"api_key": {"client_id": "c", "api_key": "k"}, "token": {"access_token": token}})
    async with http_client(address) as http:
        peer = Recorder()
        tokens = TokenSource(auth, hub.http + TOKEN_PATH, http)
        line = Line(hub, peer, HubConnection(address, tokens, peer, user_agent="test", random=random or Impatient()))
        try:
            yield line
        finally:
            line.task.cancel()
            await asyncio.gather(line.task, return_exceptions=True)


async def test_heartbeats_are_sent_as_often_as_the_hub_says(hub: ScriptedHub) -> None:
    async with connect(hub):
        session = await hub.session()
        await session.welcome(heartbeat_s=0.02)
        for _ in range(3):
            await session.expect(Heartbeat)


async def test_a_token_that_is_refused_is_renewed_once(hub: ScriptedHub) -> None:
    async with connect(hub, token="old") as line:
        await (await hub.session()).welcome()
        await until(lambda: line.connection.online)
    assert hub.grants == [{"grant_type": "client_credentials", "client_id": "c", "client_secret": "k"}]


async def test_a_new_token_that_is_refused_as_well_ends_the_worker(hub: ScriptedHub) -> None:
    hub.next_token = "no better"
    async with connect(hub, token="old") as line:
        stopped = await line.stopped()
    assert stopped.exit_code == ExitCode.REFUSED
    assert "this token is not known" in stopped.message
    assert len(hub.grants) == 1


@pytest.mark.parametrize(
    ("status", "words"), [(HTTPStatus.FORBIDDEN, "scope 'worker'"), (HTTPStatus.BAD_REQUEST, "does not speak tron.v1")]
)
async def test_a_refusal_for_good_ends_the_worker(hub: ScriptedHub, status: HTTPStatus, words: str) -> None:
    hub.refuse_with = status
    async with connect(hub) as line:
        stopped = await line.stopped()
    assert stopped.exit_code == ExitCode.REFUSED
    assert words in stopped.message


async def test_a_hub_in_trouble_is_tried_again(hub: ScriptedHub) -> None:
    hub.refuse_with = HTTPStatus.SERVICE_UNAVAILABLE
    async with connect(hub) as line:
        await until(lambda: len(line.peer.log) >= 2)
        hub.refuse_with = None
        await (await hub.session()).welcome()
        await until(lambda: line.connection.online)
    assert line.peer.log[0] == "the hub answers HTTP 503 not now; trying again in 0.0 s"


@pytest.mark.parametrize(("holding", "longest"), [(False, 30.0), (True, 5.0)])
async def test_a_worker_that_holds_work_comes_back_before_the_hub_gives_it_to_others(
    hub: ScriptedHub, holding: bool, longest: float
) -> None:
    hub.refuse_with = HTTPStatus.SERVICE_UNAVAILABLE
    ceilings = Ceilings()
    async with connect(hub, random=ceilings) as line:
        line.peer.holding = holding
        await until(lambda: len(ceilings.asked) >= 8)
    assert max(ceilings.asked) == longest


async def test_a_hub_that_does_not_welcome_is_tried_again(hub: ScriptedHub) -> None:
    async with connect(hub) as line:
        await (await hub.session()).send(Fault(message="not like this"))
        await (await hub.session()).welcome()
        await until(lambda: line.connection.online)
    assert "not like this" in line.peer.log[0]


async def test_a_name_that_is_taken_ends_the_worker(hub: ScriptedHub) -> None:
    async with connect(hub) as line:
        session = await hub.session()
        await session.send(Rejected(code="name_taken", message="The name 'w' is in use."))
        await session.close(4409)
        stopped = await line.stopped()
    assert stopped.exit_code == ExitCode.NAME_IN_USE
    assert "The name 'w' is in use." in stopped.message


async def test_a_worker_that_is_taken_over_ends(hub: ScriptedHub) -> None:
    async with connect(hub) as line:
        session = await hub.session()
        await session.welcome()
        await session.close(4410, "taken over")
        stopped = await line.stopped()
    assert stopped.exit_code == ExitCode.NAME_IN_USE
    assert "--name" in stopped.message


async def test_a_revoked_token_is_replaced_once_and_a_revoked_credential_ends_the_worker(hub: ScriptedHub) -> None:
    async with connect(hub) as line:
        session = await hub.session()
        await session.welcome()
        await session.close(4403, "revoked")
        session = await hub.session()
        assert len(hub.grants) == 1
        await session.welcome()
        await session.close(4403, "revoked")
        stopped = await line.stopped()
    assert stopped.exit_code == ExitCode.REFUSED
    assert len(hub.grants) == 1


@pytest.mark.parametrize("code", [1001, 4400, 4408, 4411])
async def test_after_any_other_close_the_worker_comes_back(hub: ScriptedHub, code: int) -> None:
    async with connect(hub) as line:
        session = await hub.session()
        await session.welcome()
        await session.close(code, "because")
        await (await hub.session()).welcome()
        await until(lambda: line.peer.log.count("welcomed") == 2)
    assert f"the connection ended ({code} because); trying again in 0.0 s" in line.peer.log


async def test_a_frame_that_is_no_message_is_answered_with_a_fault(hub: ScriptedHub) -> None:
    async with connect(hub) as line:
        session = await hub.session()
        await session.welcome()
        await session.socket.send('{"type": "job"}')
        await session.expect(Fault)
        await session.send(Notice(message="hello"))
        await until(lambda: line.peer.messages == [Notice(message="hello")])


async def test_sending_without_a_session_says_so_and_waiting_waits(hub: ScriptedHub) -> None:
    async with connect(hub) as line:
        assert not await line.connection.send(Status())
        sending = asyncio.create_task(line.connection.send_when_online(Status()))
        session = await hub.session()
        await session.welcome()
        assert await sending
        await session.expect(Status)


async def test_a_drain_is_said_again_in_every_session_and_closing_ends_it(hub: ScriptedHub) -> None:
    async with connect(hub) as line:
        session = await hub.session()
        await session.welcome()
        await until(lambda: line.connection.online)
        await line.connection.drain()
        await session.expect(Drain)
        session.drop()
        session = await hub.session()
        await session.welcome()
        await session.expect(Drain)
        await line.connection.close()
        await asyncio.wait_for(line.task, 10)
        assert session.socket.close_code == 1000
