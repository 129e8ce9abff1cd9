"""A whole TRON in one process: a fake Discord, a hub with some plugins, and a worker with their executors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tron_core.app import Hub
from tron_core.config import Loaded, Settings
from tron_core.plugins import Plugins
from tron_core.testing.discord.people import FakeDiscord
from tron_core.testing.discord.server import TOKEN
from tron_core.testing.worker import ThreadWorker
from tron_core.worker import Executor


@asynccontextmanager
async def staged(
    folder: Path,
    plugins: Plugins,
    executors: Sequence[Executor] = (),
    *,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    discord: FakeDiscord | None = None,
) -> AsyncIterator[FakeDiscord]:
    """A Discord to which a hub with ``plugins`` is connected; the hub keeps its files in ``folder``. ``settings`` are
    sections of tron.toml."""
    fake = discord or FakeDiscord()
    await fake.server.start()
    try:
        hub = Hub(Loaded(_settings(fake, folder, settings or {}), None, folder, {}), plugins=plugins)
        await hub.start()
        worker = ThreadWorker(hub.services, executors) if executors else None
        try:
            if worker is not None:
                await worker.start()
            await fake.connected()
            yield fake
        finally:
            if worker is not None:
                await worker.stop()
            await hub.stop(drain_seconds=0)
    finally:
        await fake.server.stop()


def _settings(fake: FakeDiscord, folder: Path, more: Mapping[str, Mapping[str, Any]]) -> Settings:
    values: dict[str, dict[str, Any]] = {
        "hub": {"port": 0},
        "http": {"port": 0},
        "database": {"url": f"sqlite:///{folder / 'tron.db'}", "synchronous": "normal"},
        "discord": {"token": TOKEN, "api_url": fake.api_url},
    }
    for section, given in more.items():
        values[section] = {**values.get(section, {}), **given}
    return Settings.model_validate(values)
