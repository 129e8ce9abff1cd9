"""How attempts end: results, errors, losses, cancels and deadlines become transitions of their jobs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from ulid import ULID

from tron_core.errors import Conflict, NotFound, TronError
from tron_core.job import Artifact, ErrorKind, Job, JobError, JobState, Metrics, Outcome, Role, StoredReply
from tron_core.scheduling.board import Board, Entry, Lease
from tron_core.scheduling.fencing import Fencing
from tron_core.scheduling.messages import (
    AttemptError,
    AttemptResult,
    AttemptSettled,
    CancelAttempt,
    TellFault,
)
from tron_core.scheduling.policy import ClassKey
from tron_core.scheduling.roster import Worker
from tron_core.storage.artifacts import Artifacts
from tron_core.storage.deliveries import NewDelivery
from tron_core.storage.jobs import Finish, Move, finish_jobs, move_job
from tron_core.storage.thumbnails import make_thumbnail

PICTURES = ("image/png", "image/jpeg", "image/webp")
"""Of these the hub makes thumbnails."""

BACKOFF = (1.0, 4.0, 16.0)
"""Seconds before an attempt that ended in an error is followed by the next."""

ENDING_GRACE = 15.0
"""Seconds for which a cancelled attempt may still occupy its worker's slot: a worker enforces a cancel after 10."""

MAX_REASON = 2000
MAX_HISTORY = 10
MAX_PAST_REASON = 300
"""What is kept of how attempts ended: characters of one reason, and how many earlier attempts the error of a job that
failed for good names, with so many characters each."""

logger = logging.getLogger(__name__)


class Settlement:
    """``answered`` is called with a job that succeeded, for its reply; ``told`` with one that ended otherwise, once
    its reply is stored; ``wake`` when a slot or a job became free."""

    def __init__(
        self,
        board: Board,
        fencing: Fencing,
        artifacts: Artifacts,
        *,
        max_attempts: int,
        max_pixels: int,
        answered: Callable[[Job, AttemptResult], None],
        told: Callable[[Job, NewDelivery | None], None],
        wake: Callable[[], None],
    ) -> None:
        self._board = board
        self._fencing = fencing
        self._artifacts = artifacts
        self._max_attempts = max_attempts
        self._max_pixels = max_pixels
        self._answered = answered
        self._told = told
        self._wake = wake

    # Results and errors from workers

    def result(self, worker: Worker, message: AttemptResult) -> None:
        """A worker returned a result."""
        self._settle(worker, message, self._accept_result)

    def error(self, worker: Worker, message: AttemptError) -> None:
        """A worker returned an error."""
        self._settle(worker, message, self._accept_error)

    def _settle(self, worker: Worker, message: Any, accept: Callable[[Entry, Lease, Any], Awaitable[bool]]) -> None:
        entry = self._board.entries.get(message.job)
        lease = None if entry is None else entry.lease
        if entry is None or lease is None or lease.attempt != message.attempt or lease.worker is not worker:
            self._fencing.answer_late(worker, message.job, message.attempt)
            return
        if lease.settling:
            return  # A repeat while the first is being written: its answer serves both.
        lease.settling = True
        self._board.spawn(self._accept(entry, lease, message, accept), f"settle {message.job}")

    async def _accept(
        self, entry: Entry, lease: Lease, message: Any, accept: Callable[[Entry, Lease, Any], Awaitable[bool]]
    ) -> None:
        worker = lease.worker
        try:
            accepted = await accept(entry, lease, message)
        except TronError as error:
            lease.settling = False  # it may be sent again, with what was missing
            self._board.send(worker, TellFault(error.message))
            return
        except Exception as error:
            # A plugin's output that is no JSON, a column that is too short: nobody may wait for it for ever.
            logger.exception("what came of job %s cannot be settled", entry.id)
            await self._lose(entry, lease, Outcome.ERROR, f"its result cannot be kept: {type(error).__name__}: {error}")
            accepted = False
        if accepted:
            self._board.send(worker, AttemptSettled(entry.id, lease.attempt, "accepted"))
        else:
            await self._fencing.fence(worker, entry.id, lease.attempt)

    async def _accept_result(self, entry: Entry, lease: Lease, message: AttemptResult) -> bool:
        """Whether the result counts; raises Mismatch where an artifact is not what it names."""
        message = replace(message, metrics=_measured(entry, message.metrics))
        async with entry.lock:
            if entry.lease is not lease or not await self._succeed(entry, lease, message):
                return False
        board, metrics, worker = self._board, message.metrics, lease.worker
        worker.done += 1
        board.estimates.measured(entry.job.capability, lease.model, worker.name, metrics.seconds, metrics.load_seconds)
        board.emit(entry.job, "state", {"state": "succeeded", "attempt": lease.attempt, "worker": worker.name})
        self._answered(entry.job, message)
        return True

    async def _succeed(self, entry: Entry, lease: Lease, message: AttemptResult) -> bool:
        board = self._board
        kept = await self._kept(entry, message)
        now, ids = board.clock.now(), tuple(artifact.id for artifact in kept)
        finish = Finish(entry.id, lease.attempt, now, message.output, message.metrics, ids)
        self._free_slot(entry, lease)
        applied = await board.durably(lambda: board.database.write_rows(finish_jobs, finish))
        self._release(entry)
        if not applied:
            self._leave_alone(entry)
            return False
        tried = (*entry.job.attempts[:-1], replace(entry.job.attempts[-1], ended_at=now, outcome=Outcome.SUCCEEDED))
        entry.changed(state=JobState.SUCCEEDED, finished_at=now, output=message.output, artifacts=kept, attempts=tried)
        board.drop(entry)
        return True

    def _free_slot(self, entry: Entry, lease: Lease) -> None:
        """The worker is done: the next claim goes into the commit of this one's result. The lease stays until then."""
        held = (entry.id, lease.attempt)
        lease.worker.held.pop(held, None)
        lease.worker.settling[held] = None
        self._wake()

    async def _kept(self, entry: Entry, message: AttemptResult) -> tuple[Artifact, ...]:
        if not message.artifacts:
            return ()
        names = list(message.artifacts)
        named = await self._board.durably(lambda: self._artifacts.verify(entry.id, message.attempt, names))
        try:
            small = await self._thumbnails(entry, message.attempt, named)
        except Exception:
            logger.exception("job %s gets no thumbnails", entry.id)
            small = []
        return (*named, *small)

    async def _thumbnails(self, entry: Entry, attempt: int, named: Sequence[Artifact]) -> list[Artifact]:
        """Small copies of the pictures among a result, unless the worker sent some."""
        if any(artifact.role is Role.THUMBNAIL for artifact in named):
            return []
        made = []
        for artifact in named:
            if artifact.role is Role.RESULT and artifact.media_type in PICTURES:
                picture = b"".join([chunk async for chunk in self._artifacts.read(artifact)])
                small = await asyncio.to_thread(make_thumbnail, picture, max_pixels=self._max_pixels)
                if small is not None:
                    name = f"{artifact.name}.thumbnail.webp"
                    put = self._artifacts.put(name, small, role=Role.THUMBNAIL, job=entry.id, attempt=attempt)
                    made.append(await put)
        return made

    async def _accept_error(self, entry: Entry, lease: Lease, message: AttemptError) -> bool:
        """Whether the error counts."""
        reason = cut(message.message, MAX_REASON)
        async with entry.lock:
            if entry.lease is not lease:
                return False
            losses = entry.losses + 1
            if not message.retryable:
                await self._fail(entry, JobError(message.kind.value, reason), Outcome.ERROR, reason)
            elif losses >= self._max_attempts:
                await self._fail(entry, JobError(message.kind.value, _history(entry, reason)), Outcome.ERROR, reason)
            else:
                delay = BACKOFF[min(losses, len(BACKOFF)) - 1]
                entry.key = _elsewhere(entry.key, lease.worker, message.kind)
                await self._requeue(entry, Outcome.ERROR, reason, losses=losses, delay=delay)
        return True

    # Losses

    def lose(self, entry: Entry, lease: Lease, outcome: Outcome, reason: str) -> None:
        """The lease ended without a result: the job goes back to the head of the queue, or fails."""
        self._board.spawn(self._lose(entry, lease, outcome, reason), f"lose {entry.id}")

    async def _lose(self, entry: Entry, lease: Lease, outcome: Outcome, reason: str) -> None:
        async with entry.lock:
            if entry.lease is not lease:
                return
            reason = cut(reason, MAX_REASON)
            losses = entry.losses + outcome.counts
            if outcome.counts and losses >= self._max_attempts:
                error = JobError("attempts_exhausted", _history(entry, reason))
                await self._fail(entry, error, outcome, reason)
            else:
                await self._requeue(entry, outcome, reason, losses=losses)

    async def _requeue(self, entry: Entry, outcome: Outcome, reason: str, *, losses: int, delay: float = 0.0) -> None:
        now = self._board.clock.now()
        not_before, expires_at = now + delay, now + delay + entry.queue_ttl
        values = {"losses": losses, "queued_at": now, "not_before": not_before, "expires_at": expires_at}
        if not await self._move(entry, JobState.QUEUED, values, outcome, reason):
            return
        entry.losses, entry.not_before, entry.expires_at = losses, not_before, expires_at
        self._board.queued_by[entry.job.requester] += 1
        self.wait(entry, returned=outcome is not Outcome.ERROR)
        self._board.emit(entry.job, "state", {"state": "queued", "attempt": entry.job.attempt, "message": reason})
        self._board.say_whether_possible(entry)

    def wait(self, entry: Entry, *, returned: bool = False) -> None:
        """Let a queued job wait: until ``not_before`` aside, then in the queue, at most until it expires."""
        board, loop, now = self._board, asyncio.get_running_loop(), self._board.clock.now()
        entry.expiry = loop.call_later(max(0.0, entry.expires_at - now), self._expired, entry)
        if entry.not_before > now:
            entry.wake = loop.call_later(entry.not_before - now, self._enqueue, entry, returned)
            return
        board.enqueue(entry, returned=returned)
        self._wake()

    def _enqueue(self, entry: Entry, returned: bool) -> None:
        entry.wake = None
        if entry.job.state is JobState.QUEUED and entry.waiting is None:
            self._board.enqueue(entry, returned=returned)
            self._wake()

    # Ends that are not successes

    def _expired(self, entry: Entry) -> None:
        entry.expiry = None
        self._board.spawn(self._expire(entry), f"expire {entry.id}")

    async def _expire(self, entry: Entry) -> None:
        async with entry.lock:
            if entry.job.state is not JobState.QUEUED:
                return
            minutes = entry.queue_ttl / 60
            error = JobError("expired", f"No worker took this within {minutes:g} minutes.")
            await self._end(entry, JobState.EXPIRED, error)

    def past_deadline(self, entry: Entry, lease: Lease) -> None:
        """The attempt ran longer than its deadline."""
        self._board.spawn(self._time_out(entry, lease), f"deadline {entry.id}")

    async def _time_out(self, entry: Entry, lease: Lease) -> None:
        async with entry.lock:
            if entry.lease is not lease:
                return
            reason = f"It ran longer than its deadline of {entry.deadline_seconds:g} seconds."
            self._stop(lease, entry, "deadline")
            await self._fail(entry, JobError("deadline", reason), Outcome.TIMEOUT, reason)

    def unsendable(self, entry: Entry, lease: Lease, reason: str) -> None:
        """The attempt cannot be sent: an input of the job is gone."""
        self._board.spawn(self._give_up(entry, lease, reason), f"give up {entry.id}")

    async def _give_up(self, entry: Entry, lease: Lease, reason: str) -> None:
        async with entry.lock:
            if entry.lease is lease:
                await self._fail(entry, JobError("input_missing", reason), Outcome.ERROR, reason)

    async def cancel(self, job: str, reason: str) -> None:
        """Cancel a job in any state; raises NotFound where it is not open (over already, or never was)."""
        entry = self._board.entries.get(job)
        if entry is None:
            raise NotFound(f"Job {job} is not open.")
        async with entry.lock:
            if entry.job.state.over:
                raise Conflict(f"Job {job} is over already: {entry.job.state}.", code="job_over")
            lease = entry.lease
            if lease is not None:
                self._stop(lease, entry, reason)
            outcome = None if lease is None else Outcome.CANCELLED
            await self._end(entry, JobState.CANCELLED, JobError("cancelled", f"Cancelled: {reason}."), outcome, reason)

    def _stop(self, lease: Lease, entry: Entry, reason: str) -> None:
        """Tell the worker to stop; its slot stays taken until it says that it has, or for ``ENDING_GRACE``."""
        worker, held = lease.worker, (entry.id, lease.attempt)
        self._board.send(worker, CancelAttempt(entry.id, lease.attempt, reason))
        if worker.session is not None:
            loop = asyncio.get_running_loop()
            worker.ending[held] = loop.call_later(ENDING_GRACE, self._fencing.ended, worker, *held)

    async def _fail(self, entry: Entry, error: JobError, outcome: Outcome, reason: str) -> None:
        await self._end(entry, JobState.FAILED, error, outcome, reason)

    async def _end(
        self,
        entry: Entry,
        state: JobState,
        error: JobError,
        outcome: Outcome | None = None,
        reason: str | None = None,
    ) -> None:
        """One transaction: the state, the attempt's end, the reply that says so, its delivery."""
        now = self._board.clock.now()
        reply = StoredReply(error.message)
        delivery = None
        if entry.job.target is not None:
            delivery = NewDelivery(str(ULID()), entry.id, entry.job.target.frontend, now)
        values = {
            "finished_at": now,
            "error_code": error.code,
            "error_message": error.message,
            "losses": entry.losses + (outcome.counts if outcome else 0),
        }
        was_queued = entry.job.state is JobState.QUEUED
        if not await self._move(entry, state, values, outcome, reason, reply, delivery):
            return
        if was_queued:
            self._board.left_queue(entry)
        entry.changed(finished_at=now, error=error, reply=reply)
        self._board.drop(entry)
        self._board.emit(entry.job, "state", {"state": state.value, "message": error.message})
        self._told(entry.job, delivery)

    def _release(self, entry: Entry) -> None:
        """End the lease, if any: its slot is free, its previews have served."""
        lease = self._board.release(entry)
        if lease is not None and lease.previews:
            self._board.spawn(self._artifacts.drop_previews(entry.id), f"drop previews {entry.id}")
        self._wake()

    async def _move(
        self,
        entry: Entry,
        new: JobState,
        values: dict[str, Any],
        outcome: Outcome | None,
        reason: str | None,
        reply: StoredReply | None = None,
        delivery: NewDelivery | None = None,
    ) -> bool:
        """Commit a transition, then change memory; the entry's lock is held."""
        board, job, now = self._board, entry.job, self._board.clock.now()
        move = Move(job.id, job.attempt, job.state, new, now, values, outcome, reason, reply, delivery)
        applied = await board.durably(lambda: board.database.write(lambda connection: move_job(connection, move)))
        self._release(entry)
        if not applied:
            self._leave_alone(entry)
            return False
        tried = job.attempts
        if outcome is not None and tried:
            tried = (*tried[:-1], replace(tried[-1], ended_at=now, outcome=outcome, reason=reason))
        entry.changed(state=new, attempts=tried)
        return True

    def _leave_alone(self, entry: Entry) -> None:
        """SQL is the authority: what it says otherwise is not ours any more."""
        job = entry.job
        logger.error("job %s is not %s in the database as it is in memory; it is left alone", job.id, job.state)
        if job.state is JobState.QUEUED:
            self._board.left_queue(entry)
        self._board.drop(entry)


def cut(text: str, limit: int) -> str:
    """At most ``limit`` characters, with a sign where some are missing."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _measured(entry: Entry, metrics: Metrics) -> Metrics:
    """What a worker says that it took, as far as that can be: no attempt is longer than its deadline."""
    load, longest = metrics.load_seconds, entry.deadline_seconds
    return replace(
        metrics, seconds=min(metrics.seconds, longest), load_seconds=None if load is None else min(load, longest)
    )


def _elsewhere(key: ClassKey, worker: Worker, kind: ErrorKind) -> ClassKey:
    """The class of a job after an error: out of memory needs more than this worker has, others avoid it."""
    if kind is ErrorKind.OUT_OF_MEMORY:
        gpu, memory = worker.hardware.get("gpu_memory_mb"), worker.hardware.get("memory_mb")
        if gpu:
            return ClassKey(key.capability, replace(key.requirements, gpu_memory_mb=gpu + 1))
        if memory:
            return ClassKey(key.capability, replace(key.requirements, memory_mb=memory + 1))
    return ClassKey(key.capability, key.requirements, avoid=worker.name)


def _history(entry: Entry, last: str) -> str:
    """Why a job failed for good: each attempt's reason."""
    *past, now = entry.job.attempts
    reasons = [
        f"{tried.number} ({tried.worker}): {cut(tried.reason, MAX_PAST_REASON)}"
        for tried in past[-MAX_HISTORY:]
        if tried.reason
    ]
    return f"All {len(past) + 1} attempts failed. " + "; ".join([*reasons, f"{now.number} ({now.worker}): {last}"])
