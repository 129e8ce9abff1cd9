"""A stage for the scheduler: real database, real Bus, real plugins; workers are scripted at the Bus."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest

import tron_core as tron
from tron_core.clock import SystemClock
from tron_core.errors import NotFound
from tron_core.job import ErrorKind, Job, JobEvent, Metrics, Progress, StoredReply
from tron_core.plugins import Plugins
from tron_core.scheduling.bus import LocalBus
from tron_core.scheduling.messages import (
    SCHEDULER,
    Assign,
    AttemptError,
    AttemptPartial,
    AttemptProgress,
    AttemptResult,
    AttemptSettled,
    Offer,
    Welcomed,
    WorkerConnected,
    WorkerGone,
    WorkerStatus,
    session_address,
)
from tron_core.scheduling.scheduler import Rules, Scheduler
from tron_core.scheduling.views import LiveJob
from tron_core.storage.artifacts import Artifacts, open_store
from tron_core.storage.database import Database
from tron_core.storage.saved_settings import SavedSettings

M = TypeVar("M")
PATIENCE = 5.0
"""Seconds after which a test stops waiting."""


class PaintParams(tron.Params):
    prompt: str = tron.Prompt("What to paint")
    steps: int = tron.Setting(20, ge=1, le=100, help="How long to paint")
    model: str | None = tron.Setting(None, help="With what")
    picture: tron.Attachment | None = tron.Input("What to begin with", accept="image/*", default=None)


class Paint(tron.Capability):
    name = "paint"
    command = tron.Command("paint")
    params = PaintParams
    seconds = 60.0
    failures = 0

    def deadline(self, params: PaintParams) -> float:
        return self.seconds

    async def handle_result(self, job: tron.Job, result: tron.Result) -> tron.Reply:
        if self.failures > 0:
            self.failures -= 1
            raise RuntimeError("the handler is broken")
        return tron.Reply(text=f"painted {result.output['what']}")


class EchoParams(tron.Params):
    text: str = tron.Prompt("What to say")


class Here(tron.Capability):
    """Runs on the hub."""

    name = "here"
    command = tron.Command("here")
    params = EchoParams
    runs_on = "hub"

    async def run(self, params: EchoParams, ctx: Any) -> Mapping[str, Any]:
        ctx.progress(0.5, "halfway")
        if params.text == "fail":
            raise tron.TronError("no")
        if params.text == "who":
            return {"text": f"{ctx.asker.requester_name} ({ctx.asker.requester}) in {ctx.asker.channel}"}
        if params.text == "wait":
            await asyncio.Event().wait()
        ctx.artifact("note.txt", "text/plain", params.text.encode())
        return {"text": params.text}


class TestPlugin:
    """The plugin that the tests register; a test may change what it does."""

    __test__ = False

    def __init__(self) -> None:
        self.paint = Paint()
        self.submitting: Callable[[tron.JobRequest], tron.JobRequest | None] = lambda request: None
        self.events: list[JobEvent] = []

    @tron.hookimpl
    def tron_register_capabilities(self) -> list[tron.Capability]:
        return [self.paint, Here()]

    @tron.hookimpl
    async def tron_job_submitting(self, request: tron.JobRequest) -> tron.JobRequest | None:
        return self.submitting(request)

    @tron.hookimpl
    async def tron_job_event(self, event: JobEvent) -> None:
        self.events.append(event)


class FakeFrontend:
    """A frontend that may fail."""

    name = "fake"

    def __init__(self) -> None:
        self.delivered: list[tuple[str, str, str]] = []
        self.shown: list[JobEvent] = []
        self.failing = 0

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def deliver(self, delivery: str, job: Job, reply: StoredReply) -> None:
        if self.failing > 0:
            self.failing -= 1
            raise ConnectionError("the place is away")
        self.delivered.append((delivery, job.id, reply.text))

    def show(self, job: Job, event: JobEvent) -> None:
        self.shown.append(event)


class ScriptedWorker:
    """A worker at the Bus: says what a test tells it, keeps what it hears."""

    def __init__(
        self, bus: LocalBus, name: str, *, client_id: str = "client", capability: str = "paint", **offer: Any
    ) -> None:
        self.bus = bus
        self.name = name
        self.capability = capability
        self.client_id = client_id
        self.offer = Offer(**{"models": ("oil", "ink"), **offer})
        self.heard: list[Any] = []
        self.session = ""
        self._sessions = 0
        self._unlisten: Callable[[], None] = lambda: None

    async def connect(self, **options: Any) -> Welcomed:
        self.hello(**options)
        return await self.hear(Welcomed)

    def hello(
        self, *, slots: int = 1, holding: tuple[tuple[str, int], ...] = (), hardware: Mapping[str, Any] | None = None
    ) -> None:
        self._sessions += 1
        self.session = f"{self.name}-{self.client_id}-{self._sessions}"
        self.heard.clear()
        self._unlisten = self.bus.listen(session_address(self.session), self.heard.append)
        hello = WorkerConnected(
            session=self.session,
            worker=self.name,
            client_id=self.client_id,
            protocol="tron.v1",
            software="scripted",
            offers={self.capability: self.offer},
            slots=slots,
            hardware=hardware or {},
            holding=holding,
        )
        self.bus.send(SCHEDULER, hello)

    def drop(self, **how: Any) -> None:
        """The connection ends."""
        self._unlisten()
        self.bus.send(SCHEDULER, WorkerGone(self.session, **how))

    async def hear(self, kind: type[M]) -> M:
        """The next message of a kind; it is not heard again."""
        await until(lambda: any(isinstance(message, kind) for message in self.heard))
        found = next(message for message in self.heard if isinstance(message, kind))
        self.heard.remove(found)
        return found

    async def job(self) -> Assign:
        return await self.hear(Assign)

    async def settled(self) -> str:
        return (await self.hear(AttemptSettled)).outcome

    def result(self, job: Assign, what: str = "a fox", files: tuple[str, ...] = ()) -> None:
        result = AttemptResult(self.session, job.job, job.attempt, {"what": what}, files, Metrics(1.0))
        self.bus.send(SCHEDULER, result)

    def error(self, job: Assign, kind: str = "transient", *, retryable: bool = True, message: str = "oops") -> None:
        error = AttemptError(self.session, job.job, job.attempt, ErrorKind(kind), message, retryable)
        self.bus.send(SCHEDULER, error)

    def progress(self, job: Assign, fraction: float) -> None:
        self.bus.send(SCHEDULER, AttemptProgress(self.session, job.job, job.attempt, Progress(fraction)))

    def partial(self, job: Assign, seq: int, text: str) -> None:
        self.bus.send(SCHEDULER, AttemptPartial(self.session, job.job, job.attempt, seq, text))

    def status(self, **changes: Any) -> None:
        self.bus.send(SCHEDULER, WorkerStatus(self.session, **changes))


async def until(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    """Wait for a condition; the loop turns meanwhile."""
    deadline = asyncio.get_running_loop().time() + patience
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError("waited in vain")
        await asyncio.sleep(0.002)


class Stage:
    """A hub without network: everything below the frontends and above the sockets."""

    def __init__(self, database: Database, folder: Path, **rules: Any) -> None:
        self.database = database
        self.folder = folder
        self.rules = Rules(**rules)
        self.clock = SystemClock()
        self.plugin = TestPlugin()
        self.frontend = FakeFrontend()
        self.bus = LocalBus()

    async def start(self) -> None:
        self.bus = LocalBus()
        self.plugins = Plugins()
        record = self.plugins.register("easel", self.plugin)
        assert record.state == "active", record.reason
        self.artifacts = Artifacts(
            self.database, open_store("file:artifacts", self.folder, {}), max_bytes=1_000_000, clock=self.clock
        )
        self.saved_settings = SavedSettings(self.database, self.clock)
        self.scheduler = Scheduler(
            plugins=self.plugins,
            database=self.database,
            artifacts=self.artifacts,
            saved_settings=self.saved_settings,
            bus=self.bus,
            clock=self.clock,
            rules=self.rules,
            sign_ticket=lambda **grant: "ticket",
            http_url=lambda dialled: "http://hub.test",
        )
        await self.scheduler.start({"fake": self.frontend})

    async def restart(self) -> None:
        """As after a crash: memory is gone, the database stays."""
        await self.scheduler.stop()
        await self.start()

    def worker(self, name: str = "w1", **options: Any) -> ScriptedWorker:
        return ScriptedWorker(self.bus, name, **options)

    async def submit(self, prompt: str = "a fox", requester: str = "api:alice", **request: Any) -> str:
        params = {"prompt": prompt, **request.pop("params", {})}
        return (await self.scheduler.submit(tron.JobRequest("paint", params, requester, **request))).job.id

    async def until(self, condition: Callable[[], object]) -> None:
        await until(condition)

    async def live(self, job: str, condition: Callable[[LiveJob], object]) -> LiveJob:
        """Wait until what is shown of a job satisfies a condition."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not condition(live := await self.scheduler.get(job)):
            assert asyncio.get_running_loop().time() < deadline, live
            await asyncio.sleep(0.002)
        return live

    async def gone(self, artifact: str) -> None:
        """Wait until an artifact is removed."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        with contextlib.suppress(NotFound):
            while asyncio.get_running_loop().time() < deadline:
                await self.artifacts.get(artifact)
                await asyncio.sleep(0.002)
            raise AssertionError(f"{artifact} is still there")

    async def state(self, job: str) -> str:
        return (await self.scheduler.get(job)).job.state.value

    async def reaches(self, job: str, state: str) -> Job:
        """Wait until a job is in a state with its reply stored, if it is over."""
        found = await self.live(
            job, lambda live: live.job.state == state and (not live.job.state.over or live.job.reply is not None)
        )
        return found.job


MakeStage = Callable[..., Awaitable[Stage]]


@pytest.fixture
async def make_stage(database: Database, tmp_path: Path) -> AsyncIterator[MakeStage]:
    """Makes stages with rules of a test's own; all end with the test."""
    stages: list[Stage] = []

    async def make(**rules: Any) -> Stage:
        stage = Stage(database, tmp_path, **rules)
        await stage.start()
        stages.append(stage)
        return stage

    yield make
    for stage in stages:
        await stage.scheduler.stop()


@pytest.fixture
async def stage(make_stage: MakeStage) -> Stage:
    return await make_stage(resume_grace=0.3)
