from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tron_core.storage.artifacts import Artifacts
from tron_core.storage.database import Database
from tron_core.storage.file_store import FileStore


@dataclass
class HandClock:
    """A clock that a test moves."""

    time: float = 1_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "artifacts")


@pytest.fixture
def artifacts(database: Database, store: FileStore, clock: HandClock) -> Artifacts:
    return Artifacts(database, store, max_bytes=1_000_000, clock=clock)
