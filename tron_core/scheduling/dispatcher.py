"""Pairs waiting jobs with free slots: picks by policy, commits the attempt, sends the job."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

from tron_core.api import Candidate
from tron_core.errors import TronError
from tron_core.job import Attempt, JobState, Outcome
from tron_core.scheduling.board import Board, Entry, Lease
from tron_core.scheduling.messages import Assign, InputFileRef, WhyIdle
from tron_core.scheduling.policy import ClassKey, Waiting, WarmChoice, pick
from tron_core.scheduling.roster import Worker
from tron_core.storage.jobs import Claim, claim_attempts

IDLE_EVERY = 30.0
"""Seconds between two explanations to an idle worker."""

logger = logging.getLogger(__name__)

InputsOf = Callable[[Entry, Worker], Awaitable[tuple[InputFileRef, ...]]]


class Dispatcher:
    """``inputs_of`` gives the files that go with a job, as the worker can fetch them; ``lost`` is called for an
    attempt whose worker went or drains while it was being committed, ``past_deadline`` for one that runs too long,
    ``unsendable`` for one whose inputs are gone."""

    def __init__(
        self,
        board: Board,
        inputs_of: InputsOf,
        *,
        lost: Callable[[Entry, Lease, Outcome, str], None],
        past_deadline: Callable[[Entry, Lease], None],
        unsendable: Callable[[Entry, Lease, str], None],
    ) -> None:
        self._board = board
        self._inputs_of = inputs_of
        self._lost = lost
        self._past_deadline = past_deadline
        self._unsendable = unsendable
        self._scheduled = False

    def wake(self) -> None:
        """Something changed: look for pairs in the next turn of the loop."""
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._pair)

    def _pair(self) -> None:
        self._scheduled = False
        if not self._board.handing_out:
            return
        free = {worker.name: worker for worker in self._board.roster if worker.free > 0}
        while free and len(self._board.queue):
            found = self._next(free)
            if found is None:
                break
            waiting, worker = found
            self._hand_out(waiting, worker)
            if worker.free == 0:
                del free[worker.name]
        if free and len(self._board.queue):
            self._explain(list(free.values()))

    def _next(self, free: Mapping[str, Worker]) -> tuple[Waiting, Worker] | None:
        """The best job that a free worker can do, and the worker for it."""
        queue, roster = self._board.queue, self._board.roster
        able = {
            key: workers
            for key in queue.classes()
            if (workers := [worker for worker in free.values() if roster.can_take(worker, key)])
        }
        heads = [(head, key) for key in able if (head := queue.head(key)) is not None]
        if not heads:
            return None
        (_, first), key = min(heads, key=lambda item: item[0][0])
        worker = self._place(first, able[key])
        classes = [key for key, workers in able.items() if worker in workers]
        job = pick(queue, classes, self._warmth(worker))
        return None if job is None else (job, worker)

    def _warmth(self, worker: Worker) -> WarmChoice:
        estimates = self._board.estimates
        return WarmChoice(
            is_warm=lambda key: worker.has_loaded(key.capability, key.requirements),
            load_seconds=lambda key: estimates.load_seconds(key.capability, key.requirements.model),
        )

    def _place(self, waiting: Waiting, workers: list[Worker]) -> Worker:
        """The worker for a job: a plugin's choice, else the model loaded, else the fastest, else the least used."""
        entry = self._board.entries[waiting.id]
        chosen = self._chosen(entry, workers)
        if chosen is not None:
            return chosen
        if len(workers) == 1:
            return workers[0]

        def order(worker: Worker) -> tuple[bool, float, float]:
            warm = worker.has_loaded(entry.key.capability, entry.key.requirements)
            return (not warm, self._board.estimate(entry, worker.name), (worker.occupied + worker.done) / worker.slots)

        return min(workers, key=order)

    def _chosen(self, entry: Entry, workers: list[Worker]) -> Worker | None:
        """The worker that a plugin chooses; a plugin that refuses to, chooses none."""
        plugins = self._board.plugins
        if not plugins.has("tron_select_worker"):
            return None
        candidates = [self._candidate(entry, worker) for worker in workers]
        for outcome in plugins.call_each_now("tron_select_worker", job=entry.job, candidates=candidates):
            if outcome.value is not None:
                return next((worker for worker in workers if worker.name == outcome.value), None)
        return None

    def _candidate(self, entry: Entry, worker: Worker) -> Candidate:
        return Candidate(
            name=worker.name,
            loaded=worker.offers[entry.key.capability].loaded,
            free_slots=worker.free,
            running=worker.occupied,
            expected_seconds=self._board.estimate(entry, worker.name),
            hardware=worker.hardware,
        )

    def _hand_out(self, waiting: Waiting, worker: Worker) -> None:
        entry = self._board.entries[waiting.id]
        self._board.queue.take(waiting)
        entry.waiting = None
        worker.reserved += 1
        self._board.spawn(self._claim(entry, worker), f"claim {entry.id}")

    async def _claim(self, entry: Entry, worker: Worker) -> None:
        """Commit the attempt, then send it. A worker that dropped out meanwhile loses it like any other lease."""
        try:
            async with entry.lock:
                if entry.job.state is not JobState.QUEUED:
                    return
                lease = await self._begin(entry, worker)
        finally:
            worker.reserved -= 1
            self.wake()
        if lease is None:
            return
        if worker.draining or worker.leaving or (worker.session is None and worker.grace_timer is None):
            self._lost(entry, lease, Outcome.RETURNED, "the worker went before it had the job")
            return
        await self._send(entry, lease)

    async def _send(self, entry: Entry, lease: Lease) -> None:
        try:
            inputs = () if entry.inputs == () else await self._inputs_of(entry, lease.worker)
        except TronError as error:
            self._unsendable(entry, lease, error.message)
            return
        except Exception as error:
            logger.exception("the inputs of job %s cannot be listed", entry.id)
            self._unsendable(entry, lease, f"its inputs cannot be listed: {error}")
            return
        if entry.lease is lease:
            params, name = entry.job.params, entry.job.capability
            assign = Assign(entry.id, lease.attempt, name, params, inputs, entry.deadline_seconds)
            self._board.send(lease.worker, assign)

    async def _begin(self, entry: Entry, worker: Worker) -> Lease | None:
        board = self._board
        number, now = entry.job.attempt + 1, board.clock.now()
        model = entry.key.requirements.model
        claim = Claim(entry.id, number, worker.name, worker.client_id, model, now)
        if not await board.durably(lambda: board.database.write_rows(claim_attempts, claim)):
            logger.error("job %s is not queued in the database as it is in memory; it is left alone", entry.id)
            board.left_queue(entry)
            board.drop(entry)
            return None
        board.left_queue(entry)
        board.withdraw(entry)
        entry.message = None
        tried = (*entry.job.attempts, Attempt(number, worker.name, now))
        entry.changed(state=JobState.RUNNING, attempt=number, started_at=now, attempts=tried)
        lease = entry.lease = Lease(number, worker, model, now)
        worker.held[entry.id, number] = None
        self.watch_deadline(entry, lease)
        board.emit(entry.job, "state", {"state": "running", "attempt": number, "worker": worker.name})
        return lease

    def watch_deadline(self, entry: Entry, lease: Lease, *, at_least: float = 0.0) -> None:
        """Count the deadline from the attempt's start; after a restart ``at_least`` the seconds in which a worker may
        come back with a result that it has had in time."""
        left = lease.started_at + entry.deadline_seconds - self._board.clock.now()
        loop = asyncio.get_running_loop()
        lease.deadline = loop.call_later(max(at_least, left), self._past_deadline, entry, lease)

    def why_skipped(self, worker: Worker) -> Counter[str]:
        """How many waiting jobs this worker is not given, by reason."""
        skipped: Counter[str] = Counter()
        for key in self._board.queue.classes():
            reason = self._reason(worker, key)
            if reason is not None:
                skipped[reason] += self._board.queue.count(key)
        return skipped

    def _reason(self, worker: Worker, key: ClassKey) -> str | None:
        lack = worker.lacks(key.capability, key.requirements)
        if lack is not None:
            return lack
        if worker.draining or worker.leaving:
            return "draining"
        if worker.suspect:
            return "silent"
        if worker.free == 0:
            return "no free slot"
        return "another worker is preferred after an error here" if key.avoid == worker.name else None

    def _explain(self, idle: list[Worker]) -> None:
        now = self._board.clock.monotonic()
        for worker in idle:
            if now - worker.idle_told_at >= IDLE_EVERY:
                skipped = self.why_skipped(worker)
                if skipped:
                    worker.idle_told_at = now
                    self._board.send(worker, WhyIdle(dict(skipped)))
