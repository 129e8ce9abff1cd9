"""What the hub remembers of a client process and of the jobs that it was given. Pure bookkeeping, no I/O.

A client says nothing of what it still has after it lost its connection, and has every job that it was ever sent. So
the hub remembers it, across the connections of one process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import tron_core as tron
from tron_plugin_legacy.wire import Registration, base_of, wire_id

if TYPE_CHECKING:
    from tron_plugin_legacy.api import LegacyJob
    from tron_plugin_legacy.link import Link

MAX_RUNS = 64
"""Jobs of one process that are remembered; the oldest that is over goes first."""


class State(StrEnum):
    """``active``: its result is awaited; ``told``: the hub was told how it ended, the client has not said ``finish``;
    ``unwanted``: cancelled or given to another, though the client is still at it."""

    ACTIVE = "active"
    TOLD = "told"
    UNWANTED = "unwanted"


@dataclass(slots=True, eq=False)
class Run:
    """One attempt at a job, as a client does it: as which ``kind``, asked with which ``prompt``. ``heard``: the client
    said something of it, so it has it; ``settled``: the hub took what it was told; ``resumed``: begun before this hub
    was started; ``given_up``: nobody waits any more for the client to be done with it; ``doubted``: nothing was heard
    of it since the client connected as a fresh process does. Times are seconds of a monotonic clock."""

    assignment: tron.Assignment
    began: float
    resumed: bool = False
    kind: LegacyJob | None = None
    prompt: str = ""
    state: State = State.ACTIVE
    heard: bool = False
    settled: bool = False
    given_up: bool = False
    doubted: bool = False
    uploads: int = 0
    fraction: float = 0.0

    @property
    def wire(self) -> str:
        return wire_id(self.assignment.job, self.assignment.attempt)

    @property
    def held(self) -> tuple[str, int]:
        return self.assignment.job, self.assignment.attempt


@dataclass(slots=True, eq=False)
class Process:
    """A client process of a credential, by the name under which the hub knows it; ``acknowledges``: it is of a kind
    that says at once that it got a job. ``left`` is when its connection ended, ``built`` when it made its
    registration, which it sends again after each reconnect."""

    client_id: str
    name: str
    registration: Registration | None = None
    built: object = None
    link: Link | None = None
    acknowledges: bool = False
    left: float = 0.0
    runs: dict[str, Run] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return base_of(self.name)

    def add(self, run: Run) -> Run:
        """Remember a run; of those that are over the oldest is forgotten, where there are too many."""
        if len(self.runs) >= MAX_RUNS:
            over = (wire for wire, each in self.runs.items() if each.state is not State.ACTIVE)
            self.runs.pop(next(over, next(iter(self.runs))))
        self.runs[run.wire] = run
        return run

    def in_state(self, state: State) -> Iterator[Run]:
        return (run for run in self.runs.values() if run.state is state)

    def take_stock(self) -> tuple[tuple[str, int], ...] | None:
        """The attempts that it still has, None where this hub never saw it: then it has all that it was given.

        A client acknowledges a job as soon as it reads it. One that does so and did not, has not got the job, which is
        forgotten.
        """
        if self.registration is None:
            return None
        if self.acknowledges:
            for run in [run for run in self.in_state(State.ACTIVE) if not run.heard]:
                del self.runs[run.wire]
        return tuple(run.held for run in self.in_state(State.ACTIVE))
