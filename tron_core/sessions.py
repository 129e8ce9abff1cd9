"""A worker's session, as a plugin's own worker protocol sees it. Experimental.

``app.workers.open`` registers a worker that has shown who it is; from then on the protocol tells the WorkerSession what
the worker says, and its SessionListener is told what the hub wants. How that passes between them is the hub's affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tron_core.job import ErrorKind, Progress

if TYPE_CHECKING:
    from tron_core.api import Grant

Held = tuple[str, int]
"""(job, attempt)"""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a worker offers for one capability: its models, those in memory, and what fields may be."""

    models: tuple[str, ...] = ()
    loaded: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkerHello:
    """A worker that wants to be given jobs. ``name`` is unique on the hub, ``offers`` are by capability, ``slots`` jobs
    at once; ``hardware`` may have ``gpu``, ``gpu_memory_mb``, ``cpu``, ``memory_mb`` and more.

    ``holding`` are the attempts that the worker still has from an earlier session of that name and credential; None
    says that all that are leased to it are. ``base_url`` is the host that it dialled, for URLs that it can reach.
    ``grace`` in seconds: how long it keeps its jobs after a lost connection; None: ``scheduling.resume_grace``.
    """

    name: str
    protocol: str
    offers: Mapping[str, Offer]
    software: str = ""
    slots: int = 1
    hardware: Mapping[str, Any] = field(default_factory=dict)
    holding: tuple[Held, ...] | None = ()
    base_url: str = ""
    grace: float | None = None


@dataclass(frozen=True, slots=True)
class InputFile:
    """An input of a job, at a URL that the worker can reach. ``name`` is the field's, ``size`` in bytes."""

    name: str
    url: str
    media_type: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """An attempt at a job, to be done within ``deadline_s`` seconds. ``inputs`` is empty where it is resumed."""

    job: str
    attempt: int
    capability: str
    params: Mapping[str, Any]
    inputs: tuple[InputFile, ...]
    deadline_s: float


class SessionListener(Protocol):
    """What a session is told, in the order in which it happened. Called on the event loop; must not block."""

    def welcomed(self, resumed: Sequence[Assignment], abandoned: Sequence[Held]) -> None:
        """The worker is registered. It goes on with ``resumed`` (told where ``holding`` was None), and is to stop
        ``abandoned``, whose results nobody wants."""

    def turned_away(self, code: str, reason: str) -> None:
        """The worker is not registered (``name_taken``, ``no_capability``); the session is over."""

    def assigned(self, assignment: Assignment) -> None:
        """The worker is to do this."""

    def cancelled(self, job: str, attempt: int, reason: str) -> None:
        """The attempt is not wanted any more. Say ``failed`` when the worker has stopped: it frees the slot."""

    def settled(self, job: str, attempt: int, outcome: str) -> None:
        """A result or error was taken (``accepted``) or is of no use (``duplicate``, ``superseded``, ``gone``)."""

    def faulted(self, reason: str) -> None:
        """What was said about an attempt is wrong: it has no effect."""

    def noticed(self, message: str) -> None:
        """A sentence from the operator, for the worker's console."""

    def closed(self, code: int, reason: str) -> None:
        """Close the connection: another took over the name. The session is over."""


class WorkerSession(Protocol):
    """What a worker says, for the hub. After ``ended``, and once the listener is told that it is over, nothing has an
    effect. What is said of an attempt that the worker does not hold has none either."""

    def update(self, *, offers: Mapping[str, Offer] | None = None, suspect: bool | None = None) -> None:
        """Change what the worker offers; ``suspect``: give it no more jobs for now, or again some."""

    def progress(self, job: str, attempt: int, progress: Progress) -> None:
        """How far an attempt is."""

    def partial(self, job: str, attempt: int, seq: int, text: str) -> None:
        """A piece of the text; ``seq`` counts from 0."""

    def result(
        self, job: str, attempt: int, output: Mapping[str, Any], artifacts: Sequence[str] = (), seconds: float = 0.0
    ) -> None:
        """An attempt succeeded: its output, and the names of its artifacts, which were put before."""

    def failed(self, job: str, attempt: int, kind: ErrorKind, message: str, *, retryable: bool) -> None:
        """An attempt failed, or stopped after it was cancelled."""

    def ended(self, reason: str, *, lost: bool = False) -> None:
        """The connection is gone. The worker may come back for its jobs within its grace time, unless it is ``lost``:
        then they go back to the queue at once."""


class WorkerAccess(Protocol):
    """The hub's workers, as a protocol of a plugin's own sees them."""

    def open(self, grant: Grant, hello: WorkerHello, listener: SessionListener) -> WorkerSession:
        """Register a worker whose credential was verified; ``listener`` is told what becomes of it."""

    def leased(self, client_id: str) -> Sequence[tuple[str, Assignment]]:
        """What the workers of a credential are at now, connected or not, each with its worker's name."""

    def forget(self, client_id: str, name: str, reason: str) -> None:
        """A worker that is not connected will not come back: its jobs go back to the queue at once."""
