"""Jobs, attempts and results, and the job's state machine: pure, no I/O.

Times are seconds since the epoch (UTC) as floats.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MAX_NAME = 80
"""Characters of a requester's name; Discord allows 32."""


def shown_name(name: str | None) -> str | None:
    """A person's name as it may stand before their words: one line of at most 80 characters, none of them a control or
    invisible one. None where nothing is left, or nothing was given."""
    visible = (" " if unicodedata.category(char).startswith("C") else char for char in name or "")
    return " ".join("".join(visible).split())[:MAX_NAME].rstrip() or None


class JobState(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def over(self) -> bool:
        """Whether the job has reached its end (a failed one may still be retried by a person)."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


TRANSITIONS: Mapping[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED}),
    JobState.RUNNING: frozenset(
        {JobState.QUEUED, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED}
    ),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.CANCELLED: frozenset(),
    JobState.EXPIRED: frozenset(),
}
"""The legal transitions. ``running -> queued`` is a lost or returned attempt, ``failed -> queued`` a person's retry,
``running -> expired`` a lost attempt whose job outlived its time in the queue meanwhile."""


class IllegalTransition(ValueError):
    """A transition that the state machine does not know."""

    def __init__(self, old: JobState, new: JobState) -> None:
        allowed = ", ".join(sorted(TRANSITIONS[old])) or "nothing: it is over"
        super().__init__(f"a job cannot go from {old} to {new} (from {old}: {allowed})")


def check_transition(old: JobState, new: JobState) -> None:
    """Raise IllegalTransition unless a job may go from ``old`` to ``new``."""
    if new not in TRANSITIONS[old]:
        raise IllegalTransition(old, new)


class Outcome(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    ERROR = "error"
    LOST = "lost"
    TIMEOUT = "timeout"
    RETURNED = "returned"
    CANCELLED = "cancelled"

    @property
    def counts(self) -> bool:
        """Whether an attempt that ended so counts towards ``scheduling.max_attempts``."""
        return self in (Outcome.ERROR, Outcome.LOST)


class ErrorKind(StrEnum):
    """What kind of error an executor met; decides where a retry may go."""

    INVALID = "invalid"
    TRANSIENT = "transient"
    OUT_OF_MEMORY = "out_of_memory"
    INTERNAL = "internal"


class Priority(StrEnum):
    """A job's priority class; every job of a higher class goes before any of a lower one."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """0 goes first."""
        return {"high": 0, "normal": 1, "low": 2}[self.value]


class Role(StrEnum):
    """What an artifact is for."""

    RESULT = "result"
    THUMBNAIL = "thumbnail"
    SHEET = "sheet"
    PREVIEW = "preview"
    WAVEFORM = "waveform"
    INPUT = "input"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One hand-out of a job to one worker."""

    number: int
    worker: str
    started_at: float
    ended_at: float | None = None
    outcome: Outcome | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """A stored binary. ``key`` is the unguessable part of its address, ``size`` in bytes, ``sha256`` in hex."""

    id: str
    name: str
    role: Role
    key: str
    filename: str
    media_type: str
    size: int
    sha256: str
    job: str | None = None
    attempt: int | None = None
    owner: str | None = None
    created_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running job is: ``fraction`` from 0 to 1."""

    fraction: float
    step: int | None = None
    steps: int | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed: a stable code and a sentence."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Metrics:
    """What an attempt cost: seconds of work, seconds spent loading, energy in watt-hours."""

    seconds: float
    load_seconds: float | None = None
    energy_wh: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What an executor returned."""

    output: Mapping[str, Any]
    artifacts: Sequence[Artifact] = ()
    metrics: Metrics | None = None


@dataclass(frozen=True, slots=True)
class StoredAction:
    """An action as it stands in a stored reply; ``params`` are filled in."""

    label: str
    capability: str
    params: Mapping[str, Any]
    emoji: str | None = None
    owner_only: bool = False


@dataclass(frozen=True, slots=True)
class StoredVoice:
    """A voice message as it is stored: ``artifact`` is an id, ``waveform`` base64 of a byte for each tenth of a
    second, at most 256."""

    artifact: str
    seconds: float
    waveform: str


@dataclass(frozen=True, slots=True)
class StoredReply:
    """The reply as it is stored with the job: what deliveries, GET and buttons read. ``artifacts`` are the ids of
    those that are shown, in order; ``voice`` is one of them."""

    text: str
    artifacts: Sequence[str] = ()
    actions: Sequence[StoredAction] = ()
    voice: StoredVoice | None = None


BESIDE = "beside"
"""In a target's address: the frontend shows the job in a message of its own, from the moment it is queued."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a reply goes: the frontend's name and what that frontend needs to find the place again (JSON)."""

    frontend: str
    address: Mapping[str, Any] = field(default_factory=dict)

    def beside(self) -> Target:
        """The target of a further job whose reply stands beside this one's, as a message of its own."""
        return Target(self.frontend, {**self.address, BESIDE: True})


@dataclass(frozen=True, slots=True)
class Job:
    """A snapshot of one durable request. ``params`` are as validated, in JSON form;
    ``Capability.parse(job.params)`` gives them as the capability's Params. ``requester_name`` is how the requester was
    called where they asked: good to show, never to decide by, since people choose it themselves."""

    id: str
    capability: str
    params: Mapping[str, Any]
    state: JobState
    requester: str
    created_at: float
    priority: Priority = Priority.NORMAL
    attempt: int = 0
    attempts: Sequence[Attempt] = ()
    started_at: float | None = None
    finished_at: float | None = None
    output: Mapping[str, Any] | None = None
    artifacts: Sequence[Artifact] = ()
    reply: StoredReply | None = None
    error: JobError | None = None
    target: Target | None = None
    guild: str | None = None
    channel: str | None = None
    parent: str | None = None
    requester_name: str | None = None


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a frontend hands to ``submit``.

    ``params`` are the given fields alone (what is missing is filled from settings and defaults); ``lenient`` says
    that they come from text (Discord, a command line), so that ``"30"`` is a fine int. ``target`` is where the reply
    goes, None where the requester reads it (REST). ``parent`` is the job whose action this follows. ``admin`` says
    whether the requester may administer the guild where this is asked, or without a guild, the hub; ``nsfw`` whether
    adult content may be shown there (an age-restricted channel, unless the guild's rules forbid it).
    """

    capability: str
    params: Mapping[str, Any]
    requester: str
    target: Target | None = None
    priority: Priority = Priority.NORMAL
    guild: str | None = None
    channel: str | None = None
    roles: frozenset[str] = frozenset()
    lenient: bool = False
    idempotency_key: str | None = None
    parent: str | None = None
    requester_name: str | None = None
    admin: bool = False
    nsfw: bool = False


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something that happened to a job: ``kind`` is ``state``, ``progress``, ``partial`` or ``result``.

    ``data`` is the JSON that server-sent events carry: for ``state`` ``{state, position, eta_seconds, attempt,
    worker, message}`` as far as they apply; for ``progress`` ``{fraction, step, steps, message}``; for ``partial``
    ``{seq, text}``; ``result`` is sent when the reply is stored and has ``{state}``: readers fetch the job then.
    """

    kind: str
    job: str
    capability: str
    requester: str
    data: Mapping[str, Any]
