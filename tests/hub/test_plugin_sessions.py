"""A session of a worker protocol that a plugin brings, against the real scheduler."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import tron_core as tron
from tron_core.api import Grant
from tron_core.clock import SystemClock
from tron_core.hub.plugin_sessions import PluginWorkers
from tron_core.job import ErrorKind, JobState, Progress
from tron_core.plugins import Plugins
from tron_core.scheduling.bus import LocalBus
from tron_core.scheduling.scheduler import Rules, Scheduler
from tron_core.sessions import Assignment, Held, Offer, WorkerHello, WorkerSession
from tron_core.storage.artifacts import Artifacts, open_store
from tron_core.storage.database import Database
from tron_core.storage.saved_settings import SavedSettings

GRANT = Grant("client", "box")


class EchoParams(tron.Params):
    text: str = tron.Prompt("What to say back")


class Echo(tron.Capability):
    name = "echo"
    command = tron.Command("echo")
    params = EchoParams

    async def handle_result(self, job: tron.Job, result: tron.Result) -> tron.Reply:
        return tron.Reply(text=result.output["text"])


class EchoPlugin:
    @tron.hookimpl
    def tron_register_capabilities(self) -> list[tron.Capability]:
        return [Echo()]


class Listener:
    """Keeps what a session is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []
        self.assignments: list[Assignment] = []

    def welcomed(self, resumed: Sequence[Assignment], abandoned: Sequence[Held]) -> None:
        self.assignments.extend(resumed)
        self.heard.append(("welcomed", (tuple(resumed), tuple(abandoned))))

    def turned_away(self, code: str, reason: str) -> None:
        self.heard.append(("turned_away", code))

    def assigned(self, assignment: Assignment) -> None:
        self.assignments.append(assignment)
        self.heard.append(("assigned", assignment))

    def cancelled(self, job: str, attempt: int, reason: str) -> None:
        self.heard.append(("cancelled", (job, attempt)))

    def settled(self, job: str, attempt: int, outcome: str) -> None:
        self.heard.append(("settled", outcome))

    def faulted(self, reason: str) -> None:
        self.heard.append(("faulted", reason))

    def noticed(self, message: str) -> None:
        self.heard.append(("noticed", message))

    def closed(self, code: int, reason: str) -> None:
        self.heard.append(("closed", code))

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.heard]


class Stage:
    """A scheduler, and workers of another protocol."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder

    async def start(self) -> None:
        clock = SystemClock()
        plugins = Plugins()
        plugins.register("echo", EchoPlugin())
        self.bus = LocalBus()
        store = open_store("file:artifacts", self._folder, {})
        self.artifacts = Artifacts(self._database, store, max_bytes=1000, clock=clock)
        self.scheduler = Scheduler(
            plugins=plugins,
            database=self._database,
            artifacts=self.artifacts,
            saved_settings=SavedSettings(self._database, clock),
            bus=self.bus,
            clock=clock,
            rules=Rules(resume_grace=0.05),
            sign_ticket=lambda **grant: "ticket",
            http_url=lambda dialled: "http://hub.test",
        )
        await self.scheduler.start({})
        self.workers = PluginWorkers(self.bus, self.scheduler.leased)

    def connect(
        self, name: str = "box", grant: Grant = GRANT, capability: str = "echo", **options: Any
    ) -> tuple[WorkerSession, Listener]:
        listener = Listener()
        hello = WorkerHello(name, "paper", {capability: Offer()}, **options)
        return self.workers.open(grant, hello, listener), listener

    async def submit(self, text: str = "hi") -> str:
        return (await self.scheduler.submit(tron.JobRequest("echo", {"text": text}, "api:ann"))).job.id

    async def state(self, job: str) -> JobState:
        return (await self.scheduler.get(job)).job.state


@pytest.fixture
def dialect() -> str:
    return "sqlite"


@pytest.fixture
async def stage(database: Database, tmp_path: Path) -> Any:
    stage = Stage(database, tmp_path)
    await stage.start()
    yield stage
    await stage.scheduler.stop()


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition; the loop turns meanwhile."""
    deadline = asyncio.get_running_loop().time() + 5
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "waited in vain"
        await asyncio.sleep(0.002)


async def assigned(listener: Listener) -> Assignment:
    await until(lambda: listener.assignments)
    return listener.assignments[-1]


async def test_a_job_goes_to_the_worker_and_its_result_to_the_person(stage: Stage) -> None:
    session, listener = stage.connect()
    job = await stage.submit()
    given = await assigned(listener)
    assert (given.job, given.attempt, given.capability, given.params["text"]) == (job, 1, "echo", "hi")
    session.progress(job, 1, Progress(0.5))
    await stage.artifacts.put("note.txt", b"hi", job=job, attempt=1)
    session.result(job, 1, {"text": "hi"}, ["note.txt"], seconds=2.0)
    await until(lambda: ("settled", "accepted") in listener.heard)
    done = (await stage.scheduler.get(job)).job
    assert (done.state, [artifact.name for artifact in done.artifacts]) == (JobState.SUCCEEDED, ["note.txt"])


async def test_a_failure_and_a_cancel_arrive(stage: Stage) -> None:
    session, listener = stage.connect()
    job = await stage.submit()
    await assigned(listener)
    session.failed(job, 1, ErrorKind.INVALID, "no", retryable=False)
    await until(lambda: ("settled", "accepted") in listener.heard)
    assert await stage.state(job) is JobState.FAILED
    job = await stage.submit()
    await until(lambda: len(listener.assignments) == 2)
    await stage.scheduler.cancel(job)
    await until(lambda: ("cancelled", (job, 1)) in listener.heard)


async def test_what_is_said_of_foreign_attempts_is_a_fault(stage: Stage) -> None:
    session, listener = stage.connect()
    session.result("01JFOREIGN", 1, {})
    await until(lambda: "faulted" in listener.kinds)


async def test_a_name_of_another_credential_is_turned_away(stage: Stage) -> None:
    stage.connect()
    _, second = stage.connect(grant=Grant("another", "box"))
    await until(lambda: ("turned_away", "name_taken") in second.heard)


async def test_no_known_capability_is_turned_away(stage: Stage) -> None:
    _, listener = stage.connect(capability="paint")
    await until(lambda: ("turned_away", "no_capability") in listener.heard)


async def test_the_same_worker_again_takes_over(stage: Stage) -> None:
    _, first = stage.connect()
    _, second = stage.connect()
    await until(lambda: "welcomed" in second.kinds and ("closed", 4410) in first.heard)


async def test_a_worker_that_cannot_say_what_it_holds_goes_on_with_all_of_it(stage: Stage) -> None:
    first, listener = stage.connect(grace=30.0)
    job = await stage.submit()
    await assigned(listener)
    first.ended("the line broke")
    second, again = stage.connect(holding=None)
    resumed = await assigned(again)
    assert (resumed.job, resumed.attempt, resumed.params["text"]) == (job, 1, "hi")
    second.result(job, 1, {"text": "hi"})
    await until(lambda: ("settled", "accepted") in again.heard)


async def test_a_grace_time_of_its_own_outlives_the_hub(stage: Stage) -> None:
    _, patient = stage.connect(grace=30.0)
    job = await stage.submit()
    await assigned(patient)
    _, plain = stage.connect("plain", Grant("plain", "plain"))
    lost = await stage.submit()
    await assigned(plain)
    await stage.scheduler.stop()
    await stage.start()
    _, other = stage.connect("other", Grant("other", "other"))
    assert (await assigned(other)).job == lost
    _, again = stage.connect(holding=None)
    assert (await assigned(again)).job == job


async def test_a_lost_session_gives_its_jobs_back_at_once(stage: Stage) -> None:
    first, listener = stage.connect(grace=30.0)
    job = await stage.submit()
    await assigned(listener)
    _, other = stage.connect("box-2")
    await until(lambda: "welcomed" in other.kinds)
    first.ended("a fresh process", lost=True)
    again = await assigned(other)
    assert (again.job, again.attempt) == (job, 2)


async def test_who_will_not_come_back_is_forgotten(stage: Stage) -> None:
    first, listener = stage.connect(grace=30.0)
    job = await stage.submit()
    await assigned(listener)
    [(name, given)] = stage.workers.leased("client")
    assert (name, given.job, given.params["text"]) == ("box", job, "hi")
    first.ended("the line broke")
    _, other = stage.connect("box-2")
    await until(lambda: "welcomed" in other.kinds)
    stage.workers.forget("another", "box", "not mine to say")
    stage.workers.forget("client", "box", "a fresh process")
    again = await assigned(other)
    assert (again.job, again.attempt) == (job, 2)
    assert [name for name, _ in stage.workers.leased("client")] == ["box-2"]


async def test_a_suspect_worker_gets_no_job(stage: Stage) -> None:
    session, listener = stage.connect()
    session.update(suspect=True)
    await until(lambda: "welcomed" in listener.kinds)
    await stage.submit()
    assert not listener.assignments
    session.update(suspect=False)
    await assigned(listener)


async def test_what_is_said_after_the_end_has_no_effect(stage: Stage) -> None:
    session, listener = stage.connect(grace=0.01)
    job = await stage.submit()
    await assigned(listener)
    session.ended("gone")
    session.result(job, 1, {"text": "late"})
    _, other = stage.connect("box-2")
    await until(lambda: other.assignments)
    assert await stage.state(job) is JobState.RUNNING
