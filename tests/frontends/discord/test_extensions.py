"""Plugins with discord.py code of their own: what they add works, and none harms the rest."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from discord import Interaction, app_commands
from discord.ext import commands

from tron_core.app import Hub
from tron_core.hooks import hookimpl
from tron_core.testing.discord import FakeDiscord, Member, Place

sys.path.append(str(Path(__file__).parent))

import zoo

Running = Callable[..., AbstractAsyncContextManager[Hub]]


@pytest.fixture
def running(hubs: Any) -> Running:
    """A hub that is connected, with further plugins."""

    @asynccontextmanager
    async def run(**plugins: Any) -> AsyncIterator[Hub]:
        async with hubs.running(further=plugins) as hub:
            yield hub

    return run


class Faulty:
    """Adds something of each kind, then does what ``then`` says."""

    def __init__(self, then: Callable[[Any], Any]) -> None:
        self.then = then
        self.heard = 0

    @hookimpl
    async def tron_discord_setup(self, bot: Any) -> None:
        @app_commands.command(name="half")
        async def half(interaction: Interaction[Any]) -> None:
            """Half"""

        @commands.command(name="halves")
        async def halves(context: commands.Context[Any]) -> None:
            """Halves"""

        async def on_message(message: Any) -> None:
            self.heard += 1

        bot.tree.add_command(half)
        bot.add_command(halves)
        bot.add_listener(on_message)
        self.then(bot)


def breaks(bot: Any) -> None:
    raise RuntimeError("no more foxes")


def takes_slash(bot: Any) -> None:
    @app_commands.command(name="help")
    async def help_(interaction: Interaction[Any]) -> None:
        """Help"""

    bot.tree.add_command(help_)


def takes_prefix(bot: Any) -> None:
    @commands.command(name="say")  # an alias of a capability's
    async def say(context: commands.Context[Any]) -> None:
        """Say"""

    bot.add_command(say)


def takes_setting(bot: Any) -> None:
    @commands.command(name="times")
    async def times(context: commands.Context[Any]) -> None:
        """Times"""

    bot.add_command(times)


async def test_a_cog_has_its_commands_and_listeners(running: Running, alice: Member, general: Place) -> None:
    async with running(zoo=zoo):
        await (await alice.slash("fox", times=2)).until("fox fox")
        await general.next_reply()
        await alice.say("!owl 3")
        await (await general.next_reply()).until("owl owl owl")
        await alice.say("@bot owl 1")
        await (await general.next_reply()).until("owl")
        await alice.say("badger")
        assert (await general.next_reply()).content == f"{alice.requester} saw a badger"
        await alice.say("!echo still here")
        await (await general.next_reply()).until("still here")


async def test_what_a_person_does_wrong_is_told(running: Running, alice: Member, general: Place) -> None:
    async with running(zoo=zoo):
        await alice.say("!owl many")
        assert 'Converting to "int" failed' in (await general.next_reply()).content
        await alice.say("!owl 9")
        assert "a whole number from 1 to 5" in (await general.next_reply()).content


async def test_the_guilds_rules_hold_for_them_too(
    running: Running, discord: FakeDiscord, alice: Member, general: Place
) -> None:
    async with running(zoo=zoo) as hub:
        await hub.services.guild_rules.add(str(discord.guild.id), "banned_users", str(alice.id))
        await alice.say("!owl 1")
        assert "You may not ask here" in (await general.next_reply()).content
        refused = await alice.slash("fox")
        assert refused.ephemeral
        assert "You may not ask here" in refused.content


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        (breaks, "RuntimeError: no more foxes"),
        (takes_slash, "there is a command /help already"),
        (takes_prefix, "there is a command !say already"),
        (takes_setting, "there is a command !times already"),
    ],
)
async def test_a_plugin_that_fails_or_takes_a_name_adds_nothing_and_harms_nobody(
    running: Running,
    discord: FakeDiscord,
    alice: Member,
    general: Place,
    caplog: pytest.LogCaptureFixture,
    then: Callable[[Any], Any],
    reason: str,
) -> None:
    faulty = Faulty(then)
    async with running(faulty=faulty, zoo=zoo):
        await (await alice.slash("fox")).until("fox")
        await general.next_reply()
        await alice.say("!halves")
        await alice.say("!echo hello")
        await (await general.next_reply()).until("hello")
        names = {command["name"] for command in discord.server.interactions.commands}
    assert "half" not in names
    assert faulty.heard == 0
    assert f"plugin faulty adds nothing to Discord: {reason}" in caplog.text
