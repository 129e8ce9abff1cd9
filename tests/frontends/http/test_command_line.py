"""What the command line asks a running hub for, over REST."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tron_core.auth.principal import Scope
from tron_core.cli import app
from tron_core.frontends.http.frontend import HttpFrontend
from tron_core.services import Services

GUILD, MEMBER = "123456789012345678", "223456789012345678"

Tron = Callable[..., Awaitable[str]]


@pytest.fixture
async def tron(frontend: HttpFrontend, services: Services, sign_up: Any, tmp_path: Path, monkeypatch: Any) -> Tron:
    """Runs ``tron`` against this hub as an administrator; what it printed, errors too."""
    monkeypatch.chdir(tmp_path)
    caller = await sign_up("root", Scope.ADMIN)
    monkeypatch.setenv("TRON_URL", services.http_url)
    monkeypatch.setenv("TRON_TOKEN", caller.headers["Authorization"].removeprefix("Bearer "))

    async def run(*arguments: str) -> str:
        return (await asyncio.to_thread(CliRunner().invoke, app, ["--no-plugins", *arguments])).output

    return run


async def test_the_rules_of_a_guild(tron: Tron, services: Services) -> None:
    await tron("guilds", "set", GUILD, "daily_quota", "50")
    await tron("guilds", "ban", GUILD, MEMBER)
    assert await services.guild_rules.of(GUILD) == {"daily_quota": 50, "banned_users": [MEMBER]}
    found = {each["rule"]: each["value"] for each in json.loads(await tron("guilds", "show", GUILD, "--json"))}
    assert (found["daily_quota"], found["banned_users"], found["results"]) == (50, [MEMBER], None)
    assert json.loads(await tron("guilds", "list", "--json"))[0]["id"] == GUILD
    await tron("guilds", "ban", GUILD, MEMBER, "--undo")
    await tron("guilds", "reset", GUILD, "daily_quota")
    assert await services.guild_rules.of(GUILD) == {}
    assert await tron("guilds", "reset", GUILD, "daily_quota") == f"error: guild {GUILD} has not set daily_quota\n"


async def test_settings_of_ones_own_and_defaults_of_a_guild(tron: Tron, services: Services) -> None:
    assert await tron("settings", "set", "echo.times", "3") == "echo.times is 3 for api:root\n"
    assert await tron("settings", "set", "echo.voice", "1") == 'echo.voice is "1" for api:root\n'
    guild = f"guild:{GUILD}"
    assert await tron("settings", "set", "echo.mood", "loud", "--owner", guild) == f'echo.mood is "loud" for {guild}\n'
    assert "echo.mood" in await tron("settings", "list", "--owner", guild)
    assert "a whole number from 1 to 5" in await tron("settings", "set", "echo.times", "9")
    assert "did you mean echo.times?" in await tron("settings", "set", "echo.time", "3")
    assert await tron("settings", "reset", "echo.times") == "echo.times is at its default again\n"
    assert [each["key"] for each in json.loads(await tron("settings", "list", "--json"))] == ["echo.voice"]
    assert await tron("settings", "reset") == "everything is at its default again\n"
    assert await services.saved_settings.list("api:root") == []
    assert len(await services.saved_settings.list(guild)) == 1


async def test_the_queue_statistics_and_another_try(tron: Tron, alice: Any, plugin: Any, until: Any) -> None:
    assert "api:root has not asked for anything yet" in await tron("stats")
    plugin.held.failure = "broken"
    plugin.held.release.set()
    done = {"Prefer": "wait=10"}
    job = (await alice.post("/jobs", json={"capability": "held", "params": {}}, headers=done)).json()
    assert "held: 1 failed" in await tron("stats", "--requester", "api:alice")
    assert await tron("queue") == "0 jobs waiting\n"
    plugin.held.failure = None
    assert await tron("jobs", "retry", job["id"]) == f"{job['id']} is in the queue again\n"

    async def state() -> str:
        return str((await alice.get(f"/jobs/{job['id']}")).json()["state"])

    await until(state, lambda found: found == "succeeded")
    assert "only a failed job can be retried" in await tron("jobs", "retry", job["id"])
