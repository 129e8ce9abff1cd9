"""What a plugin may do with the hub's saved settings."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

import tron_core as tron
from tron_core.clock import SystemClock
from tron_core.errors import NotFound
from tron_core.plugin_app import PluginSettings
from tron_core.plugins import Plugins
from tron_core.storage.database import Database
from tron_core.storage.saved_settings import SavedSettings


class EchoParams(tron.Params):
    text: str = tron.Prompt("What to say back")
    times: int = tron.Setting(1, ge=1, le=5)


class Echo(tron.Capability):
    name = "echo"
    command = tron.Command("echo")
    params = EchoParams


class EchoPlugin:
    @tron.hookimpl
    def tron_register_capabilities(self) -> list[tron.Capability]:
        return [Echo()]

    @tron.hookimpl
    def tron_register_settings(self) -> list[tron.SettingSpec]:
        return [tron.SettingSpec("tone", "plain", "How", choices=("plain", "loud"))]


class DrawingParams(tron.Params):
    steps: int = tron.Setting(1, ge=1, le=5, group="drawing")


class PainterPlugin:
    def __init__(self, name: str) -> None:
        self._name = name

    @tron.hookimpl
    def tron_register_capabilities(self) -> list[tron.Capability]:
        members = {"name": self._name, "command": tron.Command(self._name), "params": DrawingParams}
        return [type("Painter", (tron.Capability,), members)()]


@pytest.fixture
def dialect() -> str:
    """What is saved does not depend on the database."""
    return "sqlite"


@pytest.fixture
def services(database: Database) -> Any:
    plugins = Plugins()
    plugins.register("echoes", EchoPlugin())
    return SimpleNamespace(plugins=plugins, saved_settings=SavedSettings(database, SystemClock()))


@pytest.fixture
def settings(services: Any) -> PluginSettings:
    return PluginSettings("echoes", cast(Any, services))


@pytest.mark.parametrize(("key", "value"), [("echo.times", 3), ("echoes.tone", "loud")])
async def test_a_plugin_saves_its_own_settings_for_a_person(settings: PluginSettings, key: str, value: object) -> None:
    await settings.save("api:alice", key, value)
    assert await settings.get("api:alice", None, key) == value
    assert await settings.get("api:bob", None, key) is None
    await settings.save("api:alice", key, None)
    assert await settings.get("api:alice", None, key) is None


@pytest.mark.parametrize("wrong", [{"echo.times": 9}, {"echoes.tone": "odd"}])
async def test_what_a_person_may_not_save_a_plugin_may_not_either(
    settings: PluginSettings, wrong: Mapping[str, Any]
) -> None:
    for key, value in wrong.items():
        with pytest.raises(tron.InvalidParams, match="allowed"):
            await settings.save("api:alice", key, value)
        assert await settings.get("api:alice", None, key) is None


async def test_a_setting_of_a_group_is_each_plugin_s_that_has_a_field_of_it(services: Any) -> None:
    for plugin in ("painters", "sketchers"):
        services.plugins.register(plugin, PainterPlugin(plugin))
    for plugin in ("painters", "sketchers"):
        await PluginSettings(plugin, services).save("api:alice", "drawing.steps", 3)
        with pytest.raises(tron.InvalidParams):
            await PluginSettings(plugin, services).save("api:alice", "drawing.steps", 99)
    with pytest.raises(NotFound):
        await PluginSettings("echoes", services).save("api:alice", "drawing.steps", 3)


async def test_the_settings_of_others_are_out_of_reach(services: Any, settings: PluginSettings) -> None:
    with pytest.raises(NotFound, match=r"There is no setting 'echo\.tmes'"):
        await settings.save("api:alice", "echo.tmes", 3)
    with pytest.raises(NotFound, match="is not of the plugin others"):
        await PluginSettings("others", services).save("api:alice", "echo.times", 3)
