"""What passes between a worker's connection process and its executor processes: pure, no I/O.

One JSON object a line. JSON, not pickle: the connection process must not import what an executor returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, TypeAdapter

from tron_core.hub.protocol import Announced, Message
from tron_core.job import ErrorKind, Role

T = TypeVar("T")

MAX_OUTPUT = 900 * 1024
"""Bytes of an output as JSON, so that its frame stays under the protocol's limit; larger things are artifacts."""
MAX_LINE = 4 * 1024 * 1024
"""Bytes of the longest line: above any frame, so that only a broken peer reaches it."""


class Fetched(Message):
    """An input that lies on this machine now."""

    name: str
    path: Path
    media_type: str
    size: int
    sha256: str


class Run(Message):
    """Begin. ``serial`` numbers the runs of one executor process, ``folder`` is the run's own."""

    type: Literal["run"] = "run"
    serial: int
    job: str
    attempt: int
    capability: str
    params: Mapping[str, Any]
    inputs: tuple[Fetched, ...] = ()
    deadline_s: float
    folder: Path


class CancelRun(Message):
    """Stop the run ``serial``; any other is over already, and is left alone."""

    type: Literal["cancel"] = "cancel"
    serial: int


class Stop(Message):
    """End the process: nothing runs."""

    type: Literal["stop"] = "stop"


class LeftOut(Message):
    """Why something of a plugin is not offered."""

    plugin: str
    reason: str


class Ready(Message):
    """The executors are loaded: what this process can do, and what it leaves out."""

    type: Literal["ready"] = "ready"
    capabilities: Mapping[str, Announced]
    left_out: tuple[LeftOut, ...] = ()


class Progressed(Message):
    type: Literal["progress"] = "progress"
    fraction: float
    step: int | None = None
    steps: int | None = None
    message: str | None = None


class Said(Message):
    """More text for the person."""

    type: Literal["said"] = "said"
    text: str


class Made(Message):
    """A file is ready to be uploaded; it lies at ``path`` until the attempt is forgotten."""

    type: Literal["made"] = "made"
    name: str
    media_type: str
    size: int
    sha256: str
    role: Role
    path: Path


class Finished(Message):
    """The run returned. ``seconds`` of wall time, of which ``load_seconds`` loading a model."""

    type: Literal["finished"] = "finished"
    output: Mapping[str, Any]
    seconds: float
    load_seconds: float | None = None


class Failed(Message):
    """The run ended without a result. ``cancelled``: because it was told to."""

    type: Literal["failed"] = "failed"
    kind: ErrorKind
    message: str
    retryable: bool
    cancelled: bool = False


class Changed(Message):
    """What an executor has differs from what was said last; sent before the end of the run that changed it."""

    type: Literal["changed"] = "changed"
    capability: str
    announced: Announced


Ended = Finished | Failed
FromChild = Ready | Progressed | Said | Made | Finished | Failed | Changed
ToChild = Run | CancelRun | Stop

_from_child: TypeAdapter[FromChild] = TypeAdapter(Annotated[FromChild, Field(discriminator="type")])
_to_child: TypeAdapter[ToChild] = TypeAdapter(Annotated[ToChild, Field(discriminator="type")])


def parse_from_child(line: bytes) -> FromChild:
    """A line from an executor process; raises ValueError."""
    return _from_child.validate_json(line)


def parse_to_child(line: bytes) -> ToChild:
    """A line to an executor process; raises ValueError."""
    return _to_child.validate_json(line)


def line(message: Message) -> bytes:
    """A message as one line."""
    return message.model_dump_json(exclude_none=True).encode() + b"\n"
