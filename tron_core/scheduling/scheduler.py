"""The scheduler: takes requests, keeps the queue, hands jobs to workers, settles results.

The parts: intake (what becomes a job), dispatcher (who gets it), connections (what sessions say), settlement (how
attempts end), replies (what people are shown), outbox (until they are). This module puts them together and is what
frontends call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from sqlalchemy.exc import IntegrityError
from ulid import ULID

from tron_core.api import Frontend
from tron_core.capability import Requirements
from tron_core.clock import Clock
from tron_core.errors import Conflict, Forbidden, NotFound, Refused, TooMany, TronError, Unavailable
from tron_core.job import Job, JobEvent, JobRequest, JobState, Outcome, StoredAction, Target
from tron_core.plugins import Plugins
from tron_core.scheduling.board import Board, Entry, Inputs, Lease
from tron_core.scheduling.bus import Bus
from tron_core.scheduling.connections import Connections, SignTicket
from tron_core.scheduling.dispatcher import Dispatcher
from tron_core.scheduling.fencing import Fencing
from tron_core.scheduling.hub_worker import HubWorker
from tron_core.scheduling.intake import Intake, Prepared, request_hash
from tron_core.scheduling.messages import EVENTS, SCHEDULER, Assign, AttemptResult, TellWorker
from tron_core.scheduling.needs import Needs, needs_of
from tron_core.scheduling.observers import Observers
from tron_core.scheduling.outbox import Outbox
from tron_core.scheduling.policy import ClassKey
from tron_core.scheduling.reading import Reading
from tron_core.scheduling.replies import Replies
from tron_core.scheduling.roster import HUB_WORKER
from tron_core.scheduling.settlement import Settlement
from tron_core.scheduling.views import Availability, LiveJob, WorkerView
from tron_core.storage.artifacts import Artifacts
from tron_core.storage.database import Database
from tron_core.storage.deliveries import NewDelivery
from tron_core.storage.job_queries import OpenJob, find_repeat, load_open, recent_timings
from tron_core.storage.jobs import NewJob, insert_jobs, retry_job, set_target
from tron_core.storage.saved_settings import SavedSettings
from tron_core.storage.workers import draining_workers, grace_times, set_draining

STOP_SECONDS = 10.0
"""Seconds for which a stop waits for what is being written."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rules:
    """``[scheduling]`` of the configuration, and ``limits.picture_pixels``; times in seconds."""

    resume_grace: float = 30.0
    max_attempts: int = 3
    no_worker: str = "queue"
    queue_ttl: float = 1800.0
    max_queued_per_user: int = 20
    max_pixels: int = 64_000_000


class Scheduler:
    """``http_url`` gives, for what a worker dialled, the base of the REST side's URLs as that worker can reach it."""

    def __init__(
        self,
        *,
        plugins: Plugins,
        database: Database,
        artifacts: Artifacts,
        saved_settings: SavedSettings,
        bus: Bus,
        clock: Clock,
        rules: Rules,
        sign_ticket: SignTicket,
        http_url: Callable[[str], str],
    ) -> None:
        self._rules = rules
        self._board = board = Board(plugins, database, bus, clock)
        self._intake = Intake(plugins, artifacts, saved_settings)
        self._outbox = Outbox(board)
        self._observers = Observers(plugins)
        self._replies = Replies(board, told=self._told)
        fencing = Fencing(board, wake=lambda: self._dispatcher.wake())
        self._settlement = Settlement(
            board,
            fencing,
            artifacts,
            max_attempts=rules.max_attempts,
            max_pixels=rules.max_pixels,
            answered=self._answered,
            told=self._told,
            wake=lambda: self._dispatcher.wake(),
        )
        self._dispatcher = Dispatcher(
            board,
            lambda entry, worker: self._connections.inputs_of(entry, worker),
            lost=self._settlement.lose,
            past_deadline=self._settlement.past_deadline,
            unsendable=self._settlement.unsendable,
        )
        self._connections = Connections(
            board,
            self._dispatcher,
            self._settlement,
            fencing,
            artifacts,
            resume_grace=rules.resume_grace,
            sign_ticket=sign_ticket,
            http_url=http_url,
        )
        self._hub_worker = HubWorker(board, artifacts)
        self._artifacts = artifacts
        self._frontends: Mapping[str, Frontend] = {}
        self._admitting = False
        self._draining: asyncio.Timeout | None = None
        self._unlisten: list[Callable[[], None]] = []
        self._reading = Reading(board, self._dispatcher)

    # Start and stop

    async def start(self, frontends: Mapping[str, Frontend]) -> None:
        """Rebuild the index from SQL, then admit requests. Attempts that ran before a restart wait for their workers
        from now on."""
        board, self._frontends = self._board, frontends
        await board.bus.lead()
        board.roster.draining_names = await board.database.read(draining_workers)
        graces = await board.database.read(grace_times)
        for capability, model, name, seconds, load in await board.database.read(recent_timings):
            board.estimates.measured(capability, model, name, seconds, load)
        for open_job in await board.database.read(load_open):
            self._recover(open_job)
        self._unlisten = [
            board.bus.listen(SCHEDULER, self._connections.handle),
            board.bus.listen(EVENTS, self._show),
        ]
        for worker in list(board.roster):
            self._connections.start_grace(worker, graces.get(worker.name, self._rules.resume_grace))
        self._observers.start()
        self._hub_worker.start()
        await self._replies.recover()
        await self._outbox.start(frontends)
        self._admitting = True
        self._dispatcher.wake()

    def _recover(self, open_job: OpenJob) -> None:
        board, job = self._board, open_job.job
        needs = self._needs_again(job)
        entry = Entry(
            job=job,
            key=ClassKey(job.capability, needs.requirements),
            losses=open_job.losses,
            expected_seconds=open_job.expected_seconds,
            deadline_seconds=open_job.deadline_seconds,
            queue_ttl=self._rules.queue_ttl if needs.queue_ttl is None else needs.queue_ttl,
            expires_at=open_job.expires_at,
            not_before=open_job.not_before,
        )
        board.add(entry)
        if open_job.lease is None or job.state is JobState.QUEUED:
            self._settlement.wait(entry, returned=job.attempt > 0)
            return
        name, client_id, model = open_job.lease
        worker = board.roster.await_worker(name, client_id)
        lease = entry.lease = Lease(job.attempt, worker, model, job.started_at or job.created_at)
        worker.held[job.id, job.attempt] = None
        self._dispatcher.watch_deadline(entry, lease, at_least=self._rules.resume_grace)
        if name == HUB_WORKER:
            self._settlement.lose(entry, lease, Outcome.LOST, "the hub was restarted")

    def _needs_again(self, job: Job) -> Needs:
        """What a job from before the restart needs; where its capability cannot say, nobody gets it until it can."""
        capability = self._board.capability(job.capability)
        if capability is None:
            return Needs()
        try:
            return needs_of(capability, capability.parse(job.params))
        except TronError as error:
            logger.warning("job %s waits in vain: %s", job.id, error)
            return Needs(Requirements(choices=(("params", "that the capability still takes"),)))

    def stop_admitting(self, notice: str = "The hub is shutting down.") -> None:
        """Take no more requests and hand out no more jobs; workers are told."""
        self._admitting = self._board.handing_out = False
        for worker in self._board.roster:
            self._board.send(worker, TellWorker(notice))

    async def drain(self, seconds: float) -> bool:
        """Give running jobs their time; returns whether none is left."""
        running = sum(entry.lease is not None for entry in self._board.entries.values())
        if running:
            jobs = "1 job runs and gets" if running == 1 else f"{running} jobs run and get"
            logger.info("stopping: %s up to %g s; a second signal ends that wait", jobs, seconds)
        try:
            async with asyncio.timeout(seconds) as self._draining:
                while any(entry.lease is not None for entry in self._board.entries.values()):
                    await self._drained_or_later()
        except TimeoutError:
            return False
        finally:
            self._draining = None
        return True

    def end_drain(self) -> None:
        """End a drain that is under way."""
        if self._draining is not None:
            self._draining.reschedule(asyncio.get_running_loop().time())

    async def _drained_or_later(self) -> None:
        leased = next(entry for entry in self._board.entries.values() if entry.lease is not None)
        async with aclosing(self.watch(leased.id)) as events:
            async for _ in events:
                if leased.lease is None:
                    return

    async def stop(self) -> None:
        """Finish what is being written; what still runs is taken up after the restart."""
        self._admitting = self._board.handing_out = False
        await self._hub_worker.stop()
        self._reading.stop()
        await asyncio.sleep(0)
        for unlisten in self._unlisten:
            unlisten()
        self._board.stop_timers()
        await self._board.finish_tasks(STOP_SECONDS)
        self._board.stop_timers()  # and what the last tasks began
        self._replies.stop()
        self._outbox.stop()
        await self._observers.stop()

    # Requests

    async def submit(self, request: JobRequest) -> LiveJob:
        """Make a durable job; raises Refused, InvalidParams, NotFound (capability), TooMany, Conflict, Unavailable."""
        if not self._admitting:
            raise Unavailable("The hub is starting or shutting down; try again in a moment.")
        digest = request_hash(request) if request.idempotency_key else None
        if request.idempotency_key:
            repeated = await self._repeated(request, request.idempotency_key, digest)
            if repeated is not None:
                return repeated
        prepared = await self._intake.prepare(request)
        entry = self._entry(prepared)
        self._check_limits(entry)
        row = NewJob(
            entry.job, entry.expected_seconds, entry.deadline_seconds, entry.expires_at, request.idempotency_key, digest
        )
        self._board.add(entry)
        try:
            # Whoever asked may go away meanwhile; the job is committed all the same, and so it must be queued.
            await asyncio.shield(self._board.keep(self._insert(entry, row), f"submit {entry.id}"))
        except IntegrityError:
            # The same key came twice at once, and the other was first.
            repeated = await self._repeated(request, request.idempotency_key or "", digest)
            if repeated is None:
                raise
            return repeated
        return self._reading.live(entry.job)

    async def _insert(self, entry: Entry, row: NewJob) -> None:
        try:
            await self._board.database.write_rows(insert_jobs, row)
        except BaseException:
            self._board.left_queue(entry)
            self._board.drop(entry)
            raise
        self._queued(entry)

    async def _repeated(self, request: JobRequest, key: str, digest: bytes | None) -> LiveJob | None:
        found = await self._board.database.read(lambda connection: find_repeat(connection, request.requester, key))
        if found is None:
            return None
        job, first = found
        if first != digest:
            text = f"The idempotency key {key!r} was used for another request; use a new key for a new request."
            raise Conflict(text, code="idempotency_mismatch")
        return await self.get(job)

    def _entry(self, prepared: Prepared) -> Entry:
        request, capability, params = prepared.request, prepared.capability, prepared.params
        needs, now = needs_of(capability, params), self._board.clock.now()
        job = Job(
            id=str(ULID()),
            capability=capability.name,
            params=prepared.values,
            state=JobState.QUEUED,
            requester=request.requester,
            created_at=now,
            priority=request.priority,
            target=request.target,
            guild=request.guild,
            channel=request.channel,
            parent=request.parent,
            requester_name=request.requester_name,
        )
        return self._new_entry(job, needs, now, prepared.inputs)

    def _new_entry(self, job: Job, needs: Needs, now: float, inputs: Inputs | None = None) -> Entry:
        ttl = self._rules.queue_ttl if needs.queue_ttl is None else needs.queue_ttl
        return Entry(
            job=job,
            key=ClassKey(job.capability, needs.requirements),
            losses=0,
            expected_seconds=needs.expected_seconds,
            deadline_seconds=needs.deadline_seconds,
            queue_ttl=ttl,
            expires_at=now + ttl,
            inputs=inputs,
        )

    def _check_limits(self, entry: Entry) -> None:
        queued, most = self._board.queued_by[entry.job.requester], self._rules.max_queued_per_user
        if queued >= most:
            text = f"You have {queued} jobs waiting; at most {most} may. Wait for one to finish, or cancel one."
            raise TooMany(text, retry_after=self._board.estimate(entry), code="queue_full")
        if self._rules.no_worker == "reject" and not self._capable(entry):
            text = f"No worker for {entry.job.capability} is connected now; try again later."
            raise Refused(text, code="no_worker")

    def _capable(self, entry: Entry) -> bool:
        return bool(self._board.roster.capable(entry.key.capability, entry.key.requirements))

    def _queued(self, entry: Entry) -> None:
        self._settlement.wait(entry)
        if self._board.say_whether_possible(entry):
            self._board.emit(entry.job, "state", {"state": "queued"})

    async def cancel(self, job: str, reason: str = "cancelled by its requester") -> LiveJob:
        """Cancel in any state; raises NotFound, Conflict (over already). It is done even where the caller goes away."""
        try:
            await asyncio.shield(self._board.keep(self._settlement.cancel(job, reason), f"cancel {job}"))
        except NotFound:
            over = await self._reading.fetch(job)
            raise Conflict(f"Job {job} is over already: {over.state}.", code="job_over") from None
        return await self.get(job)

    async def retry(self, job: str) -> LiveJob:
        """Put a failed job back into the queue, with a fresh number of attempts; raises NotFound, Conflict."""
        old = await self._reading.fetch(job)
        if old.state is not JobState.FAILED:
            raise Conflict(f"Job {job} is {old.state}; only a failed job can be retried.", code="not_failed")
        capability = self._board.capability(old.capability)
        if capability is None:
            raise Conflict(f"The capability {old.capability} is not there any more.", code="unknown_capability")
        needs, now = needs_of(capability, capability.parse(old.params)), self._board.clock.now()
        fresh = replace(old, state=JobState.QUEUED, finished_at=None, started_at=None, reply=None, error=None)
        entry = self._new_entry(fresh, needs, now)
        await asyncio.shield(self._board.keep(self._retry(entry, now), f"retry {job}"))
        return self._reading.live(entry.job)

    async def _retry(self, entry: Entry, now: float) -> None:
        if not await self._board.database.write(
            lambda connection: retry_job(connection, entry.id, entry.job.attempt, now, entry.expires_at)
        ):
            raise Conflict(f"Job {entry.id} is being retried already.", code="not_failed")
        self._board.add(entry)
        self._queued(entry)

    async def retarget(self, job: str, target: Target) -> None:
        """Say where the reply of a job goes from now on: to the message that was posted for it."""
        await self._board.database.write(lambda connection: set_target(connection, job, target))
        entry = self._board.entries.get(job)
        if entry is not None:
            entry.changed(target=target)

    def retry_deliveries(self, frontend: str) -> None:
        """A frontend works again: what could not be delivered there is tried now, not when its time would come."""
        self._outbox.retry_now(frontend)

    async def act(self, job: str, number: int, request: JobRequest) -> LiveJob:
        """Follow action ``number`` (from 0) of the stored reply for the requester and target of ``request`` (its
        capability and params are replaced by the action's); raises NotFound, Forbidden (owner only)."""
        done = await self._reading.fetch(job)
        actions: Sequence[StoredAction] = () if done.reply is None else done.reply.actions
        if not 0 <= number < len(actions):
            raise NotFound(f"Job {job} has {len(actions)} actions, numbered from 0; there is no {number}.")
        action = actions[number]
        if action.owner_only and done.requester != request.requester:
            raise Forbidden(f"{action.label!r} is for the one who asked for job {job}.", code="owner_only")
        return await self.submit(
            replace(request, capability=action.capability, params=action.params, parent=job, lenient=False)
        )

    # What there is to see

    async def get(self, job: str) -> LiveJob:
        """Raises NotFound."""
        return self._reading.live(await self._reading.fetch(job))

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
        return await self._reading.list_jobs(
            requester=requester, states=states, capability=capability, limit=limit, cursor=cursor
        )

    def watch(self, job: str) -> AsyncGenerator[JobEvent, None]:
        """The events of a job from now: first its present state (and the text so far as one ``partial`` with seq 0),
        the last is ``result``. Raises NotFound at the first item."""
        return self._reading.watch(job)

    def workers(self) -> list[WorkerView]:
        """Every worker that is connected, or awaited within its grace time."""
        return self._reading.workers()

    def leased(self, client_id: str) -> list[tuple[str, Assign]]:
        """What the workers of a credential are at now, each with its worker's name; without the inputs."""
        return self._connections.leased(client_id)

    def availability(self, capability: str) -> Availability:
        """Whether somebody connected can do a capability now."""
        return self._reading.availability(capability)

    def choices(self, capability: str, field: str) -> list[str]:
        """What the plugin knows and what connected workers announced, without repeats, the plugin's first."""
        return self._reading.choices(capability, field)

    def queue_length(self) -> int:
        """Jobs that wait."""
        return sum(self._board.queued_by.values())

    async def drain_worker(self, name: str, *, draining: bool = True) -> WorkerView:
        """Give the worker no more jobs (or again some); raises NotFound."""
        worker = self._board.roster.named(name)
        if worker is None:
            known = ", ".join(sorted(worker.name for worker in self._board.roster)) or "none"
            raise NotFound(f"There is no worker {name!r}; connected: {known}.")
        await self._board.database.write(lambda connection: set_draining(connection, name, draining))
        names = self._board.roster.draining_names
        names.add(name) if draining else names.discard(name)
        worker.draining = draining
        text = "The operator drains this worker: no more jobs." if draining else "The drain is over."
        self._board.send(worker, TellWorker(text))
        self._connections.tell_waiting(worker)
        self._dispatcher.wake()
        return worker.view(dict(self._dispatcher.why_skipped(worker)))

    async def attempt_is_current(self, job: str, attempt: int) -> bool:
        """Whether the attempt holds its lease now (for upload tickets)."""
        entry = self._board.entries.get(job)
        return entry is not None and entry.lease is not None and entry.lease.attempt == attempt

    def preview_arrived(self, job: str, attempt: int, artifact: str) -> None:
        """A preview picture was stored: those who watch are told."""
        entry = self._board.entries.get(job)
        if entry is not None and entry.lease is not None and entry.lease.attempt == attempt:
            entry.lease.previews = True
            progress = entry.lease.progress
            fraction = progress.fraction if progress else 0.0
            self._board.emit(entry.job, "progress", {"fraction": fraction, "preview": artifact})

    # What the parts call

    def _answered(self, job: Job, message: AttemptResult) -> None:
        self._replies.answer(job, message.metrics)

    def _told(self, job: Job, delivery: NewDelivery | None) -> None:
        """The reply is stored: readers are told, and the delivery begins."""
        self._board.emit(job, "result", {"state": job.state.value})
        if delivery is not None:
            self._outbox.ready(job, delivery)

    def _show(self, event: JobEvent) -> None:
        """An event came over the Bus: to watchers, observers, and the frontend where the job's message stands."""
        entry = self._board.entries.get(event.job)
        if entry is not None and event.kind == "partial":
            entry.shown = event.data["text"] if event.data["seq"] == 0 else entry.shown + event.data["text"]
        self._board.watchers.tell(event)
        self._observers.tell(event)
        if entry is not None and entry.job.target is not None:
            frontend = self._frontends.get(entry.job.target.frontend)
            if frontend is not None:
                frontend.show(entry.job, event)
