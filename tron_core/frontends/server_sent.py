"""Server-sent events, read line by line: pure, no I/O (the format of the HTML standard, section 9.2)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ServerSent:
    """One event: its name and the JSON object that it carried."""

    name: str
    data: dict[str, Any]


def events_of(lines: Iterable[str]) -> Iterator[ServerSent]:
    """The events in ``lines`` (without their line ends). Comments are skipped; an event that the end of the stream
    cuts off is none. Raises ValueError for data that are no JSON object."""
    name, data = "message", list[str]()
    for line in lines:
        if not line:
            if data:
                yield ServerSent(name, _object("\n".join(data)))
            name, data = "message", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"an event's data must be a JSON object, not {text[:80]!r}")
    return value
