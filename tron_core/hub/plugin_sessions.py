"""Sessions of the worker protocols that plugins bring: they speak with the scheduler over the Bus, as any session does,
and know nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ulid import ULID

from tron_core.api import Grant
from tron_core.job import ErrorKind, Metrics, Progress
from tron_core.scheduling import messages as bus
from tron_core.scheduling.bus import Bus
from tron_core.sessions import Assignment, InputFile, Offer, SessionListener, WorkerHello


class PluginWorkers:
    """The workers, as ``WorkerAccess`` says; ``leased`` is the scheduler's."""

    def __init__(self, bus_: Bus, leased: Callable[[str], Sequence[tuple[str, bus.Assign]]]) -> None:
        self._bus = bus_
        self._leased = leased

    def open(self, grant: Grant, hello: WorkerHello, listener: SessionListener) -> PluginSession:
        return PluginSession(self._bus, grant, hello, listener)

    def leased(self, client_id: str) -> list[tuple[str, Assignment]]:
        return [(worker, _assignment(assign)) for worker, assign in self._leased(client_id)]

    def forget(self, client_id: str, name: str, reason: str) -> None:
        self._bus.send(bus.SCHEDULER, bus.WorkerForgotten(name, client_id, reason))


class PluginSession:
    """One session, as ``WorkerSession`` says."""

    def __init__(self, bus_: Bus, grant: Grant, hello: WorkerHello, listener: SessionListener) -> None:
        self._bus = bus_
        self._id = str(ULID())
        self._listener = listener
        self._unlisten = bus_.listen(bus.session_address(self._id), self._hear)
        self._over = False
        self._tell(_connected(self._id, grant, hello))

    # To the scheduler

    def update(self, *, offers: Mapping[str, Offer] | None = None, suspect: bool | None = None) -> None:
        self._tell(bus.WorkerStatus(self._id, offers=offers, suspect=suspect))

    def progress(self, job: str, attempt: int, progress: Progress) -> None:
        self._tell(bus.AttemptProgress(self._id, job, attempt, progress))

    def partial(self, job: str, attempt: int, seq: int, text: str) -> None:
        self._tell(bus.AttemptPartial(self._id, job, attempt, seq, text))

    def result(
        self, job: str, attempt: int, output: Mapping[str, Any], artifacts: Sequence[str] = (), seconds: float = 0.0
    ) -> None:
        self._tell(bus.AttemptResult(self._id, job, attempt, output, tuple(artifacts), Metrics(seconds)))

    def failed(self, job: str, attempt: int, kind: ErrorKind, message: str, *, retryable: bool) -> None:
        self._tell(bus.AttemptError(self._id, job, attempt, kind, message, retryable))

    def ended(self, reason: str, *, lost: bool = False) -> None:
        self._tell(bus.WorkerGone(self._id, lost=lost, reason=reason))
        self._end()

    def _tell(self, message: bus.ToScheduler) -> None:
        if not self._over:
            self._bus.send(bus.SCHEDULER, message)

    def _end(self) -> None:
        self._over = True
        self._unlisten()

    # From the scheduler

    def _hear(self, message: bus.ToSession) -> None:
        listener = self._listener
        match message:
            case bus.Welcomed(_, abandon, again):
                listener.welcomed([_assignment(each) for each in again], abandon)
            case bus.Assign():
                listener.assigned(_assignment(message))
            case bus.CancelAttempt(job, attempt, reason):
                listener.cancelled(job, attempt, reason)
            case bus.AttemptSettled(job, attempt, outcome):
                listener.settled(job, attempt, outcome)
            case bus.TellFault(reason):
                listener.faulted(reason)
            case bus.TellWorker(text):
                listener.noticed(text)
            case bus.Turned(_, code, reason):
                self._end()
                listener.turned_away(code, reason)
            case bus.CloseSession(close_code, reason):
                self._end()
                listener.closed(close_code, reason)
            case bus.UploadTicket() | bus.WhyIdle():
                pass  # tickets are for files that come over the hub's own route; who is idle need not know why


def _connected(session: str, grant: Grant, hello: WorkerHello) -> bus.WorkerConnected:
    known: dict[str, Any] = dict(hello.hardware)
    return bus.WorkerConnected(
        session=session,
        worker=hello.name,
        client_id=grant.client_id,
        protocol=hello.protocol,
        software=hello.software,
        offers=hello.offers,
        slots=hello.slots,
        hardware=known,
        holding=hello.holding,
        base_url=hello.base_url,
        grace=hello.grace,
    )


def _assignment(message: bus.Assign) -> Assignment:
    files = tuple(InputFile(file.name, file.url, file.media_type, file.size, file.sha256) for file in message.inputs)
    return Assignment(message.job, message.attempt, message.capability, message.params, files, message.deadline_s)
