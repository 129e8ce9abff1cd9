"""The frames of the old protocol: what comes, what goes. Pure, no I/O.

A frame names a handler by ``module_name`` and ``module_command``. What a client says to a job's place in Discord
carries no job id, but echoes an object of the job verbatim; so the hub puts the id into that object.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

REQUEST = "request"
STATUS = "status"
"""Which of the two messages of a job an echoed object stands for: the person's own, or the one that shows progress."""

DRAWS = "gpu"
LEAST_TO_DRAW = 8 * 1024
"""The job type that a client announces only where it has so much video memory (MiB), even if it cannot say how much."""

MAX_NAME = 64
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.@:-]")
_PROCESS = re.compile(r"(.*)-[0-9]+")
_WIRE_ID = re.compile(r"([0-9A-Za-z]{1,64})-([1-9][0-9]{0,8})")
_MOST = 2**31 - 1


class WireError(ValueError):
    """A frame that is none of the protocol's."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A message of a client: ``command`` is ``module_name/module_command``; ``data`` is the echoed object or the
    result, ``arguments`` the rest; ``built`` is when the client says that it was made, by its clock."""

    command: str
    data: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    built: object = None


@dataclass(frozen=True, slots=True)
class Registration:
    """What a client says of itself: ``worker_id`` as it says it, the job types that it does, and its hardware as the
    hub counts it (memory in MiB)."""

    worker_id: str
    job_types: frozenset[str]
    hardware: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The id as a worker's name may be: its own characters alone, at most 64."""
        return _NOT_IN_NAMES.sub("-", self.worker_id)[:MAX_NAME]


def parse_frame(text: str | bytes) -> Frame:
    """Raises WireError."""
    try:
        message = json.loads(text)
    except ValueError as error:
        raise WireError(f"no JSON: {error}") from None
    except RecursionError:
        raise WireError("no JSON: nested too deeply") from None
    if not isinstance(message, dict):
        raise WireError("not an object")
    module, command = message.get("module_name"), message.get("module_command")
    if not isinstance(module, str) or not isinstance(command, str):
        raise WireError("module_name and module_command must be texts")
    data, arguments = _object(message, "data"), _object(message, "arguments")
    return Frame(f"{module}/{command}", data, arguments, message.get("timestamp"))


def parse_registration(arguments: Mapping[str, Any]) -> Registration:
    """The arguments of ``worker/register``; raises WireError. What is not there counts as not offered."""
    worker_id = arguments.get("worker_id")
    if not isinstance(worker_id, str) or not worker_id.strip():
        raise WireError("worker_id must be a text")
    types = frozenset(name for name, offered in _part(arguments, "supported_job_types").items() if offered is True)
    hardware = _hardware(_part(arguments, "hardware"), _part(arguments, "hardware_limits"))
    if DRAWS in types:
        hardware.setdefault("gpu_memory_mb", LEAST_TO_DRAW)
    return Registration(worker_id, types, hardware)


def base_of(worker_id: str) -> str:
    """A worker's id without the number that each of its processes draws anew."""
    process = _PROCESS.fullmatch(worker_id)
    return process[1] if process else worker_id


def wire_id(job: str, attempt: int) -> str:
    """The id of an attempt: a retry is another job for a client."""
    return f"{job}-{attempt}"


def attempt_of(wire: object) -> tuple[str, int] | None:
    """The job and attempt of an id; None where it is none of ours."""
    match = _WIRE_ID.fullmatch(wire) if isinstance(wire, str) else None
    return None if match is None else (match[1], int(match[2]))


def context(wire: str, which: str) -> dict[str, Any]:
    """The object that stands for one of a job's two messages. The ids in it are made up: who asked, and where, is
    nothing that a worker needs to know."""
    number = _number(wire, which)
    return {
        "author": {"id": 1, "name": "tron", "discriminator": "0"},
        "channel": {"id": _number(wire, "channel"), "name": "tron"},
        "guild": {"id": 1, "name": "tron"},
        "message_id": number,
        "job_id": wire,
        "message": which,
    }


def wire_of(data: Mapping[str, Any]) -> tuple[str, str] | None:
    """The job's id in an echoed object, and for which message it stands; None where it is not an object as the hub made
    it. The author may have been replaced."""
    wire, which = data.get("job_id"), data.get("message")
    if not isinstance(wire, str) or which not in (REQUEST, STATUS):
        return None
    made = context(wire, which)
    if any(data.get(key) != made[key] for key in ("channel", "guild", "message_id")):
        return None
    return wire, which


def job_frame(job_type: str, wire: str, keys: Mapping[str, Any]) -> str:
    """The frame of a job: ``keys`` are those of its kind."""
    frame = {
        **keys,
        "job_type": job_type,
        "job_id": wire,
        "request_id": wire,
        "discord_context": context(wire, REQUEST),
        "discord_first_message": context(wire, STATUS),
    }
    return json.dumps(frame)


def _object(message: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = message.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise WireError(f"{key} must be an object")
    return value


def _part(arguments: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An object among the arguments, empty where there is none."""
    value = arguments.get(key)
    return value if isinstance(value, dict) else {}


def _hardware(told: Mapping[str, Any], limits: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {key: told[key][:200] for key in ("gpu", "cpu") if isinstance(told.get(key), str)}
    for key, amounts in (
        ("gpu_memory_mb", (told.get("video_memory_amount"), limits.get("gpu"))),
        ("memory_mb", (told.get("memory_amount"), limits.get("memory"))),
    ):
        known = [mebibytes for mebibytes in map(_mebibytes, amounts) if mebibytes is not None]
        if known:
            found[key] = known[0]
    return found


def _mebibytes(gibibytes: object) -> int | None:
    """GiB as MiB; a client that does not know says so in words."""
    if isinstance(gibibytes, bool) or not isinstance(gibibytes, int | float) or not math.isfinite(gibibytes):
        return None
    return min(int(gibibytes * 1024), _MOST) if gibibytes > 0 else None


def _number(wire: str, what: str) -> int:
    """A number that looks like one of Discord's and is always the same for a job."""
    return int.from_bytes(hashlib.sha256(f"{wire} {what}".encode()).digest()[:7]) >> 3
