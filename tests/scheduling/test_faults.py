"""The scheduler while something around it fails: the database, plugins, callers who leave, restarts at bad times."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

import tron_core as tron
from tron_core.errors import Refused
from tron_core.job import JobEvent, JobState, Metrics, Outcome, Target
from tron_core.scheduling import board, fencing, hub_worker, replies, settlement
from tron_core.scheduling.events import Watch
from tron_core.scheduling.messages import (
    SCHEDULER,
    Assign,
    AttemptResult,
    AttemptSettled,
    CancelAttempt,
    TellFault,
)
from tron_core.storage.jobs import claim_attempts

MakeStage = Callable[..., Awaitable[Any]]
HERE = Target("fake", {"message": "1"})


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "AWAY_FIRST", 0.01)
    monkeypatch.setattr(board, "AWAY_LONGEST", 0.02)
    monkeypatch.setattr(settlement, "BACKOFF", (0.01, 0.01, 0.01))
    monkeypatch.setattr(replies, "RETRY_AFTER", (0.01, 0.01, 0.01, 0.01))


class Outage:
    """The database is away for writes, reads or both while this is ``on``; counts what came in vain."""

    def __init__(self, stage: Any, monkeypatch: pytest.MonkeyPatch, *methods: str, only: Any = None) -> None:
        self.on = False
        self.only = only
        self.refused = 0
        for method in methods:
            monkeypatch.setattr(stage.database, method, self._guarded(getattr(stage.database, method)))

    def _guarded(self, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any) -> Any:
            if self.on and self.only in (None, args[0]):
                self.refused += 1
                raise OperationalError("SELECT 1", {}, Exception("gone away"))
            return await method(*args)

        return call


async def _running(stage: Any, **request: Any) -> tuple[Any, Assign]:
    worker = stage.worker()
    await worker.connect()
    await stage.submit(**request)
    return worker, await worker.job()


def _nothing_is_left(stage: Any) -> bool:
    held = stage.scheduler._board
    return not (held.entries or held.queued_by or len(held.queue) or any(w.occupied or w.settling for w in held.roster))


async def test_who_goes_away_while_retrying_leaves_the_job_queued_and_it_runs(make_stage: MakeStage) -> None:
    stage = await make_stage(max_attempts=1)
    worker, assigned = await _running(stage)
    worker.error(assigned)
    await stage.reaches(assigned.job, "failed")
    retrying = asyncio.get_running_loop().create_task(stage.scheduler.retry(assigned.job))
    tasks = stage.scheduler._board.tasks
    await stage.until(lambda: retrying.done() or any(task.get_name().startswith("retry") for task in tasks))
    retrying.cancel()
    assert (await worker.job()).attempt == 2


async def test_who_goes_away_while_cancelling_has_cancelled(stage: Any) -> None:
    worker, assigned = await _running(stage, target=HERE)
    cancelling = asyncio.get_running_loop().create_task(stage.scheduler.cancel(assigned.job))
    await worker.hear(CancelAttempt)
    cancelling.cancel()
    await stage.reaches(assigned.job, "cancelled")
    worker.result(assigned)
    assert await worker.settled() == "gone"
    await stage.until(lambda: stage.frontend.delivered)
    assert _nothing_is_left(stage)


async def test_a_retry_tells_its_end_once_though_the_failure_was_not_told_yet(make_stage: MakeStage) -> None:
    stage = await make_stage(max_attempts=1)
    stage.frontend.failing = 1
    worker, assigned = await _running(stage, target=HERE)
    worker.error(assigned)
    await stage.reaches(assigned.job, "failed")
    await stage.until(lambda: not stage.frontend.failing)
    await stage.scheduler.retry(assigned.job)
    worker.result(await worker.job())
    await stage.reaches(assigned.job, "succeeded")
    await stage.restart()
    await asyncio.sleep(1.1)  # the failed delivery's next time
    assert [text for _, _, text in stage.frontend.delivered] == ["painted a fox"]


async def test_a_result_that_arrives_while_the_database_is_away_counts_once_it_is_back(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, assigned = await _running(stage)
    stored = await stage.artifacts.put("fox.txt", b"a fox", job=assigned.job, attempt=1)
    outage = Outage(stage, monkeypatch, "read", "write", "write_rows")
    outage.on = True
    worker.result(assigned, files=("fox.txt",))
    await stage.until(lambda: outage.refused > 2)
    outage.on = False
    assert await worker.settled() == "accepted"
    done = await stage.reaches(assigned.job, "succeeded")
    assert [artifact.id for artifact in done.artifacts] == [stored.id]


async def test_a_worker_that_comes_back_while_its_result_is_written_goes_on_with_it(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, assigned = await _running(stage)
    outage = Outage(stage, monkeypatch, "write_rows")
    outage.on = True
    worker.result(assigned)
    await stage.until(lambda: outage.refused)
    worker.result(assigned)
    worker.drop()
    welcomed = await worker.connect(holding=((assigned.job, 1),))
    assert welcomed.resume == ((assigned.job, 1),)
    worker.result(assigned)
    outage.on = False
    assert await worker.settled() == "accepted"
    assert [message for message in worker.heard if isinstance(message, AttemptSettled)] == []


async def test_a_late_result_is_answered_once_the_database_is_back(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, assigned = await _running(stage)
    worker.result(assigned)
    assert await worker.settled() == "accepted"
    outage = Outage(stage, monkeypatch, "read")
    outage.on = True
    worker.result(assigned)
    await stage.until(lambda: outage.refused)
    outage.on = False
    assert await worker.settled() == "duplicate"


async def test_a_reply_is_made_though_the_database_was_away(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, assigned = await _running(stage, target=HERE)
    stage.plugin.paint.failures = 1
    outage = Outage(stage, monkeypatch, "read", "write")
    outage.on = True
    worker.result(assigned)
    assert await worker.settled() == "accepted"
    await stage.until(lambda: outage.refused > 2)
    outage.on = False
    await stage.reaches(assigned.job, "succeeded")
    await stage.until(lambda: stage.frontend.delivered)


async def test_an_input_that_cannot_be_read_now_is_read_later(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489") + b"\0" * 40
    stored = await stage.artifacts.put("fox.png", picture)
    await stage.submit(params={"picture": stored.id})
    await stage.restart()
    outage = Outage(stage, monkeypatch, "read")
    worker = stage.worker()
    outage.on = True
    await worker.connect()
    await stage.until(lambda: outage.refused)
    outage.on = False
    assert len((await worker.job()).inputs) == 1


async def test_an_answer_that_is_no_json_ends_the_attempt_with_the_reason(stage: Any) -> None:
    worker, assigned = await _running(stage)
    for _ in range(3):
        answer = AttemptResult(worker.session, assigned.job, assigned.attempt, {"what": object()}, (), Metrics(1.0))
        worker.bus.send(SCHEDULER, answer)
        assert await worker.settled() == "duplicate"
        if assigned.attempt < 3:
            assigned = await worker.job()
    done = await stage.reaches(assigned.job, "failed")
    assert done.error is not None
    assert "JSON" in done.error.message


async def test_what_a_hub_capability_returns_wrongly_fails_its_job(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    here = stage.plugins.capabilities["here"]

    async def run(params: Any, ctx: Any) -> Any:
        return {"text": b"bytes"}

    monkeypatch.setattr(here, "run", run)
    job = (await stage.scheduler.submit(tron.JobRequest("here", {"text": "hi"}, "api:alice"))).job.id
    done = await stage.reaches(job, "failed")
    assert done.error is not None
    assert "bytes is not JSON serializable" in done.error.message


async def test_a_hub_capability_may_show_previews_and_name_a_file_twice(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(params: Any, ctx: Any) -> Any:
        ctx.artifact("preview.txt", "text/plain", b"soon", role="preview")
        ctx.artifact("note.txt", "text/plain", b"done")
        ctx.artifact("note.txt", "text/plain", b"done")
        return {"text": "done"}

    monkeypatch.setattr(stage.plugins.capabilities["here"], "run", run)
    job = (await stage.scheduler.submit(tron.JobRequest("here", {"text": "hi"}, "api:alice"))).job.id
    done = await stage.reaches(job, "succeeded")
    assert [artifact.name for artifact in done.artifacts] == ["note.txt"]


async def test_a_hub_capability_that_does_not_stop_does_not_hold_up_the_hub(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_worker, "STOP_SECONDS", 0.05)
    deaf, begun = asyncio.Event(), asyncio.Event()

    async def run(params: Any, ctx: Any) -> Any:
        begun.set()
        while not deaf.is_set():
            try:
                await deaf.wait()
            except asyncio.CancelledError:
                continue
        return {"text": "late"}

    monkeypatch.setattr(stage.plugins.capabilities["here"], "run", run)
    job = (await stage.scheduler.submit(tron.JobRequest("here", {"text": "hi"}, "api:alice"))).job.id
    await begun.wait()
    await asyncio.wait_for(stage.restart(), 3)
    live = await stage.live(job, lambda live: len(live.job.attempts) > 1)
    assert live.job.attempts[0].outcome is Outcome.LOST
    deaf.set()
    await stage.reaches(job, "succeeded")


async def test_what_a_reply_writes_wrongly_is_the_handlers_failure(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def writes(connection: Any) -> None:
        connection.exec_driver_sql("INSERT INTO no_such_table VALUES (1)")

    async def handle_result(job: Any, result: Any) -> tron.Reply:
        return tron.Reply(text="painted", writes=writes)

    monkeypatch.setattr(stage.plugin.paint, "handle_result", handle_result)
    worker, assigned = await _running(stage)
    worker.result(assigned)
    done = await stage.reaches(assigned.job, "succeeded")
    assert done.reply is not None
    assert "result_handler_failed" in done.reply.text


async def test_a_reply_that_cannot_be_stored_is_the_handlers_failure_and_foreign_actions_are_left_out(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Eager:
        @tron.hookimpl
        def tron_reply_actions(self, job: Any, reply: Any) -> list[tron.Action]:
            return [tron.Action("Again", "paint", {"prompt": object()})]

    assert stage.plugins.register("eager", Eager()).state == "active"
    worker, assigned = await _running(stage)
    worker.result(assigned)
    done = await stage.reaches(assigned.job, "succeeded")
    assert done.reply is not None
    assert (done.reply.text, list(done.reply.actions)) == ("painted a fox", [])

    async def handle_result(job: Any, result: Any) -> tron.Reply:
        return tron.Reply(text="painted", actions=[tron.Action("Again", "paint", {"prompt": object()})])

    monkeypatch.setattr(stage.plugin.paint, "handle_result", handle_result)
    job = await stage.submit()
    worker.result(await worker.job())
    reply = (await stage.reaches(job, "succeeded")).reply
    assert "result_handler_failed" in reply.text


async def test_a_plugin_that_refuses_to_choose_a_worker_holds_up_nobody(stage: Any) -> None:
    class Undecided:
        @tron.hookimpl
        def tron_select_worker(self, job: Any, candidates: Any) -> str | None:
            raise tron.Refused("not today")

    assert stage.plugins.register("undecided", Undecided()).state == "active"
    await _running(stage)


async def test_a_capability_that_expects_to_take_for_ever_is_refused(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.plugin.paint, "expected_seconds", lambda params: float("inf"))
    with pytest.raises(Refused, match="expected_seconds"):
        await stage.submit()


async def test_a_result_in_time_counts_though_the_hub_was_down_beyond_the_deadline(stage: Any) -> None:
    stage.plugin.paint.seconds = 0.2
    worker, assigned = await _running(stage)
    await stage.scheduler.stop()
    await asyncio.sleep(0.25)
    await stage.start()
    worker = stage.worker()
    await worker.connect(holding=((assigned.job, 1),))
    worker.result(assigned)
    assert await worker.settled() == "accepted"
    await stage.reaches(assigned.job, "succeeded")


async def test_a_second_wish_to_end_the_drain_is_no_error(stage: Any) -> None:
    assert await stage.scheduler.drain(1.0)
    stage.scheduler.end_drain()
    await _running(stage)
    draining = asyncio.get_running_loop().create_task(stage.scheduler.drain(30.0))
    await asyncio.sleep(0)
    stage.scheduler.end_drain()
    assert not await draining
    stage.scheduler.end_drain()


async def test_a_job_for_a_drained_worker_alone_is_said_to_wait_in_vain_until_another_comes(stage: Any) -> None:
    worker, _ = await _running(stage)
    waiting = await stage.submit("next")
    assert (await stage.scheduler.get(waiting)).message is None
    await stage.scheduler.drain_worker("w1")
    assert "draining" in ((await stage.scheduler.get(waiting)).message or "")
    await stage.scheduler.drain_worker("w1", draining=False)
    assert (await stage.scheduler.get(waiting)).message is None
    worker.status(draining=True)
    await stage.live(waiting, lambda live: live.message)
    other = stage.worker("w2")
    await other.connect()
    assert (await other.job()).job == waiting


async def test_a_job_that_lost_its_only_worker_is_said_to_wait_in_vain(stage: Any) -> None:
    worker, assigned = await _running(stage)
    worker.drop(lost=True)
    live = await stage.live(assigned.job, lambda live: live.message)
    assert live.message.startswith("No worker for this now")


async def test_a_worker_to_avoid_gets_the_job_where_the_others_drain(stage: Any) -> None:
    first, second = stage.worker(), stage.worker("w2")
    await first.connect()
    await stage.submit()
    bad = await first.job()
    await second.connect()
    await stage.scheduler.drain_worker("w2")
    first.error(bad)
    assert (await first.job()).attempt == 2


async def test_a_job_whose_worker_began_to_drain_meanwhile_goes_elsewhere_and_counts_no_loss(
    make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = await make_stage(max_attempts=1)
    outage = Outage(stage, monkeypatch, "write_rows", only=claim_attempts)
    outage.on = True
    worker = stage.worker()
    await worker.connect()
    job = await stage.submit()
    await stage.until(lambda: outage.refused)
    worker.status(draining=True)
    outage.on = False
    await stage.live(job, lambda live: live.job.attempts and live.job.state is JobState.QUEUED)
    assert not [message for message in worker.heard if isinstance(message, Assign)]
    other = stage.worker("w2")
    await other.connect()
    again = await other.job()
    assert again.attempt == 2
    other.result(again)
    done = await stage.reaches(job, "succeeded")
    assert [attempt.outcome for attempt in done.attempts] == [Outcome.RETURNED, Outcome.SUCCEEDED]


async def test_what_sql_says_otherwise_is_left_alone_and_leaves_nothing_behind(stage: Any) -> None:
    waiting = await stage.submit()
    await stage.database.write(lambda c: c.exec_driver_sql("UPDATE jobs SET state = 'succeeded'"))
    await stage.scheduler._settlement.cancel(waiting, "late")
    assert _nothing_is_left(stage)
    worker, assigned = await _running(stage)
    await stage.database.write(lambda c: c.exec_driver_sql("UPDATE jobs SET state = 'cancelled', reply = '{}'"))
    worker.result(assigned)
    assert await worker.settled() == "gone"
    assert _nothing_is_left(stage)


async def test_a_worker_that_asks_about_the_past_without_end_is_told_to_wait(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, assigned = await _running(stage)
    worker.result(assigned)
    assert await worker.settled() == "accepted"
    outage = Outage(stage, monkeypatch, "read")
    outage.on = True
    for _ in range(fencing.MAX_INQUIRIES + 5):
        worker.progress(assigned, 0.5)
    assert "wait for the answers" in (await worker.hear(TellFault)).message
    looked_up = [task for task in stage.scheduler._board.tasks if task.get_name().startswith("look up")]
    assert len(looked_up) <= fencing.MAX_INQUIRIES
    outage.on = False
    await stage.until(lambda: not stage.scheduler._board.tasks)
    worker.result(assigned)
    assert await worker.settled() == "duplicate"


async def test_long_reasons_are_kept_short(make_stage: MakeStage) -> None:
    stage = await make_stage(max_attempts=8)
    worker = stage.worker()
    await worker.connect()
    job = await stage.submit()
    for _ in range(8):
        worker.error(await worker.job(), message="\U0001f98a" * 10_000)
    done = await stage.reaches(job, "failed")
    assert done.error is not None
    assert len(done.error.message) < 5000
    assert "8 (w1)" in done.error.message


async def test_what_a_worker_says_that_it_took_is_no_more_than_it_can_have_taken(stage: Any) -> None:
    worker, assigned = await _running(stage)
    worker.bus.send(
        SCHEDULER, AttemptResult(worker.session, assigned.job, 1, {"what": "x"}, (), Metrics(1e300, load_seconds=1e299))
    )
    assert await worker.settled() == "accepted"
    live = await stage.scheduler.get(await stage.submit())
    assert live.eta_seconds is None or live.eta_seconds <= 1000


async def test_a_stopped_scheduler_begins_nothing_more(make_stage: MakeStage) -> None:
    stage = await make_stage(queue_ttl=0.1, resume_grace=0.1)
    await stage.submit("waits")
    await _running(stage)
    await stage.scheduler.stop()
    tasks = asyncio.all_tasks()
    await asyncio.sleep(0.15)
    assert asyncio.all_tasks() <= tasks


def test_what_waits_for_a_slow_reader_stays_small() -> None:
    def event(kind: str, **data: Any) -> JobEvent:
        return JobEvent(kind, "j", "paint", "api:alice", data)

    watch = Watch()
    watch.begin([event("state", state="running")])
    for seq in range(1000):
        watch.put(event("progress", fraction=seq / 1000))
        watch.put(event("partial", seq=seq, text="a"))
    watch.put(event("partial", seq=0, text="anew"))
    waiting = list(watch._waiting)
    assert [each.kind for each in waiting] == ["state", "progress", "partial"]
    assert waiting[-1].data == {"seq": 0, "text": "anew"}
