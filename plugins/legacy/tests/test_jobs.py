"""Jobs of every kind, done by clients of discord-tron-master."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from legacy_stage import Stage, until

from tron_core.job import JobState, Outcome


async def test_a_picture_comes_back_with_what_the_worker_said_of_it(stage: Stage) -> None:
    client = await stage.client()
    client.pictures = 4
    done = await stage.end(await stage.submit(prompt="a cat"))
    assert done.state is JobState.SUCCEEDED, done.error
    assert done.output is not None
    assert [file["seed"] for file in done.output["files"]] == ["7"] * 4
    results = [artifact for artifact in done.artifacts if artifact.role == "result"]
    assert [artifact.media_type for artifact in results] == ["image/png"] * 4
    assert [artifact.name for artifact in results] == [file["name"] for file in done.output["files"]]
    assert done.attempts[0].worker == "box-1"
    [job] = client.jobs
    assert (job["job_id"], job["image_prompt"]) == (f"{done.id}-1", "a cat")
    await until(lambda: client.done[job["job_id"]] == 1)
    assert client.replies == []


async def test_speech_comes_back(stage: Stage) -> None:
    await stage.client(offers=("tts_bark",))
    done = await stage.end(await stage.submit("say", text="hello"))
    assert done.output is not None, done.error
    assert done.output["files"] == [{"name": "speech-1.wav", "seconds": 0.5}]
    assert [artifact.media_type for artifact in done.artifacts] == ["audio/wav"]


@pytest.mark.parametrize("kind", ["llama", "stablelm", "stablevicuna"])
async def test_text_comes_back_without_what_the_worker_says_before_it(stage: Stage, kind: str) -> None:
    await stage.client(offers=(kind,))
    done = await stage.end(await stage.submit("write", prompt="What colour is `the sky`?"))
    assert done.output == {"text": "It is `blue`.", "files": []}


async def test_a_completion_comes_back(stage: Stage) -> None:
    await stage.client(offers=("ollama",))
    assert (await stage.end(await stage.submit("write", prompt="ping"))).output == {"text": "pong", "files": []}


async def test_a_picture_in_the_message_itself_comes_back(stage: Stage) -> None:
    await stage.client(offers=("variation",))
    done = await stage.end(await stage.submit(prompt="a cat"))
    assert [artifact.media_type for artifact in done.artifacts if artifact.role == "result"] == ["image/png"]


async def test_progress_is_shown(stage: Stage) -> None:
    await stage.client()
    job = await stage.submit()
    events = [event async for event in stage.services.scheduler.watch(job)]
    assert [event.data["fraction"] for event in events if event.kind == "progress"] == [0.0, 0.0, 0.3, 0.6, 0.9]


@pytest.mark.parametrize(
    ("kind", "capability", "reason"),
    [
        ("gpu", "draw", "CUDA out of memory"),
        ("tts_bark", "say", "no such voice"),
        ("llama", "write", "the worker says that it failed, and not why"),
        ("ollama", "write", "no such model"),
    ],
)
async def test_a_failure_is_tried_again_and_ends(stage: Stage, kind: str, capability: str, reason: str) -> None:
    client = await stage.client(offers=(kind,))
    client.fail[kind] = 1
    job = await stage.submit(capability, **({"text": "hello"} if capability == "say" else {"prompt": "a cat"}))
    assert (await stage.end(job)).state is JobState.SUCCEEDED
    assert [each["job_id"] for each in client.jobs] == [f"{job}-1", f"{job}-2"]
    first = (await stage.job(job)).attempts[0]
    assert (first.outcome, first.reason) == (Outcome.ERROR, reason)


async def test_the_attempts_bound_a_failure(stage: Stage) -> None:
    client = await stage.client(offers=("ollama",))
    client.fail["ollama"] = 10
    done = await stage.end(await stage.submit("write", prompt="ping"))
    assert (done.state, len(client.jobs)) == (JobState.FAILED, 3)


async def test_finish_without_a_result_is_a_failure(stage: Stage) -> None:
    client = await stage.client()
    client.mute["gpu"] = 1
    done = await stage.end(await stage.submit())
    assert done.attempts[0].reason == "the worker finished without a result"
    assert done.state is JobState.SUCCEEDED


async def test_a_preset_goes_to_its_own_kind_alone(stage: Stage) -> None:
    plain = await stage.client("gpu-1", worker_id="plain-0", offers=("llama", "ollama"))
    job = await stage.submit("write", prompt="hi", way="vicuna")
    assert (await stage.job(job)).state is JobState.QUEUED
    able = await stage.client("gpu-2", worker_id="able-0", offers=("stablevicuna", "llama"))
    assert (await stage.end(job)).attempts[0].worker == "able-0"
    assert [each["job_type"] for each in able.jobs] == ["stablevicuna"]
    assert plain.jobs == []


async def test_a_worker_offers_what_it_announced(stage: Stage) -> None:
    await stage.client(offers=("gpu", "tts_bark"))
    view = stage.workers["box-1"]
    assert set(view.offers) == {"draw", "say"}
    assert view.offers["draw"].models == ("oil",)
    assert (view.slots, view.protocol) == (1, "legacy")
    assert view.hardware == {"gpu": "RTX", "cpu": "Xeon", "gpu_memory_mb": 24 * 1024, "memory_mb": 62 * 1024}


async def test_what_a_worker_offers_follows_what_the_plugins_know(stage: Stage) -> None:
    await stage.client()
    stage.studio.picture.told = {"models": ["oil", "ink"]}
    await stage.clients_of_plugin.tend()
    await until(lambda: stage.workers["box-1"].offers["draw"].models == ("oil", "ink"))


async def test_one_job_at_a_time(stage: Stage) -> None:
    client = await stage.client(offers=("gpu", "tts_bark"))
    client.gate = threading.Event()
    drawing = await stage.submit()
    await until(lambda: len(client.jobs) == 1)
    saying = await stage.submit("say", text="hello")
    assert (await stage.job(saying)).state is JobState.QUEUED
    client.gate.set()
    assert (await stage.end(drawing)).state is (await stage.end(saying)).state is JobState.SUCCEEDED


async def test_a_worker_without_acknowledgement_works_too(stage: Stage) -> None:
    await stage.client(acknowledges=False)
    assert (await stage.end(await stage.submit())).state is JobState.SUCCEEDED


async def test_a_cancelled_job_leaves_no_trace_and_the_worker_its_time(stage: Stage) -> None:
    client = await stage.client()
    client.gate = threading.Event()
    job = await stage.submit()
    await until(lambda: len(client.jobs) == 1)
    await stage.services.scheduler.cancel(job)
    after = await stage.submit(prompt="a dog")
    await until(lambda: stage.workers["box-1"].state == "suspect")
    assert len(client.jobs) == 1
    client.gate.set()
    assert (await stage.end(after)).state is JobState.SUCCEEDED
    assert (await stage.job(job)).state is JobState.CANCELLED
    assert (await stage.job(job)).artifacts == ()
    assert await stage.services.artifacts.for_job(job) == []
    assert client.refusals == []  # a client that is refused a file tries for hours, and does nothing else


async def test_what_cannot_be_read_fails_the_attempt(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(params: Any, answer: Any) -> Any:
        raise KeyError("seed")

    monkeypatch.setattr(stage.studio.picture, "to_output", broken)
    client = await stage.client()
    job = await stage.submit()
    await until(lambda: len(client.jobs) == 2)
    client.gate = threading.Event()
    assert (await stage.job(job)).attempts[0].reason == "its answer cannot be read: 'seed'"


async def test_a_worker_that_nobody_has_a_use_for_waits_in_peace(stage: Stage) -> None:
    client = await stage.client(start=False, offers=())
    client.start()
    await until(lambda: client.connects == 1)
    client.say({"module_name": "message", "module_command": "edit", "data": {}, "arguments": {}})
    assert (stage.workers, client.attempts) == ({}, 1)
