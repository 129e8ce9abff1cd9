"""The in-process worker: runs the capabilities that run on the hub, through the same Bus as every other worker."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ulid import ULID

from tron_core.capability import Asker, Capability
from tron_core.job import ErrorKind, Metrics, Progress, Role
from tron_core.scheduling.board import Board
from tron_core.scheduling.messages import (
    SCHEDULER,
    Assign,
    AttemptError,
    AttemptPartial,
    AttemptProgress,
    AttemptResult,
    CancelAttempt,
    ToSession,
    WorkerConnected,
    WorkerGone,
    session_address,
)
from tron_core.scheduling.roster import HUB_WORKER
from tron_core.sessions import Offer
from tron_core.storage.artifacts import Artifacts
from tron_core.storage.job_queries import fetch
from tron_core.worker.context import Cancelled, ExecutionContext, ExecutorError, InputFile

STOP_SECONDS = 5.0
"""Seconds for which a stop waits for what ignores its cancellation."""

logger = logging.getLogger(__name__)


class HubContext(ExecutionContext):
    """What a capability that runs on the hub is handed. Files are stored when ``run`` has returned."""

    def __init__(self, assign: Assign, work_dir: Path, say: Callable[[Callable[[str], Any]], None]) -> None:
        self.job = assign.job
        self.attempt = assign.attempt
        self.deadline_s = assign.deadline_s
        self.work_dir = work_dir
        self.files: list[tuple[str, bytes | Path, Role]] = []
        self.stopped = False
        self.given: Mapping[str, Sequence[InputFile]] = {}
        self._say = say
        self._seq = 0

    def progress(
        self, fraction: float, message: str | None = None, *, step: int | None = None, steps: int | None = None
    ) -> None:
        self._say(lambda session: AttemptProgress(session, self.job, self.attempt, Progress(
            min(1.0, max(0.0, fraction)), step, steps, message)))  # fmt: skip

    def partial(self, text: str) -> None:
        seq, self._seq = self._seq, self._seq + 1
        self._say(lambda session: AttemptPartial(session, self.job, self.attempt, seq, text))

    def artifact(self, name: str, media_type: str, data: bytes | Path, *, role: str | Role = Role.RESULT) -> None:
        self.files.append((name, data, Role(role)))

    def inputs(self, name: str) -> Sequence[InputFile]:
        return self.given.get(name, ())

    @property
    def cancelled(self) -> bool:
        return self.stopped


class HubWorker:
    def __init__(self, board: Board, artifacts: Artifacts) -> None:
        self._board = board
        self._artifacts = artifacts
        self._session = str(ULID())
        self._running: dict[tuple[str, int], tuple[asyncio.Task[None], HubContext]] = {}
        self._unlisten: Callable[[], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False

    def start(self) -> None:
        """Register, if any capability runs here."""
        capabilities = [c for c in self._board.plugins.capabilities.values() if c.runs_on == "hub"]
        if not capabilities:
            return
        self._loop = asyncio.get_running_loop()
        self._unlisten = self._board.bus.listen(session_address(self._session), self._hear)
        hello = WorkerConnected(
            session=self._session,
            worker=HUB_WORKER,
            client_id=HUB_WORKER,
            protocol=HUB_WORKER,
            software="in-process",
            offers={capability.name: Offer() for capability in capabilities},
            slots=max(capability.concurrency for capability in capabilities),
            hardware={},
        )
        self._board.bus.send(SCHEDULER, hello)

    async def stop(self) -> None:
        """End what runs: those attempts are lost."""
        if self._unlisten is None:
            return
        self._unlisten()
        self._unlisten = None
        self._stopping = True
        tasks = [task for task, _ in self._running.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)
        self._board.bus.send(SCHEDULER, WorkerGone(self._session, lost=True, reason="the hub stops"))

    def _hear(self, message: ToSession) -> None:
        if isinstance(message, Assign):
            self._begin(message)
        elif isinstance(message, CancelAttempt):
            running = self._running.get((message.job, message.attempt))
            if running is not None:
                task, ctx = running
                ctx.stopped = True
                task.cancel()

    def _begin(self, assign: Assign) -> None:
        ctx = HubContext(assign, Path(tempfile.gettempdir()) / f"tron-{assign.job}-{assign.attempt}", self._say)
        held = (assign.job, assign.attempt)
        task = asyncio.get_running_loop().create_task(self._run(assign, ctx), name=f"run {assign.job}")
        self._running[held] = (task, ctx)
        task.add_done_callback(lambda _: self._running.pop(held, None))

    def _say(self, make: Callable[[str], Any]) -> None:
        """Say something about an attempt; from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(lambda: self._board.bus.send(SCHEDULER, make(self._session)))

    async def _run(self, assign: Assign, ctx: HubContext) -> None:
        try:
            answer: Any = await self._execute(assign, ctx)
        except BaseException as error:
            answer = self._error(ctx, error)
        finally:
            await asyncio.to_thread(shutil.rmtree, ctx.work_dir, ignore_errors=True)
        if not self._stopping:  # else the attempt is lost, whatever it says
            self._board.bus.send(SCHEDULER, answer)

    async def _execute(self, assign: Assign, ctx: HubContext) -> AttemptResult:
        started = self._board.clock.monotonic()
        capability = self._board.capability(assign.capability)
        if capability is None:
            raise ExecutorError(f"the capability {assign.capability} is not there any more", retryable=False)
        ctx.asker = await self._asker(assign.job)
        if assign.inputs:
            ctx.given = await self._fetch_inputs(capability, assign, ctx.work_dir)
        output = dict(await capability.run(capability.parse(assign.params), ctx))
        json.dumps(output, allow_nan=False)  # raises, as it does at a worker
        names = await self._store(ctx)
        seconds = self._board.clock.monotonic() - started
        return AttemptResult(self._session, ctx.job, ctx.attempt, output, names, Metrics(seconds, ctx.load_seconds))

    async def _asker(self, job_id: str) -> Asker | None:
        entry = self._board.entries.get(job_id)
        job = entry.job if entry else await self._board.database.read(lambda connection: fetch(connection, job_id))
        if job is None:
            return None
        return Asker(job.requester, job.guild, job.channel, requester_name=job.requester_name)

    def _error(self, ctx: HubContext, error: BaseException) -> AttemptError:
        kind, retryable = ErrorKind.INTERNAL, True
        if isinstance(error, ExecutorError):
            kind, retryable = error.kind, error.retryable
        elif not isinstance(error, asyncio.CancelledError | Cancelled):
            logger.error("job %s failed on the hub", ctx.job, exc_info=error)
        text = str(error) or type(error).__name__
        return AttemptError(self._session, ctx.job, ctx.attempt, kind, text, retryable)

    async def _fetch_inputs(self, capability: Capability, assign: Assign, folder: Path) -> dict[str, list[InputFile]]:
        files: dict[str, list[InputFile]] = {}
        for name, ids in capability.attachments(assign.params):
            for number, artifact_id in enumerate(ids):
                artifact, chunks = await self._artifacts.open(artifact_id)
                path = folder / f"{name}-{number}-{artifact.filename}"
                await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
                data = b"".join([chunk async for chunk in chunks])
                await asyncio.to_thread(path.write_bytes, data)
                files.setdefault(name, []).append(
                    InputFile(name, path, artifact.media_type, artifact.size, artifact.sha256)
                )
        return files

    async def _store(self, ctx: HubContext) -> tuple[str, ...]:
        names: dict[str, None] = {}
        for name, data, role in ctx.files:
            content = data if isinstance(data, bytes) else await asyncio.to_thread(data.read_bytes)
            await self._artifacts.put(name, content, role=role, job=ctx.job, attempt=ctx.attempt)
            if role is not Role.PREVIEW:
                names[name] = None
        return tuple(names)
