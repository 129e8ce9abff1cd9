"""What passes over the Bus between sessions and the scheduler.

Sessions send to ``SCHEDULER``, the scheduler answers to ``session_address(session)``. All are plain frozen
dataclasses of JSON-like values, so that a Bus over a network can carry them. An attempt is named by (job, attempt);
the session that says something about it is named too, so that the scheduler can tell whether it holds the lease.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tron_core.job import ErrorKind, Metrics, Progress
from tron_core.sessions import Held, Offer

SCHEDULER = "scheduler"
EVENTS = "events"
"""The address where every JobEvent is published."""


def session_address(session: str) -> str:
    """The Bus address of one session."""
    return f"session:{session}"


@dataclass(frozen=True, slots=True)
class WorkerConnected:
    """A worker said hello. ``holding`` None: its protocol does not say, so it holds what is leased to it.
    ``base_url`` is what the worker dialled, for URLs that it can reach; ``grace`` overrides
    ``scheduling.resume_grace`` (seconds) for protocols with rules of their own."""

    session: str
    worker: str
    client_id: str
    protocol: str
    software: str
    offers: Mapping[str, Offer]
    slots: int
    hardware: Mapping[str, Any]
    holding: tuple[Held, ...] | None = ()
    base_url: str = ""
    grace: float | None = None


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """What changed on a worker; None means unchanged."""

    session: str
    offers: Mapping[str, Offer] | None = None
    free_slots: int | None = None
    hardware: Mapping[str, Any] | None = None
    suspect: bool | None = None
    draining: bool | None = None


@dataclass(frozen=True, slots=True)
class WorkerGone:
    """A session ended. ``clean``: after ``drain`` with no job held, so no grace time; ``lost``: it was silent for the
    whole grace time already, so its jobs go back to the queue at once."""

    session: str
    clean: bool = False
    lost: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class WorkerForgotten:
    """A worker that is not connected will not come back: its jobs go back to the queue at once."""

    worker: str
    client_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class AttemptProgress:
    session: str
    job: str
    attempt: int
    progress: Progress


@dataclass(frozen=True, slots=True)
class AttemptPartial:
    session: str
    job: str
    attempt: int
    seq: int
    text: str


@dataclass(frozen=True, slots=True)
class AttemptUpload:
    """The worker asks for a ticket."""

    session: str
    job: str
    attempt: int
    name: str
    media_type: str
    size: int
    sha256: str
    role: str = "result"


@dataclass(frozen=True, slots=True)
class AttemptResult:
    session: str
    job: str
    attempt: int
    output: Mapping[str, Any]
    artifacts: tuple[str, ...] = ()
    metrics: Metrics = field(default_factory=lambda: Metrics(0.0))


@dataclass(frozen=True, slots=True)
class AttemptError:
    session: str
    job: str
    attempt: int
    kind: ErrorKind
    message: str
    retryable: bool


ToScheduler = (
    WorkerConnected
    | WorkerStatus
    | WorkerGone
    | WorkerForgotten
    | AttemptProgress
    | AttemptPartial
    | AttemptUpload
    | AttemptResult
    | AttemptError
)


@dataclass(frozen=True, slots=True)
class Welcomed:
    """The worker is registered; ``resume`` and ``abandon`` divide what it held. ``again`` says what there is to go on
    with, to a session that did not say what its worker holds."""

    resume: tuple[Held, ...] = ()
    abandon: tuple[Held, ...] = ()
    again: tuple[Assign, ...] = ()


@dataclass(frozen=True, slots=True)
class Turned:
    """The worker is turned away: close code and why."""

    close_code: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class InputFileRef:
    name: str
    url: str
    headers: Mapping[str, str]
    media_type: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Assign:
    """Do this attempt; it is committed already. ``deadline_s`` in seconds from now."""

    job: str
    attempt: int
    capability: str
    params: Mapping[str, Any]
    inputs: tuple[InputFileRef, ...]
    deadline_s: float


@dataclass(frozen=True, slots=True)
class CancelAttempt:
    job: str
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class AttemptSettled:
    """``outcome``: accepted, duplicate, superseded or gone."""

    job: str
    attempt: int
    outcome: str


@dataclass(frozen=True, slots=True)
class UploadTicket:
    job: str
    attempt: int
    name: str
    url: str
    headers: Mapping[str, str]
    expires_s: float


@dataclass(frozen=True, slots=True)
class WhyIdle:
    skipped: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class TellWorker:
    """A sentence from the operator for the worker's console."""

    message: str


@dataclass(frozen=True, slots=True)
class TellFault:
    """The session said something wrong about an attempt."""

    message: str


@dataclass(frozen=True, slots=True)
class CloseSession:
    code: int
    reason: str


ToSession = (
    Welcomed
    | Turned
    | Assign
    | CancelAttempt
    | AttemptSettled
    | UploadTicket
    | WhyIdle
    | TellWorker
    | TellFault
    | CloseSession
)
