from __future__ import annotations

import pytest

from tests.storage.conftest import HandClock
from tron_core.storage.database import Database
from tron_core.storage.saved_settings import SavedSetting, SavedSettings


@pytest.fixture
def saved(database: Database, clock: HandClock) -> SavedSettings:
    return SavedSettings(database, clock)


async def test_the_users_value_wins_over_the_channels_over_the_guilds(saved: SavedSettings) -> None:
    for owner, keys in {"guild:1": "abc", "channel:2": "ab", "api:alice": "a", "api:bob": "abcd"}.items():
        for key in keys:
            await saved.set(owner, "p", key, owner)
    keys = ["a", "b", "c", "d"]
    assert await saved.layered(keys, requester="api:alice", channel="2", guild="1") == {
        "a": "api:alice",
        "b": "channel:2",
        "c": "guild:1",
    }
    assert await saved.layered(keys, requester="api:alice", guild="1") == {
        "a": "api:alice",
        "b": "guild:1",
        "c": "guild:1",
    }
    assert await saved.layered([], requester="api:alice") == {}


async def test_get_is_none_where_nobody_saved_a_value(saved: SavedSettings) -> None:
    assert await saved.get("api:alice", "1", "a") is None
    await saved.set("guild:1", "p", "a", 3)
    assert await saved.get("api:alice", "1", "a") == 3
    assert await saved.get("api:alice", None, "a") is None


@pytest.mark.parametrize("value", [30, 7.5, True, None, "größer", [1, "a"], {"x": None}])
async def test_any_json_value_comes_back_as_it_was(saved: SavedSettings, clock: HandClock, value: object) -> None:
    await saved.set("api:alice", "p", "a", 1)
    await saved.set("api:alice", "p", "a", value)
    assert await saved.list("api:alice") == [SavedSetting("api:alice", "p", "a", value, clock.time)]


async def test_reset_forgets_one_key_one_plugin_or_everything(saved: SavedSettings) -> None:
    for plugin in ("p", "q"):
        for key in ("a", "b"):
            await saved.set("api:alice", plugin, f"{plugin}.{key}", 1)
    await saved.set("api:bob", "p", "p.a", 1)
    assert await saved.reset("api:alice", "p", "p.a") == 1
    assert [each.key for each in await saved.list("api:alice")] == ["p.b", "q.a", "q.b"]
    assert await saved.reset("api:alice", "q") == 2
    await saved.forget("api:alice")
    assert await saved.list("api:alice") == []
    assert len(await saved.list("api:bob")) == 1


async def test_owners_that_differ_in_case_are_two(saved: SavedSettings) -> None:
    await saved.set("api:alice", "p", "a", 1)
    await saved.set("api:Alice", "p", "a", 2)
    assert await saved.get("api:alice", None, "a") == 1


async def test_a_key_that_plugins_share_has_one_value(saved: SavedSettings) -> None:
    await saved.set("api:alice", "echo", "shared.times", 3)
    await saved.set("api:alice", "loud", "shared.times", 4)
    assert [(each.plugin, each.value) for each in await saved.list("api:alice")] == [("loud", 4)]
