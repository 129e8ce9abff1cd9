"""What the scheduler holds in memory: the jobs that are not over, their leases, the queue and the workers.

SQL is the authority; all of this can be built again from it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError

from tron_core.capability import Capability
from tron_core.clock import Clock
from tron_core.errors import Unavailable
from tron_core.job import Artifact, Job, JobEvent, JobState, Progress
from tron_core.plugins import Plugins
from tron_core.scheduling.bus import Bus
from tron_core.scheduling.estimates import Estimates
from tron_core.scheduling.events import Watchers
from tron_core.scheduling.messages import EVENTS, ToSession, session_address
from tron_core.scheduling.policy import ClassKey, FairQueue, Waiting
from tron_core.scheduling.roster import Roster, Worker
from tron_core.storage.database import Database

T = TypeVar("T")

Inputs = tuple[tuple[str, Artifact], ...]
"""The files of a job as (field, artifact)."""

AWAY_FIRST = 1.0
AWAY_LONGEST = 30.0
"""Seconds between two tries while the database is away: the first time, and at most."""

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Lease:
    """The claim that an attempt is alive. ``settling``: its result or error is being written."""

    attempt: int
    worker: Worker
    model: str | None
    started_at: float
    settling: bool = False
    progress: Progress | None = None
    text: str = ""
    seq: int = -1
    restarted: bool = False
    previews: bool = False
    deadline: asyncio.TimerHandle | None = None


@dataclass(slots=True, eq=False)
class Entry:
    """A job that is not over. ``lock`` orders its transitions; ``job`` is the snapshot as it was last committed,
    ``shown`` the partial text that went out in events."""

    job: Job
    key: ClassKey
    losses: int
    expected_seconds: float
    deadline_seconds: float
    queue_ttl: float
    expires_at: float
    not_before: float = 0.0
    waiting: Waiting | None = None
    lease: Lease | None = None
    inputs: Inputs | None = None
    message: str | None = None
    shown: str = ""
    expiry: asyncio.TimerHandle | None = None
    wake: asyncio.TimerHandle | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def id(self) -> str:
        return self.job.id

    def changed(self, **values: Any) -> None:
        """Replace fields of the snapshot after a commit."""
        self.job = replace(self.job, **values)


class Board:
    """The shared state of the scheduler's parts, and how they speak."""

    def __init__(self, plugins: Plugins, database: Database, bus: Bus, clock: Clock) -> None:
        self.plugins = plugins
        self.database = database
        self.bus = bus
        self.clock = clock
        self.queue = FairQueue()
        self.roster = Roster()
        self.estimates = Estimates()
        self.watchers = Watchers()
        self.entries: dict[str, Entry] = {}
        self.queued_by: Counter[str] = Counter()
        self.tasks: set[asyncio.Task[None]] = set()
        self.handing_out = True

    def capability(self, name: str) -> Capability | None:
        return self.plugins.capabilities.get(name)

    def send(self, worker: Worker, message: ToSession) -> None:
        """Say something to a worker; nothing happens where it is not connected."""
        if worker.session is not None:
            self.bus.send(session_address(worker.session), message)

    def emit(self, job: Job, kind: str, data: Mapping[str, Any]) -> None:
        """Publish an event to watchers, observers and the frontend of the job's target."""
        self.bus.send(EVENTS, JobEvent(kind, job.id, job.capability, job.requester, data))

    def enqueue(self, entry: Entry, *, returned: bool = False) -> None:
        """Let an entry wait in the queue."""
        entry.waiting = Waiting(
            id=entry.id,
            requester=entry.job.requester,
            key=entry.key,
            rank=entry.job.priority.rank,
            cost=self.estimate(entry),
            created_at=entry.job.created_at,
            returned=returned,
        )
        self.queue.add(entry.waiting)

    def withdraw(self, entry: Entry) -> None:
        """Take an entry out of the queue, and stop what would put it there."""
        if entry.waiting is not None:
            self.queue.remove(entry.id)
            entry.waiting = None
        for timer in (entry.expiry, entry.wake):
            if timer is not None:
                timer.cancel()
        entry.expiry = entry.wake = None

    def add(self, entry: Entry) -> None:
        self.entries[entry.id] = entry
        if entry.job.state is JobState.QUEUED:
            self.queued_by[entry.job.requester] += 1

    def left_queue(self, entry: Entry) -> None:
        """The requester has one queued job less."""
        self.queued_by[entry.job.requester] -= 1
        if self.queued_by[entry.job.requester] <= 0:
            del self.queued_by[entry.job.requester]

    def drop(self, entry: Entry) -> None:
        """The job is over: memory forgets it."""
        self.withdraw(entry)
        self.entries.pop(entry.id, None)

    def release(self, entry: Entry) -> Lease | None:
        """End the entry's lease and free its slot; returns what it was."""
        lease, entry.lease = entry.lease, None
        if lease is not None:
            lease.worker.held.pop((entry.id, lease.attempt), None)
            lease.worker.settling.pop((entry.id, lease.attempt), None)
            if lease.deadline is not None:
                lease.deadline.cancel()
        return lease

    def say_whether_possible(self, entry: Entry) -> bool:
        """Note and tell whether anybody connected can do a waiting job; returns it."""
        key = entry.key
        if self.roster.capable(key.capability, key.requirements):
            entry.message = None
            return True
        left = max(0.0, entry.expires_at - self.clock.now())
        offering = [worker for worker in self.roster if worker.session and key.capability in worker.offers]
        why = f" ({offering[0].cannot(key.capability, key.requirements)})" if offering else ""
        entry.message = f"No worker for this now{why}; waiting up to {max(1, round(left / 60))} min."
        self.emit(entry.job, "state", {"state": "queued", "message": entry.message})
        return False

    def estimate(self, entry: Entry, worker: str | None = None) -> float:
        """Expected seconds of work, never less than a millisecond (a job that costs nothing would never be charged)."""
        model = entry.key.requirements.model
        seconds = self.estimates.seconds(entry.job.capability, model, worker, entry.expected_seconds)
        return max(0.001, seconds)

    def keep(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run a coroutine as a task that is kept and awaited at the end; the caller sees to what it raises."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """``keep`` for work that nobody waits for: what it raises is reported."""
        self.keep(work, name).add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            loop = asyncio.get_running_loop()
            loop.call_exception_handler(
                {"message": f"the scheduler's task {task.get_name()} failed", "exception": task.exception()}
            )

    async def durably(self, work: Callable[[], Awaitable[T]]) -> T:
        """Await a write or read whose outcome must not be lost: while the database is away (or its disk full) it is
        tried again, after ``AWAY_FIRST`` seconds and then ever longer."""
        delay = AWAY_FIRST
        while True:
            try:
                return await work()
            except (OperationalError, InterfaceError, Unavailable) as error:
                logger.error("the database is away; trying again in %g s: %s", delay, error)
                await asyncio.sleep(delay)
                delay = min(AWAY_LONGEST, 2 * delay)

    def stop_timers(self) -> None:
        """Let nothing begin later that is not begun yet."""
        for entry in self.entries.values():
            self.withdraw(entry)
            if entry.lease is not None and entry.lease.deadline is not None:
                entry.lease.deadline.cancel()
        for worker in self.roster:
            worker.forget_ending()
            if worker.grace_timer is not None:
                worker.grace_timer.cancel()

    async def finish_tasks(self, seconds: float) -> None:
        """Wait so long for what is being written, then end it: SQL has what was committed."""
        deadline = self.clock.monotonic() + seconds
        while self.tasks and self.clock.monotonic() < deadline:
            await asyncio.wait(self.tasks, timeout=deadline - self.clock.monotonic())
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
