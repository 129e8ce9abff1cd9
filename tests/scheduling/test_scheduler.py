"""The scheduler's promises, through its public doors: submit and the Bus."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from PIL import Image

import tron_core as tron
from tron_core.errors import Conflict, Forbidden, InvalidParams, NotFound, Refused, TooMany
from tron_core.job import JobEvent, JobState, Outcome, Priority, Role, Target
from tron_core.scheduling import replies, settlement
from tron_core.scheduling.messages import (
    Assign,
    CancelAttempt,
    CloseSession,
    TellFault,
    Turned,
    WhyIdle,
)

MakeStage = Callable[..., Awaitable[Any]]
HERE = Target("fake", {"message": "1"})


async def test_a_job_goes_to_a_worker_and_its_reply_is_stored(stage: Any) -> None:
    worker = stage.worker()
    await worker.connect()
    job = await stage.submit("a fox")
    assigned = await worker.job()
    assert (assigned.job, assigned.attempt, assigned.capability) == (job, 1, "paint")
    assert assigned.params == {"prompt": "a fox", "steps": 20, "model": None, "picture": None}
    worker.result(assigned, "a red fox")
    assert await worker.settled() == "accepted"
    done = await stage.reaches(job, "succeeded")
    assert done.reply is not None
    assert done.reply.text == "painted a red fox"
    assert [attempt.outcome for attempt in done.attempts] == [Outcome.SUCCEEDED]


async def test_a_job_waits_until_a_worker_comes_and_says_so_at_once(stage: Any) -> None:
    live = await stage.scheduler.submit(tron.JobRequest("paint", {"prompt": "a fox"}, "api:alice"))
    assert live.message is not None
    assert live.message.startswith("No worker for this now; waiting up to 30 min")
    assert live.position == 1
    assert live.eta_seconds is None
    worker = stage.worker()
    await worker.connect()
    assert (await worker.job()).job == live.job.id


async def test_a_busy_worker_gets_no_second_job_and_a_freed_slot_is_used_at_once(stage: Any) -> None:
    worker = stage.worker()
    await worker.connect()
    first, second = await stage.submit("one"), await stage.submit("two")
    one = await worker.job()
    assert await stage.state(second) == "queued"
    assert (await stage.scheduler.get(second)).position == 1
    worker.result(one)
    assert (await worker.job()).job == second
    assert one.job == first


async def test_a_repeated_result_is_a_duplicate_and_a_foreign_one_a_fault(stage: Any) -> None:
    worker, other = stage.worker(), stage.worker("w2")
    await worker.connect()
    job = await stage.submit()
    assigned = await worker.job()
    await other.connect()
    other.result(assigned, "stolen")
    assert "never held" in (await other.hear(TellFault)).message
    worker.result(assigned)
    assert await worker.settled() == "accepted"
    worker.result(assigned, "again")
    assert await worker.settled() == "duplicate"
    done = await stage.reaches(job, "succeeded")
    assert done.output == {"what": "a fox"}


async def test_a_lost_worker_is_followed_by_another_and_its_late_result_is_superseded(stage: Any) -> None:
    first, second = stage.worker(), stage.worker("w2")
    await first.connect()
    job = await stage.submit()
    old = await first.job()
    await second.connect()
    first.drop()
    new = await second.job()
    assert (new.job, new.attempt) == (job, 2)
    await first.connect(holding=((job, 1),))
    first.result(old, "late")
    assert await first.settled() == "superseded"
    second.result(new, "in time")
    done = await stage.reaches(job, "succeeded")
    assert done.output == {"what": "in time"}
    assert [attempt.outcome for attempt in done.attempts] == [Outcome.LOST, Outcome.SUCCEEDED]


async def test_a_worker_that_comes_back_in_time_goes_on_with_the_same_attempt(stage: Any) -> None:
    worker = stage.worker()
    await worker.connect()
    job = await stage.submit()
    assigned = await worker.job()
    worker.drop()
    welcomed = await worker.connect(holding=((job, 1), ("01ARZ3NDEKTSV4RRFFQ69G5FAV", 7)))
    assert welcomed.resume == ((job, 1),)
    assert welcomed.abandon == (("01ARZ3NDEKTSV4RRFFQ69G5FAV", 7),)
    worker.result(assigned)
    assert await worker.settled() == "accepted"
    assert len((await stage.reaches(job, "succeeded")).attempts) == 1


async def test_a_worker_that_comes_back_empty_handed_has_lost_its_jobs(stage: Any) -> None:
    worker = stage.worker()
    await worker.connect()
    job = await stage.submit()
    await worker.job()
    await worker.connect()
    again = await worker.job()
    assert (again.job, again.attempt) == (job, 2)


async def test_a_second_connection_of_a_worker_takes_over(stage: Any) -> None:
    worker = stage.worker()
    await worker.connect()
    job = await stage.submit()
    await worker.job()
    twin = stage.worker()
    twin._sessions = 1
    welcomed = await twin.connect(holding=((job, 1),))
    assert welcomed.resume == ((job, 1),)
    assert (await worker.hear(CloseSession)).code == 4410


async def test_a_name_of_another_credential_and_a_worker_without_use_are_turned_away(stage: Any) -> None:
    await stage.worker().connect()
    thief = stage.worker(client_id="other")
    thief.hello()
    turned = await thief.hear(Turned)
    assert (turned.close_code, turned.code) == (4409, "name_taken")
    useless = stage.worker("w2", capability="knit")
    useless.hello()
    assert (await useless.hear(Turned)).code == "no_capability"


async def test_a_job_that_kills_every_worker_ends_with_each_reason(make_stage: MakeStage) -> None:
    stage = await make_stage(resume_grace=0.0)
    job = await stage.submit()
    for attempt in (1, 2, 3):
        worker = stage.worker(f"w{attempt}")
        await worker.connect()
        assert (await worker.job()).attempt == attempt
        worker.drop(lost=True, reason=f"lost {attempt}")
    done = await stage.reaches(job, "failed")
    assert done.error is not None
    assert done.error.code == "attempts_exhausted"
    assert all(f"lost {attempt}" in done.error.message for attempt in (1, 2, 3))


async def test_a_failed_job_can_be_retried_by_a_person_with_fresh_attempts(make_stage: MakeStage) -> None:
    stage = await make_stage(max_attempts=1)
    worker = stage.worker()
    await worker.connect()
    job = await stage.submit(target=HERE)
    worker.error(await worker.job(), message="no paint")
    failed = await stage.reaches(job, "failed")
    assert failed.error is not None
    assert "no paint" in failed.error.message
    await stage.scheduler.retry(job)
    with pytest.raises(Conflict):
        await stage.scheduler.retry(job)
    again = await worker.job()
    assert again.attempt == 2
    worker.result(again)
    done = await stage.reaches(job, "succeeded")
    assert done.error is None
    assert done.reply is not None
    assert done.reply.text == "painted a fox"


async def test_an_error_is_tried_again_on_another_worker_where_there_is_one(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlement, "BACKOFF", (0.01, 0.01, 0.01))
    first, second = stage.worker(), stage.worker("w2")
    await first.connect()
    job = await stage.submit()
    bad = await first.job()
    await second.connect()
    first.error(bad)
    assert await first.settled() == "accepted"
    good = await second.job()
    assert (good.job, good.attempt) == (job, 2)


async def test_the_only_worker_gets_its_failed_job_again(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settlement, "BACKOFF", (0.01, 0.01, 0.01))
    worker = stage.worker()
    await worker.connect()
    job = await stage.submit()
    for attempt in (1, 2):
        assigned = await worker.job()
        assert assigned.attempt == attempt
        worker.error(assigned)
    worker.result(await worker.job())
    await stage.reaches(job, "succeeded")


async def test_an_error_that_is_not_retryable_fails_the_job_at_once(stage: Any) -> None:
    worker = stage.worker()
    await worker.connect()
    job = await stage.submit()
    worker.error(await worker.job(), "invalid", retryable=False, message="steps: too many")
    done = await stage.reaches(job, "failed")
    assert done.error is not None
    assert (done.error.code, done.error.message) == ("invalid", "steps: too many")


async def test_out_of_memory_goes_to_a_worker_with_more(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settlement, "BACKOFF", (0.01, 0.01, 0.01))
    small, big = stage.worker("small"), stage.worker("big")
    await small.connect(hardware={"gpu_memory_mb": 4000})
    await stage.submit()
    small.error(await small.job(), "out_of_memory")
    await small.settled()
    await big.connect(hardware={"gpu_memory_mb": 24000})
    assert (await big.job()).attempt == 2


async def test_a_cancelled_waiting_job_never_starts(stage: Any) -> None:
    job = await stage.submit()
    cancelled = await stage.scheduler.cancel(job)
    assert cancelled.job.state is JobState.CANCELLED
    worker = stage.worker()
    await worker.connect()
    other = await stage.submit()
    assert (await worker.job()).job == other
    with pytest.raises(Conflict):
        await stage.scheduler.cancel(job)
    with pytest.raises(NotFound):
        await stage.scheduler.cancel("01ARZ3NDEKTSV4RRFFQ69G5FAV")


async def test_a_cancelled_running_job_is_told_and_its_result_is_dropped(stage: Any) -> None:
    worker = stage.worker()
    await worker.connect()
    job = await stage.submit()
    assigned = await worker.job()
    await stage.scheduler.cancel(job, "changed my mind")
    assert (await worker.hear(CancelAttempt)).reason == "changed my mind"
    waiting = await stage.submit("next")
    worker.result(assigned)
    assert await worker.settled() == "gone"
    assert (await worker.job()).job == waiting
    assert await stage.state(job) == "cancelled"


async def test_a_job_expires_when_nobody_takes_it_in_time(make_stage: MakeStage) -> None:
    stage = await make_stage(queue_ttl=0.05)
    job = await stage.submit(target=HERE)
    done = await stage.reaches(job, "expired")
    assert done.error is not None
    assert done.error.code == "expired"


async def test_an_attempt_past_its_deadline_fails_the_job(stage: Any) -> None:
    stage.plugin.paint.seconds = 0.05
    worker = stage.worker()
    await worker.connect()
    job = await stage.submit()
    assigned = await worker.job()
    assert (await worker.hear(CancelAttempt)).reason == "deadline"
    done = await stage.reaches(job, "failed")
    assert done.error is not None
    assert done.error.code == "deadline"
    assert done.attempts[0].outcome is Outcome.TIMEOUT
    worker.result(assigned)
    assert await worker.settled() == "gone"


async def test_everything_is_taken_up_after_a_restart(stage: Any) -> None:
    worker = stage.worker()
    await worker.connect()
    running, waiting = await stage.submit("one"), await stage.submit("two")
    assigned = await worker.job()
    await stage.restart()
    assert await stage.state(running) == "running"
    worker = stage.worker()
    welcomed = await worker.connect(holding=((running, 1),))
    assert welcomed.resume == ((running, 1),)
    worker.result(assigned)
    assert await worker.settled() == "accepted"
    worker.result(await worker.job())
    assert (await stage.reaches(running, "succeeded")).attempt == 1
    await stage.reaches(waiting, "succeeded")


async def test_a_job_knows_for_good_what_its_requester_was_called(stage: Any) -> None:
    job = await stage.submit(requester_name="Ada\n Lovelace" + "!" * 100)
    await stage.restart()
    found = (await stage.scheduler.get(job)).job
    assert found.requester_name == "Ada Lovelace" + "!" * 68
    assert (await stage.scheduler.get(await stage.submit())).job.requester_name is None


async def test_a_worker_that_does_not_come_back_after_a_restart_loses_its_job(stage: Any) -> None:
    worker = stage.worker()
    await worker.connect()
    job = await stage.submit()
    await worker.job()
    await stage.restart()
    other = stage.worker("w2")
    await other.connect()
    assigned = await other.job()
    assert (assigned.job, assigned.attempt) == (job, 2)


async def test_a_broken_result_handler_is_called_again_and_at_last_replaced(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "RETRY_AFTER", (0.01, 0.01, 0.01, 0.01))
    worker = stage.worker()
    await worker.connect()
    stage.plugin.paint.failures = 2
    job = await stage.submit()
    worker.result(await worker.job())
    assert (await stage.reaches(job, "succeeded")).reply.text == "painted a fox"
    stage.plugin.paint.failures = 99
    job = await stage.submit()
    worker.result(await worker.job())
    assert "result_handler_failed" in (await stage.reaches(job, "succeeded")).reply.text


async def test_a_reply_is_delivered_until_it_is_shown(stage: Any) -> None:
    worker = stage.worker()
    await worker.connect()
    stage.frontend.failing = 1
    job = await stage.submit(target=HERE)
    worker.result(await worker.job())
    await stage.reaches(job, "succeeded")
    await stage.until(lambda: stage.frontend.delivered)
    assert [(job_id, text) for _, job_id, text in stage.frontend.delivered] == [(job, "painted a fox")]


async def test_a_delivery_that_was_open_at_a_crash_is_made_after_the_restart(stage: Any) -> None:
    worker = stage.worker()
    await worker.connect()
    stage.frontend.failing = 1
    job = await stage.submit(target=HERE)
    worker.result(await worker.job())
    await stage.reaches(job, "succeeded")
    await stage.until(lambda: not stage.frontend.failing)
    await stage.restart()
    await stage.until(lambda: stage.frontend.delivered)
    assert len(stage.frontend.delivered) == 1


async def test_limits_and_refusals_keep_nothing(make_stage: MakeStage) -> None:
    stage = await make_stage(max_queued_per_user=2, no_worker="queue")
    await stage.submit()
    await stage.submit()
    with pytest.raises(TooMany) as full:
        await stage.submit()
    assert full.value.code == "queue_full"
    await stage.submit(requester="api:bob")
    with pytest.raises(InvalidParams) as wrong:
        await stage.submit(params={"steps": 1000}, requester="api:carol")
    assert "steps" in wrong.value.message
    with pytest.raises(NotFound) as unknown:
        await stage.scheduler.submit(tron.JobRequest("pant", {}, "api:carol"))
    assert "paint" in unknown.value.message
    found, _ = await stage.scheduler.list_jobs(requester="api:carol")
    assert found == []


async def test_a_job_nobody_can_do_is_refused_where_the_operator_wants_that(make_stage: MakeStage) -> None:
    stage = await make_stage(no_worker="reject")
    with pytest.raises(Refused) as refused:
        await stage.submit()
    assert refused.value.code == "no_worker"


async def test_a_plugin_may_refuse_or_alter_and_its_failure_refuses(stage: Any) -> None:
    def refuse(request: tron.JobRequest) -> None:
        raise tron.Refused("Not on Sundays.")

    def alter(request: tron.JobRequest) -> tron.JobRequest:
        return tron.JobRequest("paint", {**request.params, "steps": 7}, request.requester)

    def break_down(request: tron.JobRequest) -> None:
        raise RuntimeError("broken")

    stage.plugin.submitting = refuse
    with pytest.raises(Refused, match="Not on Sundays"):
        await stage.submit()
    stage.plugin.submitting = alter
    job = await stage.submit()
    assert (await stage.scheduler.get(job)).job.params["steps"] == 7
    stage.plugin.submitting = break_down
    with pytest.raises(Refused) as refused:
        await stage.submit()
    assert refused.value.code == "plugin_failed"


async def test_saved_settings_fill_what_is_not_given(stage: Any) -> None:
    await stage.saved_settings.set("api:alice", "easel", "paint.steps", 33)
    job = await stage.submit()
    assert (await stage.scheduler.get(job)).job.params["steps"] == 33
    job = await stage.submit(params={"steps": 5})
    assert (await stage.scheduler.get(job)).job.params["steps"] == 5
    await stage.saved_settings.set("api:alice", "easel", "paint.steps", 5000)
    job = await stage.submit()
    assert (await stage.scheduler.get(job)).job.params["steps"] == 20


async def test_a_repeated_request_is_the_same_job_and_a_reused_key_a_conflict(stage: Any) -> None:
    first = await stage.submit("a fox", idempotency_key="k1")
    assert await stage.submit("a fox", idempotency_key="k1") == first
    with pytest.raises(Conflict) as reused:
        await stage.submit("a hare", idempotency_key="k1")
    assert reused.value.code == "idempotency_mismatch"
    assert await stage.submit("a fox", requester="api:bob", idempotency_key="k1") != first


async def test_inputs_travel_as_addresses_and_wrong_ones_are_named(stage: Any) -> None:
    picture = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489") + b"\0" * 40
    stored = await stage.artifacts.put("fox.png", picture, owner="api:alice")
    worker = stage.worker()
    await worker.connect()
    await stage.submit(params={"picture": stored.id})
    assigned = await worker.job()
    assert [(i.name, i.size, i.sha256) for i in assigned.inputs] == [("picture", stored.size, stored.sha256)]
    assert assigned.inputs[0].url == f"http://hub.test/artifacts/{stored.key}/{stored.filename}"
    with pytest.raises(InvalidParams, match="no such upload"):
        await stage.submit(params={"picture": "01ARZ3NDEKTSV4RRFFQ69G5FAV"})
    text = await stage.artifacts.put("fox.txt", b"a fox", owner="api:alice")
    with pytest.raises(InvalidParams, match="text/plain"):
        await stage.submit(params={"picture": text.id})


async def test_a_big_picture_gets_a_thumbnail_and_previews_go_when_the_attempt_ends(stage: Any) -> None:
    worker = stage.worker()
    await worker.connect()
    job = await stage.submit()
    assigned = await worker.job()
    out = io.BytesIO()
    Image.new("RGB", (1200, 600), "red").save(out, "PNG")
    preview = await stage.artifacts.put("p.png", out.getvalue(), role=Role.PREVIEW, job=job, attempt=1)
    stage.scheduler.preview_arrived(job, 1, preview.id)
    await stage.artifacts.put("fox.png", out.getvalue(), job=job, attempt=1)
    worker.result(assigned, files=("fox.png",))
    done = await stage.reaches(job, "succeeded")
    assert [(artifact.role, artifact.media_type) for artifact in done.artifacts] == [
        (Role.RESULT, "image/png"),
        (Role.THUMBNAIL, "image/webp"),
    ]
    assert done.reply.artifacts == (done.artifacts[0].id,)
    small = b"".join([chunk async for chunk in stage.artifacts.read(done.artifacts[1])])
    assert Image.open(io.BytesIO(small)).size == (512, 256)
    await stage.gone(preview.id)


async def test_a_result_that_names_a_file_that_did_not_come_is_a_fault_and_may_be_sent_again(stage: Any) -> None:
    worker = stage.worker()
    await worker.connect()
    job = await stage.submit()
    assigned = await worker.job()
    worker.result(assigned, files=("fox.png",))
    assert "fox.png" in (await worker.hear(TellFault)).message
    await stage.artifacts.put("fox.png", b"not quite a picture", job=job, attempt=1)
    worker.result(assigned, files=("fox.png",))
    assert await worker.settled() == "accepted"


async def test_a_capability_may_run_on_the_hub(stage: Any) -> None:
    job = (await stage.scheduler.submit(tron.JobRequest("here", {"text": "hi"}, "api:alice"))).job.id
    done = await stage.reaches(job, "succeeded")
    assert done.output == {"text": "hi"}
    assert [(artifact.name, artifact.size) for artifact in done.artifacts] == [("note.txt", 2)]
    assert done.reply is not None
    assert done.reply.artifacts == (done.artifacts[0].id,)


async def test_a_capability_on_the_hub_knows_who_asks(stage: Any) -> None:
    request = tron.JobRequest("here", {"text": "who"}, "api:alice", channel="7", requester_name="Alice")
    job = (await stage.scheduler.submit(request)).job.id
    assert (await stage.reaches(job, "succeeded")).output == {"text": "Alice (api:alice) in 7"}


async def test_a_cancel_reaches_a_capability_on_the_hub(stage: Any) -> None:
    job = (await stage.scheduler.submit(tron.JobRequest("here", {"text": "wait"}, "api:alice"))).job.id
    await stage.reaches(job, "running")
    await stage.scheduler.cancel(job)
    assert await stage.state(job) == "cancelled"


async def test_who_watches_sees_the_present_state_the_course_and_the_end(stage: Any) -> None:
    worker = stage.worker()
    await worker.connect()
    job = await stage.submit()
    assigned = await worker.job()
    worker.partial(assigned, 0, "once ")
    worker.partial(assigned, 1, "upon ")
    seen: list[JobEvent] = []

    async def watch() -> None:
        async for event in stage.scheduler.watch(job):
            seen.append(event)  # noqa: PERF401 - the test looks at it while it grows

    watching = asyncio.get_running_loop().create_task(watch())
    await stage.until(lambda: len(seen) >= 2)
    worker.partial(assigned, 2, "a time")
    worker.progress(assigned, 0.5)
    worker.result(assigned)
    await asyncio.wait_for(watching, 5)
    assert seen[0].data["state"] == "running"
    text = "".join(event.data["text"] for event in seen if event.kind == "partial")
    assert text == "once upon a time"
    assert seen[-1].kind == "result"
    assert [event.data["fraction"] for event in seen if event.kind == "progress"] == [0.5]


async def test_a_gap_in_the_text_is_a_fault_and_a_resumed_attempt_begins_it_anew(stage: Any) -> None:
    worker = stage.worker()
    await worker.connect()
    job = await stage.submit()
    assigned = await worker.job()
    worker.partial(assigned, 0, "one ")
    worker.partial(assigned, 2, "three")
    assert "expected 1" in (await worker.hear(TellFault)).message
    worker.drop()
    await worker.connect(holding=((job, 1),))
    worker.partial(assigned, 0, "one two ")
    worker.partial(assigned, 1, "three")
    worker.progress(assigned, 0.9)
    live = await stage.live(job, lambda live: live.progress)
    assert live.text == "one two three"


async def test_a_higher_priority_goes_first_and_people_take_turns(stage: Any) -> None:
    for n in range(3):
        await stage.submit(f"a{n}", requester="api:alice")
    await stage.submit("b0", requester="api:bob")
    await stage.submit("urgent", requester="api:alice", priority=Priority.HIGH)
    worker = stage.worker()
    await worker.connect()
    order = []
    for _ in range(5):
        assigned = await worker.job()
        order.append(assigned.params["prompt"])
        worker.result(assigned)
    assert order == ["urgent", "a0", "b0", "a1", "a2"]


async def test_an_idle_worker_is_told_why_it_gets_nothing(stage: Any) -> None:
    worker = stage.worker(models=("ink",))
    await worker.connect()
    await stage.submit(params={"model": "oil"})
    assert (await worker.hear(WhyIdle)).skipped == {"model missing: oil": 1}
    shown = {view.name: view.skipped for view in stage.scheduler.workers()}
    assert shown["w1"] == {"model missing: oil": 1}


async def test_a_drained_worker_finishes_and_gets_no_more(stage: Any) -> None:
    worker = stage.worker()
    await worker.connect()
    first = await stage.submit("one")
    assigned = await worker.job()
    await stage.scheduler.drain_worker("w1")
    second = await stage.submit("two")
    worker.result(assigned)
    await stage.reaches(first, "succeeded")
    assert not [message for message in worker.heard if isinstance(message, Assign)]
    await stage.scheduler.drain_worker("w1", draining=False)
    assert (await worker.job()).job == second


async def test_the_last_capable_worker_leaving_is_told_to_those_who_wait(stage: Any) -> None:
    worker = stage.worker()
    await worker.connect()
    await stage.submit("one")
    await worker.job()
    waiting = await stage.submit("two")
    assert (await stage.scheduler.get(waiting)).message is None
    worker.drop(lost=True)
    await stage.live(waiting, lambda live: live.message)


async def test_an_action_of_a_reply_can_be_followed_by_its_number(stage: Any) -> None:
    worker = stage.worker()
    await worker.connect()
    job = await stage.submit()
    worker.result(await worker.job())
    await stage.reaches(job, "succeeded")
    with pytest.raises(NotFound):
        await stage.scheduler.act(job, 0, tron.JobRequest("", {}, "api:alice"))
    with pytest.raises((NotFound, Forbidden)):
        await stage.scheduler.act(job, -1, tron.JobRequest("", {}, "api:alice"))


async def test_plugins_observe_what_happens(stage: Any) -> None:
    worker = stage.worker()
    await worker.connect()
    job = await stage.submit()
    worker.result(await worker.job())
    await stage.reaches(job, "succeeded")
    await stage.until(lambda: any(event.kind == "result" for event in stage.plugin.events))
    states = [event.data["state"] for event in stage.plugin.events if event.kind == "state"]
    assert states == ["queued", "running", "succeeded"]


async def test_who_goes_away_while_submitting_leaves_no_orphan(stage: Any) -> None:
    worker = stage.worker()
    await worker.connect()
    submitting = asyncio.get_running_loop().create_task(stage.submit("orphan"))
    await asyncio.sleep(0)
    await stage.until(lambda: stage.scheduler.queue_length() == 1)
    submitting.cancel()
    assert (await worker.job()).params["prompt"] == "orphan"


async def test_a_capability_that_cannot_say_what_it_needs_refuses_its_own_jobs_alone(stage: Any) -> None:
    def broken(params: Any) -> float:
        raise ZeroDivisionError("no idea")

    stage.plugin.paint.deadline = broken
    with pytest.raises(Refused) as refused:
        await stage.submit()
    assert refused.value.code == "plugin_failed"
    job = (await stage.scheduler.submit(tron.JobRequest("here", {"text": "hi"}, "api:alice"))).job.id
    await stage.reaches(job, "succeeded")


async def test_jobs_of_a_broken_capability_do_not_keep_the_hub_from_starting(stage: Any) -> None:
    job = await stage.submit()

    def broken(params: Any) -> float:
        raise ZeroDivisionError("no idea")

    stage.plugin.paint.deadline = broken
    await stage.restart()
    assert await stage.state(job) == "queued"


async def test_an_input_that_is_gone_fails_the_job_with_the_reason(stage: Any) -> None:
    picture = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489") + b"\0" * 40
    stored = await stage.artifacts.put("fox.png", picture)
    job = await stage.submit(params={"picture": stored.id})
    await stage.artifacts.remove([stored.id])
    await stage.restart()
    worker = stage.worker()
    await worker.connect()
    done = await stage.reaches(job, "failed")
    assert done.error is not None
    assert done.error.code == "input_missing"
