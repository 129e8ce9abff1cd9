"""What a plugin is handed (App) and the seams it may fill: frontends, worker protocols, buses, artifact stores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pydantic import BaseModel

from tron_core.job import Artifact, Job, JobEvent, JobRequest, Role, StoredReply
from tron_core.sessions import WorkerAccess

if TYPE_CHECKING:
    from sqlalchemy import Connection

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class DatabaseAccess(Protocol):
    """The hub's database, as plugins see it."""

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run ``fn`` in a reader thread and return what it returns."""

    async def write(self, fn: Callable[[Connection], T]) -> T:
        """Run ``fn`` in the writer's next transaction; returns once that is committed. ``fn`` may run again, so it
        has no other effect than on the Connection. What it raises undoes its own writes alone, and is raised here."""


class ArtifactAccess(Protocol):
    """The stored binaries, as plugins see them."""

    async def put(
        self,
        name: str,
        data: bytes | AsyncIterator[bytes],
        *,
        owner: str | None = None,
        role: Role = Role.RESULT,
        job: str | None = None,
        attempt: int | None = None,
    ) -> Artifact:
        """Store ``data``; the media type is sniffed. With ``attempt`` it may be named in that attempt's result, under a
        ``name`` of its own. Raises TooLarge over ``limits.upload_bytes``, Conflict where the attempt has other bytes
        of that name."""

    async def open(self, artifact_id: str) -> tuple[Artifact, AsyncIterator[bytes]]:
        """An artifact and its bytes; raises NotFound."""

    async def for_job(self, job: str) -> Sequence[Artifact]:
        """Everything that was stored for a job."""

    async def remove(self, ids: Collection[str]) -> None:
        """Remove artifacts, bytes and rows; those that are gone already are no error."""


class SettingsAccess(Protocol):
    """Saved settings, layered: user, then channel, then guild."""

    async def get(self, requester: str, guild: str | None, field: str) -> Any:
        """The saved value of ``field`` (``echo.times``), None where nobody saved one."""

    async def save(self, requester: str, field: str, value: Any) -> None:
        """Save a setting of the plugin's own for a person, as they could themselves; None forgets it. A group's
        setting is each plugin's that has a field of it.

        Raises InvalidParams for a value that is not allowed, NotFound where the plugin has no such setting."""


class HookAccess(Protocol):
    """Calls of hooks that a plugin declared, under the rules of every hook: order, time limit, isolation."""

    async def call_all(self, hook: str, /, **arguments: Any) -> list[Any]:
        """What the plugins answered, in order, None left out. Raises LookupError where no hook has that name."""

    async def call_first(self, hook: str, /, **arguments: Any) -> Any:
        """The first answer, None where nobody has one; raises the TronError that a plugin answers with."""


class CredentialAccess(Protocol):
    """Credentials, at the plugin's own doors: those that were made for them, which are good nowhere else and keep their
    refresh token, and the hub's. Experimental."""

    async def authenticate(self, access_token: str | None) -> Grant:
        """Who holds an access token; raises Unauthorized."""

    async def by_api_key(self, client_id: str, api_key: str) -> Mapping[str, Any]:
        """A token block, as in ``auth.json``, for an api key; earlier tokens stay valid. Raises Unauthorized."""

    async def by_refresh_token(self, refresh_token: str) -> Mapping[str, Any]:
        """A token block for a refresh token, which stays as it is where the credential is the plugin's, and is spent
        by it where it is the hub's own. Raises Unauthorized."""


class App(Protocol):
    """What a plugin may use of the hub. One object per plugin. ``workers`` and ``credentials`` are experimental."""

    plugin: str
    folder: Path
    """The configuration file's: what a plugin keeps in files lies below it."""
    database: DatabaseAccess
    artifacts: ArtifactAccess
    settings: SettingsAccess
    hooks: HookAccess
    workers: WorkerAccess
    credentials: CredentialAccess

    def config(self, model: type[M]) -> M:
        """The plugin's own ``[plugins.NAME]`` section as ``model``."""

    async def submit(self, request: JobRequest) -> Job:
        """Submit a job; raises Refused, InvalidParams or TooMany."""

    async def job(self, job: str) -> Job:
        """A job by its id; raises NotFound."""

    def choices(self, capability: str, field: str) -> Sequence[str]:
        """What ``field`` may be now: what the plugin knows and what connected workers announced."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A worker with a free slot that could take a job, as ``tron_select_worker`` sees it."""

    name: str
    loaded: tuple[str, ...]
    free_slots: int
    running: int
    expected_seconds: float
    hardware: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """Something a person wrote that is not a command: a mention, a direct message, a message in a thread."""

    text: str
    requester: str
    frontend: str
    channel: str
    guild: str | None = None
    thread_job: str | None = None
    mentions_bot: bool = False
    attachments: tuple[Artifact, ...] = ()
    roles: frozenset[str] = frozenset()
    requester_name: str | None = None


@dataclass(frozen=True, slots=True)
class SettingSpec:
    """A setting beyond those in a Params class: ``key`` within the plugin, its default and what it is for."""

    key: str
    default: Any
    help: str
    choices: tuple[str, ...] = ()
    scope: str = "user"


class Frontend(Protocol):
    """A place where people ask and are answered."""

    name: str

    async def start(self) -> None:
        """Begin to serve; called once the scheduler is ready."""

    async def stop(self) -> None:
        """Stop taking requests and free what is held."""

    async def deliver(self, delivery: str, job: Job, reply: StoredReply) -> None:
        """Show ``reply`` at ``job.target``. Called again with the same ``delivery`` id until it returns, so a repeat
        must show once. Raises UndeliverableError where the place is gone for good."""

    def show(self, job: Job, event: JobEvent) -> None:
        """Show a state change or progress of a job whose target is this frontend; must not block."""


class UndeliverableError(Exception):
    """The target does not exist any more: the delivery is given up, with this reason in the log."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What was written: bytes, hex digest, and the first 8 KiB for sniffing."""

    size: int
    sha256: str
    head: bytes


class ArtifactStore(Protocol):
    """Where bytes lie, by ``key`` and ``filename``; chosen by the scheme of ``artifacts.url``."""

    async def put(self, key: str, filename: str, chunks: AsyncIterator[bytes], *, max_bytes: int) -> Stored:
        """Write a new object, all or nothing; raises TooLarge once more than ``max_bytes`` came."""

    def get(self, key: str, filename: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from ``start`` up to, not including, ``end``; raises NotFound at the first read."""

    async def delete(self, key: str, filename: str) -> None:
        """Remove an object; nothing happens where there is none."""


StoreFactory = Callable[[str, Path], ArtifactStore]
"""Makes a store from its URL and the folder that relative paths are relative to."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Who a verified credential speaks for; what a worker protocol's authentication returns."""

    client_id: str
    user: str
    scopes: frozenset[str] = field(default_factory=frozenset)


class WorkerProtocol(Protocol):
    """A wire protocol for workers. ``subprotocol`` None is the one for connections that name none.

    ``max_size`` in bytes a frame, ``ping_interval`` and ``ping_timeout`` in seconds (None: no pings). A protocol of a
    plugin's own verifies credentials with ``app.credentials`` and registers workers with ``app.workers``.
    """

    subprotocol: str | None
    max_size: int
    ping_interval: float | None
    ping_timeout: float | None

    async def authenticate(self, headers: Mapping[str, str], address: str) -> Grant:
        """Verify before the upgrade; raises Unauthorized (HTTP 401) or Forbidden (403). It has 45 seconds, so that a
        refusal may be slow."""

    def serve(self, connection: Any, grant: Grant) -> Awaitable[None]:
        """Speak with the worker until the connection ends. ``connection`` is a ``ServerConnection`` of the library
        websockets, with ``address`` and ``base_url`` (where the worker dialled, without a port) and ``hang_up(code,
        reason)``, which closes it whether or not the other end says goodbye."""
