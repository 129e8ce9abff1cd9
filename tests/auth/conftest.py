"""A clock that only moves when told, and an Auth whose hashes are cheap."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tron_core.auth.passwords import Passwords
from tron_core.auth.service import Auth
from tron_core.storage.database import Database


@dataclass
class SetClock:
    """A clock that stands until it is moved."""

    moment: float = 1_800_000_000.0

    def now(self) -> float:
        return self.moment

    def monotonic(self) -> float:
        return self.moment

    def advance(self, seconds: float) -> None:
        self.moment += seconds


@dataclass
class Revoked:
    """What was announced as revoked."""

    client_ids: list[str] = field(default_factory=list)

    def __call__(self, client_id: str) -> None:
        self.client_ids.append(client_id)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def revoked() -> Revoked:
    return Revoked()


@pytest.fixture
def auth(database: Database, clock: SetClock, revoked: Revoked) -> Auth:
    return Auth(database, clock, on_revoked=revoked, passwords=Passwords(memory_kib=8, time_cost=1))
