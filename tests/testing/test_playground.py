"""The Discord in the terminal."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tron_core.app import Hub
from tron_core.config import Loaded, Settings
from tron_core.plugins import Plugins
from tron_core.testing.discord.playground import Playground


async def until(lines: list[str], text: str) -> None:
    async with asyncio.timeout(10):
        while not any(text in line for line in lines):  # noqa: ASYNC110 (printed lines have no event)
            await asyncio.sleep(0.01)


async def test_what_is_typed_is_answered_and_buttons_are_pressed(tmp_path: Path) -> None:
    printed: list[str] = []
    playground = Playground(printed.append)
    values = {"hub": {"port": 0}, "http": {"port": 0}, "database": {"url": f"sqlite:///{tmp_path / 'tron.db'}"}}
    loaded = await playground.start(Loaded(Settings.model_validate(values), None, tmp_path, {}))
    hub = Hub(loaded, plugins=Plugins())
    await hub.start()
    playground.watch()
    await playground.do("!workers")
    await until(printed, "tron> No worker is connected.")
    await playground.do("!help queue")
    await until(printed, "tron> `!queue`")
    await playground.do("!admin")
    await until(printed, "tron> **Rules of this server**")
    await playground.do(":hello")
    await until(printed, ":click LABEL")
    await hub.stop(drain_seconds=0)
    await playground.stop()
