"""Clients that lose their connection, restart, share what they should not, or say what is not theirs to say."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from legacy_stage import Stage, until
from old_client import png
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tron_core.auth.principal import Scope
from tron_core.job import JobState
from tron_plugin_legacy import link, tarpit
from tron_plugin_legacy.link import MAX_WRONG


async def busy(stage: Stage, **options: Any) -> tuple[Any, str]:
    """A client that is at a job, and will be until its gate opens."""
    client = await stage.client(**options)
    client.gate = threading.Event()
    job = await stage.submit()
    await until(lambda: len(client.jobs) == 1, "the job")
    return client, job


async def test_a_client_that_lost_its_connection_goes_on_with_its_job(stage: Stage) -> None:
    client, job = await busy(stage)
    await until(lambda: stage.clients_of_plugin.fleet.running(client.ticket["client_id"])[0].heard, "a word")
    client.drop()
    await until(lambda: client.connects == 2, "the connection")
    client.gate.set()
    done = await stage.end(job)
    assert (done.state, len(done.attempts), len(client.jobs)) == (JobState.SUCCEEDED, 1, 1)


async def test_a_fresh_process_of_the_same_name_does_not_keep_the_last_ones_job(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "SILENT_SECONDS", 0.2)
    credential = await stage.credential()
    old, job = await busy(stage, credential=credential)
    await until(lambda: stage.clients_of_plugin.fleet.running(old.ticket["client_id"])[0].heard, "a word")
    await asyncio.to_thread(old.kill)
    fresh = await stage.client(credential=credential)
    done = await stage.end(job)
    assert (done.state, len(done.attempts)) == (JobState.SUCCEEDED, 2)
    assert done.attempts[0].reason == "box-1 was started anew and has forgotten it"
    assert len(fresh.jobs) == 1


async def test_a_client_outlives_the_hub_with_its_job(stage: Stage) -> None:
    client, job = await busy(stage)
    client.pictures = 2
    await stage.stop()
    await stage.start()
    await until(lambda: "box-1" in stage.workers and stage.workers["box-1"].offers, "the worker")
    client.gate.set()
    done = await stage.end(job)
    assert (done.state, len(done.attempts), len(client.jobs)) == (JobState.SUCCEEDED, 1, 1)
    assert done.output is not None
    assert len(done.output["files"]) == 2


async def test_what_was_uploaded_before_a_restart_of_the_hub_counts(stage: Stage) -> None:
    client = await stage.client()
    client.pictures = 2
    client.uploaded = threading.Event()
    job = await stage.submit()
    await until(lambda: len(client.urls) == 2, "the uploads")
    await stage.stop()
    await stage.start()
    client.uploaded.set()
    done = await stage.end(job)
    assert (done.state, len(done.attempts)) == (JobState.SUCCEEDED, 1)
    assert len([artifact for artifact in done.artifacts if artifact.role == "result"]) == 2


async def test_what_is_uploaded_before_the_client_is_back_counts(stage: Stage) -> None:
    client, job = await busy(stage)
    await stage.stop()
    await stage.start()
    url = await asyncio.to_thread(client.upload, "/upload_image", "image", png(), "image", "image_url")
    assert url is not None
    await until(lambda: "box-1" in stage.workers and stage.workers["box-1"].offers, "the worker")
    client.say(_about("message", "create_thread", client.jobs[0]["discord_first_message"], {"image_url_list": [url]}))
    assert (await stage.end(job)).state is JobState.SUCCEEDED


async def test_a_client_that_never_got_its_job_is_sent_it_again(stage: Stage) -> None:
    first, job = await busy(stage)
    client = first
    client.gate.set()
    await stage.end(job)
    process = next(iter(stage.clients_of_plugin.fleet))
    assert process.acknowledges
    # A job that goes into a connection that is dead already: nothing is heard of it.
    link = process.link
    link._connection.transport.pause_reading()
    lost = await stage.submit(prompt="a dog")
    await until(lambda: len(client.jobs) == 2, "the job")
    client.drop()
    done = await stage.end(lost)
    assert done.state is JobState.SUCCEEDED
    assert done.attempts[0].reason == "the worker came back without it"


async def test_a_fresh_process_of_the_same_credential_forgets_the_jobs_of_the_old(stage: Stage) -> None:
    credential = await stage.credential()
    old, job = await busy(stage, credential=credential, worker_id="box-1")
    await asyncio.to_thread(old.kill)
    fresh = await stage.client(credential=credential, worker_id="box-2")
    done = await stage.end(job)
    assert [attempt.worker for attempt in done.attempts] == ["box-1", "box-2"]
    assert [each["job_id"] for each in fresh.jobs] == [f"{job}-2"]
    await until(lambda: "box-1" not in stage.workers, "the old one to go")


async def test_so_it_does_after_a_restart_of_the_hub(stage: Stage) -> None:
    credential = await stage.credential()
    old, job = await busy(stage, credential=credential, worker_id="box-1")
    await stage.stop()
    await asyncio.to_thread(old.kill)
    await stage.start()
    await stage.client(credential=credential, worker_id="box-0")
    assert [attempt.worker for attempt in (await stage.end(job)).attempts] == ["box-1", "box-0"]


async def test_a_process_that_a_fresh_one_replaced_ends(stage: Stage) -> None:
    credential = await stage.credential()
    old = await stage.client(credential=credential, worker_id="box-1")
    await stage.client(credential=credential, worker_id="box-2")
    await until(lambda: old.dead, "its end")
    assert set(stage.workers) == {"box-2"}


async def test_two_processes_of_one_name_do_not_take_turns(stage: Stage) -> None:
    credential = await stage.credential()
    old = await stage.client(credential=credential, worker_id="box-1")
    fresh = await stage.client(credential=credential, worker_id="box-1", start=False)
    fresh.start()
    await until(lambda: old.dead, "the end of the first")
    assert (await stage.end(await stage.submit())).state is JobState.SUCCEEDED
    assert (fresh.connects, old.connects, len(fresh.jobs)) == (1, 1, 1)


async def test_two_machines_with_one_credential_both_work_but_upload_one_at_a_time(stage: Stage) -> None:
    credential = await stage.credential()
    one, first = await busy(stage, credential=credential, worker_id="one-0")
    other, second = await busy(stage, credential=credential, worker_id="other-0")
    one.gate.set()
    await until(lambda: one.refusals, "a refusal")
    assert one.refusals[0][0] == 409
    assert "give each worker a credential of its own" in one.refusals[0][1]
    await stage.services.scheduler.cancel(first)
    await until(lambda: len(stage.services.scheduler.leased(one.ticket["client_id"])) == 1, "the other's job alone")
    other.gate.set()
    assert (await stage.end(second)).state is JobState.SUCCEEDED


async def test_a_name_of_another_credential_is_refused_and_that_process_ends(stage: Stage) -> None:
    await stage.client("gpu-1", worker_id="box-1")
    second = await stage.client("gpu-2", worker_id="box-1", start=False)
    second.start()
    await until(lambda: second.dead, "its end")
    assert "already registered" in second.dead
    assert second.attempts == 1


async def test_the_grace_time_is_the_plugins_own(stage: Stage) -> None:
    await stage.stop()
    stage.grace = 0.0
    await stage.start()
    old, job = await busy(stage)
    await stage.client("gpu-2", worker_id="other-0")
    await asyncio.to_thread(old.kill)
    assert [attempt.worker for attempt in (await stage.end(job)).attempts] == ["box-1", "other-0"]


async def test_beside_it_a_worker_of_the_hubs_own_protocol_works(stage: Stage) -> None:
    client, _ = await busy(stage)
    await stage.services.auth.create_user("own", "a long password", scope=Scope.WORKER)
    _, token = await stage.services.auth.create_client_tokens("own")
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    async with connect(
        stage.services.hub_url, additional_headers=headers, subprotocols=[Subprotocol("tron.v1")]
    ) as socket:
        await socket.send('{"type": "hello", "worker": "own", "capabilities": {"draw": {}}}')
        assert '"welcome"' in str(await socket.recv())
        job = await stage.submit(prompt="a dog")
        assert job in str(await socket.recv())
        await socket.send(f'{{"type": "result", "job": "{job}", "attempt": 1, "output": {{}}}}')
        assert (await stage.end(job)).attempts[0].worker == "own"
    assert len(client.jobs) == 1


# What is not theirs to say


async def test_late_and_repeated_messages_have_no_effect(stage: Stage) -> None:
    client = await stage.client()
    done = await stage.end(await stage.submit())
    [job] = client.jobs
    await until(lambda: client.done[job["job_id"]], "finish")
    for _ in range(2):
        client.say(_about("job_queue", "finish", {}, {"job_id": job["job_id"], "worker_id": "box-1"}))
        text = "It seems we had an error while generating this image!"
        client.say(_about("message", "edit", job["discord_first_message"], {"message": text}))
        client.say(_about("message", "create_thread", job["discord_first_message"], {"image_url_list": client.urls}))
    again = await stage.end(await stage.submit(prompt="a dog"))
    assert again.state is JobState.SUCCEEDED
    assert await stage.job(done.id) == done


async def test_nobody_speaks_for_the_job_of_another(stage: Stage) -> None:
    client, job = await busy(stage)
    thief = await stage.client("gpu-2", worker_id="thief-0", offers=("tts_bark",))
    [sent] = client.jobs
    first, said_by = sent["discord_first_message"], {"job_id": sent["job_id"], "worker_id": "thief-0"}
    error = {"message": "It seems we had an error while generating this image!"}
    thief.say(_about("message", "edit", first, error))
    thief.say(_about("job_queue", "finish", {}, said_by))
    thief.say(_about("job_queue", "finish", {}, {**said_by, "worker_id": "box-1"}))
    thief.say(_about("message", "create_thread", first, {"image_url_list": ["https://elsewhere.test/x.png"]}))
    assert (await stage.end(await stage.submit("say", text="hello"))).state is JobState.SUCCEEDED  # it was all heard
    assert (await stage.job(job)).state is JobState.RUNNING
    client.gate.set()
    assert len((await stage.end(job)).attempts) == 1


@pytest.mark.parametrize("change", [{"channel": {"id": 1, "name": "tron"}}, {"message_id": 5}, {"job_id": None}])
async def test_an_object_that_was_changed_stands_for_nothing(stage: Stage, change: dict[str, Any]) -> None:
    client, job = await busy(stage)
    echoed = {**client.jobs[0]["discord_first_message"], **change}
    client.say(_about("message", "edit", echoed, {"message": "We pooped the bed!"}))
    client.say(_about("message", "delete", echoed, {}))
    client.gate.set()
    assert len((await stage.end(job)).attempts) == 1


async def test_a_picture_of_another_job_counts_for_none(stage: Stage) -> None:
    client = await stage.client()
    await stage.end(await stage.submit())
    theirs = list(client.urls)
    client.before_show = lambda job: [
        _about("message", "create_thread", job["discord_first_message"], {"image_url_list": theirs})
    ]
    job = await stage.submit(prompt="a dog")
    await until(lambda: len(client.jobs) == 3, "the second attempt")
    client.before_show = lambda job: []
    assert (await stage.job(job)).attempts[0].reason == "the worker shows no file that it uploaded for this job"


async def test_frames_that_are_no_messages_end_the_connection_slowly(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tarpit, "FIRST", 0.0)
    client = await stage.client()
    for frame in ("[1]", "null", {"module_name": 1}, {"module_name": "a", "module_command": "b", "data": []}):
        client.say(frame)
    assert (await stage.end(await stage.submit())).state is JobState.SUCCEEDED
    for _ in range(MAX_WRONG):
        client.say([])
    await until(lambda: client.connects == 2, "the next connection")


# Who may come in


async def refused(stage: Stage, headers: dict[str, str]) -> InvalidStatus:
    with pytest.raises(InvalidStatus) as caught:
        await connect(stage.services.hub_url, additional_headers=headers)
    return caught.value


async def test_a_bad_token_is_refused_before_the_upgrade_after_a_pause(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(stage.clients_of_plugin._tarpit, "_sleep", sleep)
    await stage.services.auth.create_user("ann", "a long password")
    _, person = await stage.services.auth.create_client_tokens("ann")
    bad = ["", "Basic x", "Bearer nobody", f"Bearer {person['access_token']}", "Bearer", "Bearer "]
    for value in bad:
        assert (await refused(stage, {"Authorization": value} if value else {})).response.status_code == 401
    assert pauses == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    await stage.client()
    await refused(stage, {"Authorization": "Bearer nobody"})
    assert pauses[-1] == 2.0


async def test_a_token_for_old_workers_opens_no_other_door(stage: Stage) -> None:
    _, token = await stage.credential()
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    with pytest.raises(InvalidStatus) as caught:
        await connect(stage.services.hub_url, additional_headers=headers, subprotocols=[Subprotocol("tron.v1")])
    assert caught.value.response.status_code == 403


async def test_a_revoked_token_ends_the_connection_and_opens_no_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waiting.set()
        await asyncio.sleep(0.2)

    monkeypatch.setattr(stage.clients_of_plugin._tarpit, "_sleep", sleep)
    client, job = await busy(stage)
    await stage.services.auth.revoke_credential(client.ticket["client_id"])
    await asyncio.wait_for(waiting.wait(), 20)
    attempts = client.attempts
    assert attempts == 2
    assert await asyncio.to_thread(client.upload, "/upload_image", "image", b"x", "image", "image_url") is None
    assert client.refusals[0][0] == 401
    assert (await stage.job(job)).state is JobState.RUNNING  # it may still be let in again


def _about(module: str, command: str, data: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"module_name": module, "module_command": command, "data": data, "arguments": arguments}
