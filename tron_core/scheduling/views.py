"""What the scheduler shows of what it holds: snapshots for frontends and operators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tron_core.job import Job, Progress
from tron_core.sessions import Offer


class WorkerState(StrEnum):
    IDLE = "idle"
    BUSY = "busy"
    SUSPECT = "suspect"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A connected worker, or one whose leases wait for it to come back. ``running`` are job ids; ``skipped`` counts,
    by reason, the waiting jobs that it was not given."""

    name: str
    state: WorkerState
    protocol: str
    software: str
    client_id: str
    offers: Mapping[str, Offer]
    slots: int
    running: tuple[str, ...]
    hardware: Mapping[str, Any]
    connected_at: float
    skipped: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LiveJob:
    """A job with what only memory knows: ``position`` counts from 1 and is None when it does not wait;
    ``eta_seconds`` is the honest estimate until its end; ``text`` the partial text so far."""

    job: Job
    position: int | None = None
    eta_seconds: float | None = None
    progress: Progress | None = None
    text: str = ""
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether somebody connected can do a capability now, and how many workers offer it."""

    available: bool
    workers: int
