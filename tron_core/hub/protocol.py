"""The messages of the worker protocol ``tron.v1``: pure, no I/O.

Both ends use this module: ``parse_from_worker`` on the hub, ``parse_from_hub`` on the worker, ``encode`` on both.
Unknown fields are ignored; docs/reference/worker-protocol.md is the prose.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, FailFast, Field, TypeAdapter, ValidationError

T = TypeVar("T")

SUBPROTOCOL = "tron.v1"
MAX_FRAME = 1024 * 1024
"""Bytes of the largest frame; bulk goes by HTTP."""
MAX_TEXT = 256 * 1024
"""Bytes (UTF-8) of the partial text that the hub keeps for one attempt."""
HELLO_TIMEOUT = 10.0
"""Seconds within which ``hello`` must come."""
MAX_FAULTS = 20
"""Faults in a row after which the session is closed."""

MAX_EXPLAINED = 100
"""Wrong fields in one frame beyond which only their number is said."""
MAX_SENTENCE = 500
"""Characters of the longest fault: it may quote what came."""

CLOSE_FAULTS = 4400
CLOSE_REVOKED = 4403
CLOSE_NO_HELLO = 4408
CLOSE_REJECTED = 4409
CLOSE_TAKEN_OVER = 4410
CLOSE_SILENT = 4411

Name = Annotated[str, Field(min_length=1, max_length=128)]
MOST = 2**31 - 1
"""The largest whole number: what the databases keep in a column of numbers."""
MAX_SECONDS = 1e9

Number = Annotated[int, Field(ge=1, le=MOST)]
Count = Annotated[int, Field(ge=0, le=MOST)]
Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS)]
Names = Annotated[tuple[str, ...], FailFast()]
"""The first wrong one is enough: a frame of 300,000 wrong ones would keep the loop busy for a second."""


class Message(BaseModel):
    """The base of every message."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Announced(Message):
    """What a worker has for one capability."""

    models: Names = ()
    loaded: Names = ()
    choices: Mapping[str, Names] = {}


class Hardware(BaseModel):
    """What a worker runs on; memory in MiB. Further fields are kept."""

    model_config = ConfigDict(extra="allow", frozen=True)

    gpu: str | None = None
    gpu_memory_mb: Count | None = None
    cpu: str | None = None
    memory_mb: Count | None = None
    platform: str | None = None


class Held(Message):
    """An attempt that a worker still holds: running, or finished but not settled."""

    job: Name
    attempt: Number


class Hello(Message):
    type: Literal["hello"] = "hello"
    worker: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.@:-]+$")]
    software: Annotated[str, Field(max_length=200)] = ""
    capabilities: Annotated[Mapping[str, Announced], Field(max_length=256)]
    slots: Annotated[int, Field(ge=1, le=1024)] = 1
    hardware: Hardware = Hardware()
    resuming: Annotated[tuple[Held, ...], FailFast()] = ()


class ProgressMessage(Message):
    type: Literal["progress"] = "progress"
    job: Name
    attempt: Number
    fraction: Annotated[float, Field(ge=0, le=1)]
    step: int | None = None
    steps: int | None = None
    message: Annotated[str, Field(max_length=1000)] | None = None


class Partial(Message):
    type: Literal["partial"] = "partial"
    job: Name
    attempt: Number
    seq: Count
    text: str


class Upload(Message):
    type: Literal["upload"] = "upload"
    job: Name
    attempt: Number
    name: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*$")]
    media_type: Annotated[str, Field(max_length=128)]
    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    role: Literal["result", "preview", "thumbnail", "sheet", "waveform"] = "result"


class MetricsMessage(Message):
    seconds: Seconds = 0.0
    load_seconds: Seconds | None = None
    energy_wh: Annotated[float, Field(ge=0, le=1e9)] | None = None


class ResultMessage(Message):
    type: Literal["result"] = "result"
    job: Name
    attempt: Number
    output: Mapping[str, Any]
    artifacts: Annotated[Names, Field(max_length=256)] = ()
    metrics: MetricsMessage = MetricsMessage()


class ErrorMessage(Message):
    type: Literal["error"] = "error"
    job: Name
    attempt: Number
    kind: Literal["invalid", "transient", "out_of_memory", "internal"]
    message: Annotated[str, Field(max_length=10_000)]
    retryable: bool


class Heartbeat(Message):
    type: Literal["heartbeat"] = "heartbeat"


class Status(Message):
    """What changed since ``hello``: per capability what is loaded and what fields may be; a capability that is not
    named, and a field left out, stays as it was. ``free_slots`` can only lower what the hub counts."""

    type: Literal["status"] = "status"
    loaded: Mapping[str, Names] = {}
    choices: Mapping[str, Mapping[str, Names]] = {}
    free_slots: Count | None = None
    hardware: Hardware | None = None


class Drain(Message):
    type: Literal["drain"] = "drain"


class Welcome(Message):
    type: Literal["welcome"] = "welcome"
    session: str
    heartbeat_s: float
    resume: tuple[Held, ...] = ()
    abandon: tuple[Held, ...] = ()


class Rejected(Message):
    type: Literal["rejected"] = "rejected"
    code: str
    message: str


class InputRef(Message):
    """An input of a job: where to fetch it, and what it must be."""

    name: str
    url: str
    headers: Mapping[str, str] = {}
    media_type: str
    size: int
    sha256: str


class JobMessage(Message):
    type: Literal["job"] = "job"
    job: str
    attempt: int
    capability: str
    params: Mapping[str, Any]
    inputs: tuple[InputRef, ...] = ()
    deadline_s: float


class Ticket(Message):
    type: Literal["ticket"] = "ticket"
    job: str
    attempt: int
    name: str
    method: Literal["PUT"] = "PUT"
    url: str
    headers: Mapping[str, str] = {}
    expires_s: float


class Settled(Message):
    type: Literal["settled"] = "settled"
    job: str
    attempt: int
    outcome: Literal["accepted", "duplicate", "superseded", "gone"]


class Cancel(Message):
    type: Literal["cancel"] = "cancel"
    job: str
    attempt: int
    reason: str


class Idle(Message):
    type: Literal["idle"] = "idle"
    skipped: Mapping[str, int]


class Notice(Message):
    type: Literal["notice"] = "notice"
    message: str


class Fault(Message):
    type: Literal["fault"] = "fault"
    message: str


AboutAttempt = ProgressMessage | Partial | Upload | ResultMessage | ErrorMessage
FromWorker = Hello | AboutAttempt | Heartbeat | Status | Drain | Fault
FromHub = Welcome | Rejected | JobMessage | Ticket | Settled | Cancel | Idle | Notice | Fault

_from_worker: TypeAdapter[FromWorker] = TypeAdapter(Annotated[FromWorker, Field(discriminator="type")])
_from_hub: TypeAdapter[FromHub] = TypeAdapter(Annotated[FromHub, Field(discriminator="type")])


class ProtocolError(ValueError):
    """A frame that is not a message of the protocol; its text says which field is wrong. ``type`` is the message's,
    where the frame has one that is known."""

    def __init__(self, sentence: str, *, type: str | None = None) -> None:
        super().__init__(sentence)
        self.type = type


def parse_from_worker(frame: str | bytes) -> FromWorker:
    """A frame from a worker as a message; raises ProtocolError."""
    return _parse(_from_worker, frame)


def parse_from_hub(frame: str | bytes) -> FromHub:
    """A frame from the hub as a message; raises ProtocolError."""
    return _parse(_from_hub, frame)


def _parse(adapter: TypeAdapter[T], frame: str | bytes) -> T:
    if isinstance(frame, bytes):
        raise ProtocolError("binary frames are not spoken here: bulk data goes by HTTP, with an upload ticket")
    try:
        message = adapter.validate_json(frame, strict=True)
    except ValidationError as error:
        raise _explained(error) from None
    if isinstance(message, ResultMessage) and ("NaN" in frame or "Infinity" in frame):
        json.loads(frame, parse_constant=_refuse_constant)
    return message


def _explained(error: ValidationError) -> ProtocolError:
    count = error.error_count()
    if count > MAX_EXPLAINED:  # each would be described to the last before the first could be read
        return ProtocolError(f"frame: {count} fields are wrong")
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "frame"
    sentence = f"{where}: {first['msg']}"
    return ProtocolError(sentence[:MAX_SENTENCE], type=str(first["loc"][0]) if first["loc"] else None)


def _refuse_constant(constant: str) -> NoReturn:
    raise ProtocolError(f"result.output: {constant} is no JSON", type="result")


def encode(message: Message) -> str:
    """A message as the text of one frame; fields that are None are left out."""
    return message.model_dump_json(exclude_none=True)
