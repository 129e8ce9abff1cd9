"""The Discord in the terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tron_core as tron
from tron_core.app import Hub
from tron_core.config import Loaded, Settings
from tron_core.plugins import Plugins
from tron_core.testing.discord.playground import Playground
from tron_core.worker import ExecutionContext


class SayParams(tron.Params):
    text: str = tron.Prompt("What to say")


class Say(tron.Capability):
    name = "say"
    command = tron.Command("say")
    params = SayParams
    runs_on = "hub"

    async def run(self, params: Any, ctx: ExecutionContext) -> Mapping[str, Any]:
        return {"text": params.text}


class Saying:
    @tron.hookimpl
    def tron_register_capabilities(self) -> list[tron.Capability]:
        return [Say()]


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


async def test_a_form_is_shown_and_sent(tmp_path: Path) -> None:
    printed: list[str] = []
    playground = Playground(printed.append)
    values = {"hub": {"port": 0}, "http": {"port": 0}, "database": {"url": f"sqlite:///{tmp_path / 'tron.db'}"}}
    loaded = await playground.start(Loaded(Settings.model_validate(values), None, tmp_path, {}))
    plugins = Plugins()
    plugins.register("saying", Saying())
    hub = Hub(loaded, plugins=plugins)
    await hub.start()
    playground.watch()
    await playground.do("!say good morning")
    await until(printed, "tron> good morning\n")
    await playground.do(":click Edit")
    await until(printed, "text='good morning'")
    await playground.do(":form text='good night'")
    await until(printed, "tron> good night\n")
    await hub.stop(drain_seconds=0)
    await playground.stop()
