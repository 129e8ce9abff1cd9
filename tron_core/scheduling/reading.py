"""What there is to see of jobs and workers: snapshots, positions, estimates, events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence

from sqlalchemy import Connection

from tron_core.capability import Capability, Requirements
from tron_core.errors import NotFound
from tron_core.job import Job, JobEvent, JobState
from tron_core.scheduling.board import Board, Entry
from tron_core.scheduling.dispatcher import Dispatcher
from tron_core.scheduling.views import Availability, LiveJob, WorkerView
from tron_core.storage.job_queries import fetch, fetch_many, list_ids

POSITIONS_EVERY = 1.0
"""Seconds between two looks at the positions of the waiting jobs that somebody watches."""

logger = logging.getLogger(__name__)


class Reading:
    def __init__(self, board: Board, dispatcher: Dispatcher) -> None:
        self._board = board
        self._dispatcher = dispatcher
        self._positions: asyncio.TimerHandle | None = None
        self._shown_positions: dict[str, int] = {}

    def stop(self) -> None:
        """Watch positions no longer."""
        if self._positions is not None:
            self._positions.cancel()
            self._positions = None

    async def fetch(self, job: str) -> Job:
        entry = self._board.entries.get(job)
        if entry is not None:
            return entry.job  # as it was last committed
        found = await self._board.database.read(lambda connection: fetch(connection, job))
        if found is None:
            raise NotFound(f"There is no job {job}.")
        return found

    async def get(self, job: str) -> LiveJob:
        """Raises NotFound."""
        return self.live(await self.fetch(job))

    async def list_jobs(
        self,
        *,
        requester: str | None = None,
        states: Sequence[JobState] = (),
        capability: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[LiveJob], str | None]:
        """Newest first, with the cursor of the next page (None at the end)."""

        def page(connection: Connection) -> list[Job]:
            ids = list_ids(
                connection, requester=requester, states=states, capability=capability, limit=limit + 1, before=cursor
            )
            return fetch_many(connection, ids)

        found = await self._board.database.read(page)
        more = len(found) > limit
        return [self.live(job) for job in found[:limit]], found[limit - 1].id if more else None

    def live(self, job: Job) -> LiveJob:
        entry = self._board.entries.get(job.id)
        if entry is None:
            return LiveJob(job)
        lease = entry.lease
        return LiveJob(
            job=job,
            position=self._position(entry),
            eta_seconds=self._eta(entry),
            progress=lease.progress if lease else None,
            text=entry.shown if lease else "",
            message=entry.message,
        )

    def _position(self, entry: Entry) -> int | None:
        if entry.job.state is not JobState.QUEUED:
            return None
        return 1 if entry.waiting is None else 1 + self._board.queue.ahead_of(entry.waiting)

    def _eta(self, entry: Entry) -> float | None:
        """Seconds until its end, as far as anybody can tell: what is ahead is taken to cost what this job costs."""
        lease, now = entry.lease, self._board.clock.now()
        if lease is not None:
            elapsed = now - lease.started_at
            fraction = lease.progress.fraction if lease.progress else 0.0
            if fraction >= 0.05:
                return max(0.0, elapsed / fraction - elapsed)
            return max(0.0, self._board.estimate(entry, lease.worker.name) - elapsed)
        capable = self._board.roster.capable(entry.key.capability, entry.key.requirements)
        slots = sum(worker.slots for worker in capable)
        if slots == 0:
            return None
        seconds = self._board.estimate(entry)
        ahead = (self._position(entry) or 1) - 1
        busy = 0.0 if any(worker.free for worker in capable) else seconds / 2
        return busy + seconds * (ahead / slots + 1) + max(0.0, entry.not_before - now)

    async def watch(self, job: str) -> AsyncGenerator[JobEvent, None]:
        """The events of a job from now: first its present state (and the text so far as one ``partial`` with seq 0),
        the last is ``result``. Raises NotFound at the first item."""
        watchers = self._board.watchers
        watch = watchers.add(job)
        self._keep_positions()
        try:
            live = await self.get(job)
            watch.begin(_present(live))
            async for event in watch.read():
                yield event
        finally:
            watchers.remove(job, watch)
            self._shown_positions.pop(job, None)

    def _keep_positions(self) -> None:
        if self._positions is None:
            loop = asyncio.get_running_loop()
            self._positions = loop.call_later(POSITIONS_EVERY, self._tell_positions)

    def _tell_positions(self) -> None:
        """Tell those who watch a waiting job when its position has changed; ends when nobody watches."""
        self._positions = None
        watched = self._board.watchers.jobs()
        for job in watched:
            entry = self._board.entries.get(job)
            position = None if entry is None else self._position(entry)
            if entry is not None and position is not None and self._shown_positions.get(job) != position:
                self._shown_positions[job] = position
                self._board.watchers.tell(_state_event(self.live(entry.job)))
        if watched:
            self._keep_positions()

    def workers(self) -> list[WorkerView]:
        """Every worker that is connected, or awaited within its grace time."""
        return [worker.view(dict(self._dispatcher.why_skipped(worker))) for worker in self._board.roster]

    def availability(self, capability: str) -> Availability:
        """Whether somebody connected can do a capability now."""
        able = self._board.roster.capable(capability, Requirements())
        return Availability(any(not worker.draining for worker in able), len(able))

    def choices(self, capability: str, field: str) -> list[str]:
        """What the plugin knows and what connected workers announced, without repeats, the plugin's first."""
        known = self._board.capability(capability)
        found = dict.fromkeys(_own_choices(known, field))
        for worker in self._board.roster:
            offer = worker.offers.get(capability)
            if offer is not None and worker.session is not None:
                found.update(dict.fromkeys(offer.choices.get(field, ())))
                if field == "model":
                    found.update(dict.fromkeys(offer.models))
        return list(found)

    def queue_length(self) -> int:
        """Jobs that wait."""
        return sum(self._board.queued_by.values())


def _own_choices(capability: Capability | None, field: str) -> Sequence[str]:
    try:
        return () if capability is None else tuple(capability.choices(field))
    except Exception:
        logger.exception("a capability cannot say what %s may be", field)
        return ()


def _state_event(live: LiveJob) -> JobEvent:
    job = live.job
    data = {
        "state": job.state.value,
        "position": live.position,
        "eta_seconds": live.eta_seconds,
        "attempt": job.attempt,
        "message": live.message,
    }
    return JobEvent("state", job.id, job.capability, job.requester, data)


def _present(live: LiveJob) -> list[JobEvent]:
    """What a new watcher is shown first."""
    job = live.job
    events = [_state_event(live)]
    if live.text:
        events.append(JobEvent("partial", job.id, job.capability, job.requester, {"seq": 0, "text": live.text}))
    if job.state.over and job.reply is not None:
        events.append(JobEvent("result", job.id, job.capability, job.requester, {"state": job.state.value}))
    return events
