"""A worker inside the hub's process, for tests that are about more than an executor: each attempt runs in a thread."""

from __future__ import annotations

import asyncio
import inspect
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ulid import ULID

from tron_core.capability import Capability
from tron_core.job import ErrorKind, Metrics, Progress, Role
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
from tron_core.services import Services
from tron_core.sessions import Offer
from tron_core.testing.executors import RecordingContext
from tron_core.worker import Executor, ExecutorError

Say = Callable[[Any], None]


class _Context(RecordingContext):
    """Records, and tells the hub as well."""

    def __init__(self, work_dir: Path, assign: Assign, session: str, say: Say, inputs: dict[str, list[Path]]) -> None:
        super().__init__(work_dir, inputs=inputs, job=assign.job, attempt=assign.attempt, deadline_s=assign.deadline_s)
        self._session = session
        self._say = say
        self._seq = 0

    def progress(
        self, fraction: float, message: str | None = None, *, step: int | None = None, steps: int | None = None
    ) -> None:
        super().progress(fraction, message, step=step, steps=steps)
        self._say(AttemptProgress(self._session, self.job, self.attempt, Progress(fraction, step, steps, message)))

    def partial(self, text: str) -> None:
        super().partial(text)
        seq, self._seq = self._seq, self._seq + 1
        self._say(AttemptPartial(self._session, self.job, self.attempt, seq, text))


class ThreadWorker:
    """Offers ``executors`` to the hub of ``services`` as the worker ``name``. Connection, uploads and child processes
    of a real worker are left out: for those, start ``tron worker``."""

    def __init__(
        self, services: Services, executors: Sequence[Executor], *, name: str = "worker-1", slots: int = 1
    ) -> None:
        self._services = services
        self._executors = {executor.capability: executor for executor in executors}
        self._name = name
        self._slots = slots
        self._session = str(ULID())
        self._running: dict[tuple[str, int], tuple[asyncio.Task[None], _Context | None]] = {}
        self._unlisten: Callable[[], None] | None = None

    async def start(self) -> None:
        """Connect; executors that say that they are not available here are left out."""
        self._loop = asyncio.get_running_loop()
        bus = self._services.bus
        self._unlisten = bus.listen(session_address(self._session), self._hear)
        able = {name: executor for name, executor in self._executors.items() if executor.unavailable() is None}
        hello = WorkerConnected(
            session=self._session,
            worker=self._name,
            client_id="testing",
            protocol="testing",
            software="in-process",
            offers={name: _offer(executor) for name, executor in able.items()},
            slots=self._slots,
            hardware={},
        )
        bus.send(SCHEDULER, hello)

    async def stop(self) -> None:
        """Disconnect; what runs is lost at once."""
        if self._unlisten is None:
            return
        self._unlisten()
        self._unlisten = None
        for task, context in self._running.values():
            if context is not None:
                context.cancel()
            task.cancel()
        await asyncio.gather(*(task for task, _ in self._running.values()), return_exceptions=True)
        self._services.bus.send(SCHEDULER, WorkerGone(self._session, lost=True, reason="the test stopped it"))

    def _hear(self, message: ToSession) -> None:
        if isinstance(message, Assign):
            held = (message.job, message.attempt)
            task = self._loop.create_task(self._run(message), name=f"run {message.job}")
            self._running[held] = (task, None)
            task.add_done_callback(lambda _: self._running.pop(held, None))
        elif isinstance(message, CancelAttempt):
            _, context = self._running.get((message.job, message.attempt), (None, None))
            if context is not None:
                context.cancel()

    def _say(self, message: Any) -> None:
        self._loop.call_soon_threadsafe(self._services.bus.send, SCHEDULER, message)

    async def _run(self, assign: Assign) -> None:
        folder = Path(tempfile.mkdtemp(prefix="tron-test-"))
        try:
            answer: Any = await self._attempt(assign, folder)
        except Exception as error:
            kind = error.kind if isinstance(error, ExecutorError) else ErrorKind.INTERNAL
            retryable = error.retryable if isinstance(error, ExecutorError) else True
            answer = AttemptError(
                self._session, assign.job, assign.attempt, kind, str(error) or type(error).__name__, retryable
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self._services.bus.send(SCHEDULER, answer)

    async def _attempt(self, assign: Assign, folder: Path) -> AttemptResult:
        executor, capability = (
            self._executors[assign.capability],
            self._services.plugins.capabilities[assign.capability],
        )
        inputs = await self._inputs(capability, assign, folder)
        context = _Context(folder, assign, self._session, self._say, inputs)
        task, _ = self._running[assign.job, assign.attempt]
        self._running[assign.job, assign.attempt] = (task, context)
        started = self._services.clock.monotonic()
        params = capability.parse(assign.params)
        if inspect.iscoroutinefunction(executor.run):
            output = await executor.run(params, context)
        else:
            output = await asyncio.to_thread(executor.run, params, context)
        names = await self._keep(context)
        seconds = self._services.clock.monotonic() - started
        metrics = Metrics(seconds, context.load_seconds)
        return AttemptResult(self._session, assign.job, assign.attempt, output, names, metrics)

    async def _inputs(self, capability: Capability, assign: Assign, folder: Path) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for name, ids in capability.attachments(assign.params):
            for number, artifact_id in enumerate(ids):
                artifact, chunks = await self._services.artifacts.open(artifact_id)
                path = folder / f"{name}-{number}-{artifact.filename}"
                path.write_bytes(b"".join([chunk async for chunk in chunks]))
                found.setdefault(name, []).append(path)
        return found

    async def _keep(self, context: _Context) -> tuple[str, ...]:
        for artifact in context.artifacts.values():
            await self._services.artifacts.put(
                artifact.name, artifact.data, role=artifact.role, job=context.job, attempt=context.attempt
            )
        return tuple(name for name, artifact in context.artifacts.items() if artifact.role is not Role.PREVIEW)


def _offer(executor: Executor) -> Offer:
    choices = {field: tuple(values) for field, values in executor.choices().items()}
    return Offer(tuple(executor.models()), tuple(executor.loaded()), choices)
