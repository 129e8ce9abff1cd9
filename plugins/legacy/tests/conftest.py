"""Fixtures around ``legacy_stage``."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tron_core.storage import migrations

sys.path.append(str(Path(__file__).parent))  # the modules beside this one are no test modules

from legacy_stage import Stage


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the core's tables, to be copied."""
    folder = tmp_path_factory.mktemp("database")
    migrations.upgrade("sqlite:///tron.db", folder)
    return folder / "tron.db"


@pytest.fixture
async def stage(empty_database: Path, tmp_path: Path) -> AsyncIterator[Stage]:
    """A hub that runs."""
    shutil.copyfile(empty_database, tmp_path / "tron.db")
    stage = Stage(tmp_path)
    await stage.start()
    yield stage
    await stage.close()


@pytest.fixture(autouse=True)
def without_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of whoever runs the tests."""
    monkeypatch.delenv("TRON_CONFIG", raising=False)
