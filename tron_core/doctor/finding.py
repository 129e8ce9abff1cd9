"""What a check is given, and what it returns."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from tron_core.config import Loaded


class Status(StrEnum):
    """``warn``: the hub starts, and something will not go as one would think. ``fail``: something does not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one thing; ``fix`` says what to do where it is not ``ok``."""

    check: str
    status: Status
    sentence: str
    fix: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The fields, as ``tron doctor --json`` prints them."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RunningHub:
    """The two addresses to dial, and the plugins as it has them (as ``PluginRecord.as_json``)."""

    hub: str
    http: str
    plugins: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Subject:
    """The hub that is looked at. ``running`` is the one that runs with this configuration, if any; ``now`` in seconds
    since the epoch; ``trusted`` is what workers verify the hub's certificate with."""

    loaded: Loaded
    now: float
    trusted: ssl.SSLContext
    running: RunningHub | None = None
    no_plugins: bool = False

    @property
    def folder(self) -> Path:
        return self.loaded.folder

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)

    @property
    def database_url(self) -> str:
        return self.loaded.settings.database.url


Check = Callable[[Subject], Iterable[Finding]]


def ok(check: str, sentence: str) -> Finding:
    return Finding(check, Status.OK, sentence)


def warn(check: str, sentence: str, fix: str) -> Finding:
    return Finding(check, Status.WARN, sentence, fix)


def fail(check: str, sentence: str, fix: str) -> Finding:
    return Finding(check, Status.FAIL, sentence, fix)
