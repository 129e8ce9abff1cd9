"""The scheduler's side of the sessions: who comes and goes, what they say about their attempts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from tron_core.job import Artifact, Outcome
from tron_core.scheduling.board import Board, Entry, Inputs, Lease
from tron_core.scheduling.dispatcher import Dispatcher
from tron_core.scheduling.fencing import Fencing
from tron_core.scheduling.messages import (
    Assign,
    AttemptError,
    AttemptPartial,
    AttemptProgress,
    AttemptResult,
    AttemptUpload,
    CloseSession,
    InputFileRef,
    TellFault,
    ToScheduler,
    Turned,
    UploadTicket,
    Welcomed,
    WorkerConnected,
    WorkerForgotten,
    WorkerGone,
    WorkerStatus,
    session_address,
)
from tron_core.scheduling.roster import HUB_WORKER, Worker
from tron_core.scheduling.settlement import Settlement
from tron_core.sessions import Held
from tron_core.storage.artifacts import Artifacts
from tron_core.storage.workers import remember_worker

MAX_TEXT = 256 * 1024
"""Bytes (UTF-8) of partial text kept for one attempt."""
TAKEN_OVER = 4410
REJECTED = 4409
TICKET_SECONDS = 900.0

logger = logging.getLogger(__name__)

SignTicket = Callable[..., str]


class Connections:
    """``sign_ticket`` makes an upload ticket; ``http_port`` tells where the hub's REST side listens, and
    ``public_url`` how it is called from outside, where that is configured."""

    def __init__(
        self,
        board: Board,
        dispatcher: Dispatcher,
        settlement: Settlement,
        fencing: Fencing,
        artifacts: Artifacts,
        *,
        resume_grace: float,
        sign_ticket: SignTicket,
        http_url: Callable[[str], str],
    ) -> None:
        self._board = board
        self._dispatcher = dispatcher
        self._settlement = settlement
        self._fencing = fencing
        self._artifacts = artifacts
        self._resume_grace = resume_grace
        self._sign_ticket = sign_ticket
        self._http_url = http_url
        self._handlers: Mapping[type, Callable[[Worker, Any], None]] = {
            WorkerStatus: self._status,
            AttemptProgress: self._progress,
            AttemptPartial: self._partial,
            AttemptUpload: self._upload,
            AttemptResult: settlement.result,
            AttemptError: settlement.error,
        }

    def handle(self, message: ToScheduler) -> None:
        """What came over the Bus from a session."""
        if isinstance(message, WorkerConnected):
            self._connected(message)
            return
        if isinstance(message, WorkerGone):
            self._gone(message)
            return
        if isinstance(message, WorkerForgotten):
            self._forgotten(message)
            return
        worker = self._board.roster.of_session(message.session)
        if worker is None:
            text = "this session is not registered: say hello first"
            self._board.bus.send(session_address(message.session), TellFault(text))
            return
        self._handlers[type(message)](worker, message)

    # Coming and going

    def _connected(self, hello: WorkerConnected) -> None:
        refusal = self._refusal(hello)
        if refusal is not None:
            self._board.bus.send(session_address(hello.session), refusal)
            return
        board = self._board
        worker, old = board.roster.connect(hello, board.clock.now())
        if old is not None:
            reason = "the same worker connected again"
            board.bus.send(session_address(old), CloseSession(TAKEN_OVER, reason))
        holding = tuple(worker.held) if hello.holding is None else hello.holding
        resume, abandon = self._divide(worker, holding)
        again = tuple(self._again(held) for held in resume) if hello.holding is None else ()
        board.send(worker, Welcomed(resume, abandon, again))
        for held in list(worker.held):
            if held not in resume:
                self._lose(worker, held, Outcome.LOST, "the worker came back without it")
        now = board.clock.now()
        board.spawn(self._remember(hello, now), f"remember worker {worker.name}")
        self.tell_waiting(worker)
        self._dispatcher.wake()

    def _refusal(self, hello: WorkerConnected) -> Turned | None:
        known = self._board.roster.named(hello.worker)
        reserved = hello.worker == HUB_WORKER and hello.protocol != HUB_WORKER
        if reserved or (known is not None and known.client_id != hello.client_id):
            text = f"The name {hello.worker!r} is in use by another credential; choose another with --name."
            return Turned(REJECTED, "name_taken", text)
        capabilities = self._board.plugins.capabilities
        if not any(name in capabilities for name in hello.offers):
            offered = ", ".join(sorted(hello.offers)) or "none"
            known_here = ", ".join(sorted(capabilities)) or "none"
            text = f"No capability of this worker is known here. It offers: {offered}; the hub has: {known_here}."
            return Turned(REJECTED, "no_capability", text)
        return None

    def _divide(self, worker: Worker, holding: tuple[Held, ...]) -> tuple[tuple[Held, ...], tuple[Held, ...]]:
        """What the worker still holds: attempts to go on with, and attempts to stop."""
        resume, abandon = [], []
        for held in holding:
            lease = self._lease(worker, *held)
            if lease is None:
                abandon.append(held)
            else:
                lease.restarted = lease.seq >= 0
                resume.append(held)
        return tuple(resume), tuple(abandon)

    def leased(self, client_id: str) -> list[tuple[str, Assign]]:
        """What is leased to the workers of a credential, connected or awaited, each with its worker's name."""
        return [
            (worker.name, self._again(held))
            for worker in self._board.roster
            if worker.client_id == client_id
            for held in worker.held
            if self._lease(worker, *held) is not None
        ]

    def _again(self, held: Held) -> Assign:
        """What a worker goes on with, for a session that has not kept it."""
        entry = self._board.entries[held[0]]
        left = max(0.0, (entry.job.started_at or 0.0) + entry.deadline_seconds - self._board.clock.now())
        return Assign(*held, entry.job.capability, entry.job.params, (), left)

    async def _remember(self, hello: WorkerConnected, now: float) -> None:
        await self._board.database.write(
            lambda connection: remember_worker(
                connection,
                hello.worker,
                client_id=hello.client_id,
                protocol=hello.protocol,
                software=hello.software,
                hardware=hello.hardware,
                grace=hello.grace,
                now=now,
            )
        )

    def _gone(self, message: WorkerGone) -> None:
        worker = self._board.roster.disconnect(message.session)
        if worker is None:
            return
        if message.clean or message.lost or not worker.has_leases:
            self.forget(worker, message.reason or "the worker left")
            return
        grace = self._resume_grace if worker.grace is None else worker.grace
        self.start_grace(worker, grace)
        self._dispatcher.wake()

    def _forgotten(self, message: WorkerForgotten) -> None:
        worker = self._board.roster.named(message.worker)
        if worker is not None and worker.session is None and worker.client_id == message.client_id:
            if worker.grace_timer is not None:
                worker.grace_timer.cancel()
            self.forget(worker, message.reason)

    def start_grace(self, worker: Worker, seconds: float) -> None:
        """Give an absent worker this long to come back for its leases."""
        loop = asyncio.get_running_loop()
        reason = f"the worker was away for more than {seconds:g} s"
        worker.grace_timer = loop.call_later(seconds, self.forget, worker, reason)

    def forget(self, worker: Worker, reason: str) -> None:
        """The worker is gone: its leases end, and those who wait for what only it could do are told."""
        worker.grace_timer = None
        self._board.roster.forget(worker)
        outcome = Outcome.RETURNED if worker.leaving else Outcome.LOST
        for held in list(worker.held):
            self._lose(worker, held, outcome, reason)
        self.tell_waiting(worker)
        self._dispatcher.wake()

    def _lose(self, worker: Worker, held: Held, outcome: Outcome, reason: str) -> None:
        entry, lease = self._board.entries.get(held[0]), self._lease(worker, *held)
        if entry is None or lease is None:
            worker.held.pop(held, None)
            return
        self._settlement.lose(entry, lease, outcome, reason)

    def tell_waiting(self, worker: Worker) -> None:
        """Say it to everybody who waits for what this worker offers, and to whom it matters: nobody else can do it, or
        somebody can do it again."""
        board = self._board
        capable = {
            key: bool(board.roster.capable(key.capability, key.requirements))
            for key in board.queue.classes()
            if worker.lacks(key.capability, key.requirements) is None
        }
        for waiting in list(board.queue.jobs()) if capable else ():
            entry = board.entries[waiting.id]
            matters = waiting.key in capable and capable[waiting.key] == (entry.message is not None)
            if matters and board.say_whether_possible(entry):
                board.emit(entry.job, "state", {"state": "queued"})

    def _status(self, worker: Worker, status: WorkerStatus) -> None:
        if status.offers is not None:
            worker.offers = {**worker.offers, **status.offers}
        if status.hardware is not None:
            worker.hardware = {**worker.hardware, **status.hardware}
        if status.free_slots is not None:
            worker.limit(status.free_slots)
        if status.suspect is not None:
            worker.suspect = status.suspect
        if status.draining is not None:
            worker.leaving = status.draining
            self.tell_waiting(worker)
        self._dispatcher.wake()

    # What is said about attempts

    def _lease(self, worker: Worker, job: str, attempt: int) -> Lease | None:
        entry = self._board.entries.get(job)
        lease = None if entry is None else entry.lease
        return lease if lease is not None and lease.worker is worker and lease.attempt == attempt else None

    def _current(self, worker: Worker, message: Any) -> tuple[Entry, Lease] | None:
        """The lease that a message is about; a foreign one is answered with a fault, a late one with silence."""
        lease = self._lease(worker, message.job, message.attempt)
        if lease is None:
            if (message.job, message.attempt) not in worker.ending:
                self._fencing.check_held(worker, message.job, message.attempt)
            return None
        return self._board.entries[message.job], lease

    def _progress(self, worker: Worker, message: AttemptProgress) -> None:
        current = self._current(worker, message)
        if current is not None:
            entry, lease = current
            lease.progress = progress = message.progress
            data = {
                "fraction": progress.fraction,
                "step": progress.step,
                "steps": progress.steps,
                "message": progress.message,
            }
            self._board.emit(entry.job, "progress", data)

    def _partial(self, worker: Worker, message: AttemptPartial) -> None:
        current = self._current(worker, message)
        if current is None:
            return
        entry, lease = current
        expected = 0 if lease.restarted else lease.seq + 1
        if message.seq != expected:
            text = f"job {entry.id}: seq {message.seq} follows {lease.seq}; expected {expected}"
            self._board.send(worker, TellFault(text))
            return
        text = message.text if expected == 0 else lease.text + message.text
        if len(text.encode()) > MAX_TEXT:
            self._board.send(worker, TellFault(f"job {entry.id}: the partial text is over {MAX_TEXT} bytes"))
            return
        lease.text, lease.seq, lease.restarted = text, message.seq, False
        self._board.emit(entry.job, "partial", {"seq": message.seq, "text": message.text})

    def _upload(self, worker: Worker, message: AttemptUpload) -> None:
        current = self._current(worker, message)
        if current is None:
            return
        entry, _ = current
        if message.size > self._artifacts.max_bytes:
            text = f"{message.name}: {message.size} bytes; at most {self._artifacts.max_bytes} are taken"
            self._board.send(worker, TellFault(text))
            return
        token = self._sign_ticket(
            job=entry.id,
            attempt=message.attempt,
            name=message.name,
            size=message.size,
            sha256=message.sha256,
            role=message.role,
            client_id=worker.client_id,
            expires_s=TICKET_SECONDS,
        )
        url = f"{self._http_url(worker.base_url)}/api/v1/jobs/{entry.id}/artifacts/{quote(message.name)}"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": message.media_type}
        ticket = UploadTicket(entry.id, message.attempt, message.name, url, headers, TICKET_SECONDS)
        self._board.send(worker, ticket)

    async def inputs_of(self, entry: Entry, worker: Worker) -> tuple[InputFileRef, ...]:
        """The files that go with a job, at addresses that the worker can reach."""
        if entry.inputs is None:
            entry.inputs = await self._load_inputs(entry)
        base = self._http_url(worker.base_url)
        return tuple(
            InputFileRef(
                name=name,
                url=f"{base}/artifacts/{artifact.key}/{quote(artifact.filename)}",
                headers={},
                media_type=artifact.media_type,
                size=artifact.size,
                sha256=artifact.sha256,
            )
            for name, artifact in entry.inputs
        )

    async def _load_inputs(self, entry: Entry) -> Inputs:
        capability = self._board.capability(entry.job.capability)
        if capability is None:
            return ()
        found = []
        for name, ids in capability.attachments(entry.job.params):
            found.extend([(name, await self._input(artifact)) for artifact in ids])
        return tuple(found)

    async def _input(self, artifact: str) -> Artifact:
        return await self._board.durably(lambda: self._artifacts.get(artifact))
