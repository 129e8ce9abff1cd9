"""``tron.v1`` over real sockets, with a scheduler that does as it is told; ``test_session.py`` has every rule."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tron_core.hub.session import Terms
from tron_core.scheduling.messages import (
    Assign,
    AttemptPartial,
    AttemptProgress,
    AttemptResult,
    AttemptSettled,
    CloseSession,
    Turned,
    WorkerConnected,
    WorkerGone,
    WorkerStatus,
)


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("unknown", 401), ("user", 403)])
async def test_only_a_workers_token_opens_a_session(hub: Any, token: str | None, status: int) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with hub.dial(token):
            pass
    response = caught.value.response
    assert response.status_code == status
    problem = json.loads(response.body)
    assert problem["status"] == status
    assert problem["detail"]
    assert ("WWW-Authenticate" in response.headers) is (status == 401)


async def test_a_connection_that_names_no_subprotocol_is_told_what_is_spoken(hub: Any) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with hub.dial(subprotocols=()):
            pass
    assert caught.value.response.status_code == 400
    assert json.loads(caught.value.response.body)["protocols"] == ["tron.v1"]


async def test_a_worker_does_a_job(hub: Any) -> None:
    async with hub.worker(resuming=[{"job": "j0", "attempt": 1}]) as (worker, connected):
        assert (connected.client_id, connected.worker, connected.protocol) == ("client-1", "box", "tron.v1")
        assert connected.holding == (("j0", 1),)
        hub.scheduler.say(connected.session, Assign("j1", 1, "echo", {"text": "hi"}, (), 60.0))
        assert await worker.hear() == {
            "type": "job",
            "job": "j1",
            "attempt": 1,
            "capability": "echo",
            "params": {"text": "hi"},
            "inputs": [],
            "deadline_s": 60.0,
        }
        await worker.say("progress", job="j1", attempt=1, fraction=0.5)
        await worker.say("partial", job="j1", attempt=1, seq=0, text="hi")
        await worker.say("result", job="j1", attempt=1, output={"text": "hi"})
        assert (await hub.scheduler.next(AttemptProgress)).session == connected.session
        assert (await hub.scheduler.next(AttemptPartial)).text == "hi"
        assert (await hub.scheduler.next(AttemptResult)).output == {"text": "hi"}
        hub.scheduler.say(connected.session, AttemptSettled("j1", 1, "accepted"))
        assert await worker.hear() == {"type": "settled", "job": "j1", "attempt": 1, "outcome": "accepted"}
        await worker.say("drain")
        await hub.scheduler.next(WorkerStatus)
    gone = await hub.scheduler.next(WorkerGone)
    assert gone.clean
    assert not gone.lost


async def test_the_worker_is_reached_by_the_host_that_it_dialled(hub: Any) -> None:
    async with hub.worker() as (_, connected):
        assert connected.base_url == "http://127.0.0.1"


async def test_a_worker_that_is_turned_away_hears_why(hub: Any) -> None:
    hub.scheduler.greeting = Turned(4409, "name_taken", "The name box is in use")
    async with hub.dial() as worker:
        await worker.hello()
        assert await worker.hear() == {"type": "rejected", "code": "name_taken", "message": "The name box is in use"}
        assert await worker.closed() == (4409, "The name box is in use")


async def test_the_scheduler_closes_a_session_that_is_taken_over(hub: Any) -> None:
    async with hub.worker() as (worker, connected):
        hub.scheduler.say(connected.session, CloseSession(4410, "taken over"))
        assert await worker.closed() == (4410, "taken over")


async def test_a_first_frame_that_is_no_hello_ends_the_session(hub: Any) -> None:
    async with hub.dial() as worker:
        await worker.say("heartbeat")
        assert (await worker.hear())["type"] == "fault"
        assert (await worker.closed())[0] == 4408


async def test_twenty_faults_in_a_row_end_the_session(hub: Any) -> None:
    async with hub.worker() as (worker, _):
        for number in range(20):
            await worker.socket.send(b"binary" if number % 2 else "no json")
            assert (await worker.hear())["type"] == "fault"
        assert (await worker.closed())[0] == 4400
        assert not (await hub.scheduler.next(WorkerGone)).clean


async def test_a_frame_over_a_mebibyte_ends_the_session(hub: Any) -> None:
    async with hub.worker() as (worker, _):
        await worker.say("partial", job="j", attempt=1, seq=0, text="x" * (1024 * 1024))
        assert (await worker.closed())[0] == 1009


async def test_a_revoked_credential_ends_its_sessions_and_what_still_comes_is_not_heard(hub: Any) -> None:
    async with hub.worker() as (worker, connected):
        hub.server.revoke(connected.client_id)
        await worker.say("status")
        assert (await worker.closed())[0] == 4403
        await hub.scheduler.next(WorkerGone)
        assert not any(isinstance(message, WorkerStatus) for message in hub.scheduler.heard)


async def test_a_socket_that_breaks_ends_the_session_without_a_clean_end(hub: Any) -> None:
    async with hub.worker() as (worker, connected):
        worker.socket.transport.abort()
        gone = await hub.scheduler.next(WorkerGone)
    assert (gone.session, gone.clean, gone.lost) == (connected.session, False, False)
    assert "1006" in gone.reason


async def test_a_hub_that_stops_closes_its_sessions_so_that_they_come_back(hub: Any) -> None:
    async with hub.worker() as (worker, _):
        stopping = asyncio.create_task(hub.server.stop())
        assert (await worker.closed())[0] == 1012
        await stopping


class TestImpatient:
    """Silence is borne for milliseconds."""

    @pytest.fixture
    def terms(self) -> Terms:
        return Terms(heartbeat_s=0.05, resume_grace=0.1, hello_timeout=0.2)

    async def test_a_silent_worker_is_suspect_then_lost(self, hub: Any) -> None:
        async with hub.worker() as (worker, _):
            assert (await hub.scheduler.next(WorkerStatus)).suspect is True
            gone = await hub.scheduler.next(WorkerGone)
            assert gone.lost
            assert (await worker.closed())[0] == 4411
        assert sum(isinstance(message, WorkerGone) for message in hub.scheduler.heard) == 1

    async def test_a_worker_that_speaks_again_is_trusted_again(self, hub: Any) -> None:
        async with hub.worker() as (worker, _):
            assert (await hub.scheduler.next(WorkerStatus)).suspect is True
            await worker.say("heartbeat")
            assert (await hub.scheduler.next(WorkerStatus)).suspect is False

    async def test_who_says_no_hello_is_closed(self, hub: Any) -> None:
        async with hub.dial() as worker:
            assert (await worker.closed())[0] == 4408
        assert hub.scheduler.heard == []


async def test_a_worker_that_does_not_read_is_cut_off_and_holds_up_nobody(hub: Any) -> None:
    async with hub.worker() as (stuck, connected), hub.worker(worker="other") as (other, second):
        stuck.socket.transport.pause_reading()
        page = {"text": "x" * 500_000}
        async with asyncio.timeout(20):
            for number in range(1000):
                hub.scheduler.say(connected.session, Assign("j1", number + 1, "echo", page, (), 60.0))
                await asyncio.sleep(0)
                if any(isinstance(message, WorkerGone) for message in hub.scheduler.heard):
                    break
        gone = await hub.scheduler.next(WorkerGone)
        assert gone.session == connected.session
        hub.scheduler.say(second.session, Assign("j2", 1, "echo", {}, (), 60.0))
        assert (await other.hear())["job"] == "j2"
        stuck.socket.transport.abort()


async def test_a_flood_of_frames_keeps_order(hub: Any) -> None:
    async with hub.worker() as (worker, _):
        for number in range(500):
            await worker.say("progress", job="j1", attempt=1, fraction=number / 500)
        for number in range(500):
            assert (await hub.scheduler.next(AttemptProgress)).progress.fraction == number / 500


async def test_two_sessions_do_not_hear_each_other(hub: Any) -> None:
    async with hub.worker() as (_, first), hub.worker(worker="other") as (other, second):
        assert isinstance(first, WorkerConnected)
        assert first.session != second.session
        hub.scheduler.say(first.session, Assign("j1", 1, "echo", {}, (), 60.0))
        hub.scheduler.say(second.session, Assign("j2", 1, "echo", {}, (), 60.0))
        assert (await other.hear())["job"] == "j2"
