"""A small simulator: workers that drop out, come back, repeat themselves and speak of what is not theirs; people who
submit, cancel, retry and go away; a database that is away now and then; a hub that stops and crashes. At the end one
oracle that knows what was accepted looks at what became of it.

Everything that happens is drawn from one seed, which is the test's parameter.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

import tron_core as tron
from tron_core.errors import TronError
from tron_core.job import Job, Outcome, Priority, Target
from tron_core.scheduling import board, outbox, replies, scheduler, settlement
from tron_core.scheduling.messages import (
    SCHEDULER,
    Assign,
    AttemptResult,
    AttemptSettled,
    CancelAttempt,
    Held,
    Turned,
    Welcomed,
)
from tron_core.storage.job_queries import fetch_many
from tron_core.storage.tables import deliveries, jobs

MakeStage = Callable[..., Awaitable[Any]]
PEOPLE = ("api:alice", "api:bob", "fake:carol", "fake:dave")
WORKERS = ("w1", "w2", "w3")
MAX_ATTEMPTS = 2
STEPS = 600


def what(job: str, attempt: int, worker: str) -> str:
    """The output that only this attempt of this worker returns."""
    return f"{job} {attempt} {worker}"


class Oracle:
    """What was promised: knows no more than people and workers were told."""

    def __init__(self) -> None:
        self.accepted: set[str] = set()
        self.cancelled: set[str] = set()
        self.retries: Counter[str] = Counter()
        self.counted: Counter[Held] = Counter()
        self.handed_out: Counter[Held] = Counter()
        self.wrong: list[str] = []

    def assigned(self, assign: Assign, worker: str) -> None:
        self.handed_out[assign.job, assign.attempt] += 1
        if assign.job in self.cancelled:
            self.wrong.append(f"{worker} was given {assign.job} after its cancel had returned")

    def settled(self, message: AttemptSettled) -> None:
        if message.outcome == "accepted":
            self.counted[message.job, message.attempt] += 1

    def judge(self, job: Job) -> None:
        """Everything that must hold of one job that is over."""
        tried, succeeded = job.attempts, [a for a in job.attempts if a.outcome is Outcome.SUCCEEDED]
        assert job.state.over, job
        assert job.reply is not None, job
        assert [attempt.number for attempt in tried] == list(range(1, len(tried) + 1)), tried
        assert all(attempt.ended_at is not None for attempt in tried), tried
        assert len(succeeded) == (job.state == "succeeded"), tried
        if succeeded:
            assert succeeded[0] is tried[-1]
            assert job.output == {"what": what(job.id, succeeded[0].number, succeeded[0].worker)}
        assert (job.state == "cancelled") >= (job.id in self.cancelled), job
        losses = sum(attempt.outcome.counts for attempt in tried if attempt.outcome)
        assert losses <= MAX_ATTEMPTS * (1 + self.retries[job.id]), tried


class Actor:
    """A worker with a will of its own; ``holds`` is what it believes to be its attempts."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.worker = world.stage.worker(name)
        self.connected = False
        self.holds: dict[Held, Assign] = {}
        self.past: list[Assign] = []

    def connect(self) -> None:
        self.listen()
        self.worker.bus = self.world.stage.bus
        forgotten = self.world.rng.random() < 0.2
        self.holds = {} if forgotten else self.holds
        self.worker.hello(slots=1, holding=tuple(self.holds))
        self.connected = True

    def drop(self) -> None:
        self.listen()
        self.worker.drop(lost=self.world.rng.random() < 0.3)
        self.connected = False

    def listen(self) -> None:
        """Take in what was heard."""
        heard, self.worker.heard[:] = list(self.worker.heard), []
        for message in heard:
            if isinstance(message, Assign):
                self.world.oracle.assigned(message, self.name)
                self.holds[message.job, message.attempt] = message
                self.past.append(message)
            elif isinstance(message, AttemptSettled):
                self.world.oracle.settled(message)
                self.holds.pop((message.job, message.attempt), None)
            elif isinstance(message, Welcomed):
                self.holds = {held: self.holds[held] for held in message.resume}
            elif isinstance(message, CancelAttempt) and (message.job, message.attempt) in self.holds:
                self.world.rng.choice([self.fail, self.give])(self.holds[message.job, message.attempt])
            elif isinstance(message, Turned):
                self.connected = False

    def give(self, assign: Assign) -> None:
        self.worker.result(assign, what(assign.job, assign.attempt, self.name))

    def fail(self, assign: Assign) -> None:
        self.worker.error(assign, retryable=self.world.rng.random() < 0.8)

    def act(self) -> None:
        """Do something with an attempt: mostly what is right."""
        rng = self.world.rng
        if self.holds and rng.random() < 0.4:
            assign = rng.choice(list(self.holds.values()))
            rng.choice([self.give, self.fail, lambda a: self.worker.progress(a, 0.5)])(assign)
        if self.past and rng.random() < 0.3:
            self.give(rng.choice(self.past))
        foreign = [assign for other in self.world.actors if other is not self for assign in other.past]
        if foreign and rng.random() < 0.2:
            theft = rng.choice(foreign)
            self.worker.bus.send(SCHEDULER, AttemptResult(self.worker.session, theft.job, theft.attempt, {"what": ""}))


class World:
    """One run: the stage, its workers and people, and what may go wrong."""

    def __init__(self, stage: Any, rng: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stage, self.rng, self.monkeypatch = stage, rng, monkeypatch
        self.oracle = Oracle()
        self.actors = [Actor(self, name) for name in WORKERS]
        self.asking: set[asyncio.Task[None]] = set()
        self.known: list[str] = []
        self.outage = 0.0
        for method in ("read", "write", "write_rows"):
            monkeypatch.setattr(stage.database, method, self._unreliable(getattr(stage.database, method)))

    def _unreliable(self, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any) -> Any:
            if self.rng.random() < self.outage:
                raise OperationalError("SELECT 1", {}, Exception("gone away"))
            return await method(*args)

        return call

    # People

    def ask(self, request: Callable[[], Awaitable[None]]) -> None:
        """Somebody asks for something; now and then they do not wait for the answer."""
        task = asyncio.get_running_loop().create_task(self._patiently(request))
        self.asking.add(task)
        task.add_done_callback(self.asking.discard)
        if self.rng.random() < 0.3:
            asyncio.get_running_loop().call_later(0.003 * self.rng.random(), task.cancel)

    async def _patiently(self, request: Callable[[], Awaitable[None]]) -> None:
        try:
            await request()
        except (TronError, OperationalError):
            return  # they are told so, and nothing was promised

    async def submit(self) -> None:
        rng, requester = self.rng, self.rng.choice(PEOPLE)
        target = Target("fake", {"message": "1"}) if requester.startswith("fake") else None
        priority = rng.choice([*Priority, Priority.NORMAL])
        request = tron.JobRequest("paint", {"prompt": "a fox"}, requester, target=target, priority=priority)
        job = (await self.stage.scheduler.submit(request)).job.id
        self.oracle.accepted.add(job)
        self.known.append(job)

    async def cancel(self) -> None:
        if self.known:
            job = self.rng.choice(self.known[-6:])
            await self.stage.scheduler.cancel(job)
            for actor in self.actors:
                actor.listen()  # what was handed out before
            self.oracle.cancelled.add(job)

    async def retry(self) -> None:
        if self.known:
            job = self.rng.choice(self.known[-15:])
            self.oracle.retries[job] += 1  # whether or not it will be: it is a bound
            await self.stage.scheduler.retry(job)

    # The hub

    async def restart(self, *, crash: bool) -> None:
        """Stop in good order, or as a crash does: nothing more is said or begun, what the writer has is committed."""
        if crash:
            for task in tuple(self.asking):
                task.cancel()
        await asyncio.gather(*self.asking, return_exceptions=True)
        self.outage = 0.0
        self.monkeypatch.setattr(scheduler, "STOP_SECONDS", 0.0 if crash else 10.0)
        await self.stage.scheduler.stop()
        await self.stage.database.write(lambda connection: None)
        for actor in self.actors:
            actor.listen()
            actor.connected = False
        await self.stage.start()

    # The run

    async def step(self) -> None:
        rng = self.rng
        event = rng.random()
        if event < 0.30:
            self.ask(
                rng.choice([self.submit, self.submit, self.submit, self.cancel, self.cancel, self.retry, self.retry])
            )
        elif event < 0.33:
            self.outage = rng.choice([0.0, 0.3, 0.8])
        elif event < 0.35:
            self.stage.frontend.failing = self.stage.plugin.paint.failures = rng.randrange(3)
        elif event < 0.36:
            await self.restart(crash=rng.random() < 0.5)
        else:
            actor = rng.choice(self.actors)
            actor.listen()
            if not actor.connected:
                actor.connect()
            elif event < 0.45:
                rng.choice([actor.drop, actor.connect])()
            else:
                actor.act()
        for _ in range(rng.randrange(4)):
            await asyncio.sleep(0)
        if rng.random() < 0.1:
            await asyncio.sleep(0.01)

    async def settle(self) -> None:
        """Everything works again, and every worker does its jobs."""
        self.outage = 0.0
        self.stage.frontend.failing = self.stage.plugin.paint.failures = 0
        await asyncio.gather(*self.asking, return_exceptions=True)
        deadline = asyncio.get_running_loop().time() + 10.0
        while not await self.quiet():
            assert asyncio.get_running_loop().time() < deadline, self.stage.scheduler._board.entries
            for actor in self.actors:
                actor.listen()
                if not actor.connected:
                    actor.connect()
                for assign in actor.holds.values():
                    actor.give(assign)
            await asyncio.sleep(0.005)

    async def quiet(self) -> bool:
        held = self.stage.scheduler._board
        if held.entries or held.tasks or any(actor.holds for actor in self.actors):
            return False
        unanswered = select(jobs.c.id).where(jobs.c.reply.is_(None))
        undelivered = select(deliveries.c.id).where(deliveries.c.settled_at.is_(None))
        return not await self.stage.database.read(lambda c: [*c.execute(unanswered), *c.execute(undelivered)])

    async def judge(self) -> None:
        assert not self.oracle.wrong
        found = await self.stage.database.read(lambda c: fetch_many(c, list(c.scalars(select(jobs.c.id)))))
        assert {job.id for job in found} >= self.oracle.accepted
        for job in found:
            self.oracle.judge(job)
        assert max(self.oracle.counted.values(), default=0) <= 1
        assert max(self.oracle.handed_out.values(), default=0) <= 1
        self.judge_deliveries(found)
        self.judge_memory()

    def judge_deliveries(self, found: list[Job]) -> None:
        """Each end is told under one delivery, however often that was tried; the last one says how it is now."""
        told: dict[str, dict[str, str]] = defaultdict(dict)
        for delivery, job_id, text in self.stage.frontend.delivered:
            told[job_id][delivery] = text
        for job in found:
            if job.target is not None:
                assert job.reply is not None
                assert 1 <= len(told[job.id]) <= 1 + self.oracle.retries[job.id], told[job.id]
                assert list(told[job.id].values())[-1] == job.reply.text

    def judge_memory(self) -> None:
        held = self.stage.scheduler._board
        assert self.stage.scheduler.queue_length() == 0
        assert not len(held.queue)
        assert not held.queue.classes()
        for worker in held.roster:
            assert (worker.held, worker.settling, worker.reserved, worker.inquiries) == ({}, {}, 0, 0)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.parametrize("seed", range(4))
async def test_every_promise_holds_whatever_happens(
    seed: int, make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "AWAY_FIRST", 0.001)
    monkeypatch.setattr(board, "AWAY_LONGEST", 0.004)
    monkeypatch.setattr(settlement, "BACKOFF", (0.001, 0.002, 0.004))
    monkeypatch.setattr(settlement, "ENDING_GRACE", 0.05)
    monkeypatch.setattr(replies, "RETRY_AFTER", (0.001,))
    monkeypatch.setattr(outbox, "FIRST_RETRY", 0.001)
    stage = await make_stage(resume_grace=0.02, max_attempts=MAX_ATTEMPTS, max_queued_per_user=1000)
    world = World(stage, random.Random(seed), monkeypatch)
    for _ in range(STEPS):
        await world.step()
    await world.settle()
    await world.judge()
    assert len(world.oracle.accepted) > 10  # else nothing was tested
