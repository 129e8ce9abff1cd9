"""What a plugin learns of whoever asks, and jobs that it asks for beside a person's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import tron_core as tron
from tron_core.plugins import Plugins
from tron_core.testing.discord import FakeDiscord, Member, Place
from tron_core.testing.discord.stage import staged
from tron_core.testing.discord.world import MANAGE_GUILD
from tron_core.worker import ExecutionContext


class SayParams(tron.Params):
    text: str = tron.Prompt("What to say")


class Say(tron.Capability):
    """Says it."""

    name = "say"
    command = tron.Command("say")
    params = SayParams
    runs_on = "hub"

    async def run(self, params: Any, ctx: ExecutionContext) -> Mapping[str, Any]:
        return {"text": params.text}


class Several(Say):
    """Has it said twice, by jobs of their own."""

    name = "several"
    command = tron.Command("several")

    async def run(self, params: Any, ctx: ExecutionContext) -> Mapping[str, Any]:
        own = await self.app.job(ctx.job)
        for number in (1, 2):
            target = own.target and own.target.beside()
            text = {"text": f"{params.text} {number}"}
            request = tron.JobRequest("say", text, own.requester, target, guild=own.guild, parent=own.id)
            await self.app.submit(request)
        return {"text": "They are on the way."}


class Observant:
    def __init__(self) -> None:
        self.requests: list[tron.JobRequest] = []

    @tron.hookimpl
    def tron_register_capabilities(self) -> list[tron.Capability]:
        return [Say(), Several()]

    @tron.hookimpl
    async def tron_job_submitting(self, request: tron.JobRequest) -> None:
        self.requests.append(request)


@pytest.fixture
def plugin() -> Observant:
    return Observant()


@pytest.fixture
def made(request: pytest.FixtureRequest) -> FakeDiscord:
    """The Discord before a hub is connected to it; the parameter says whether its channel is age-restricted."""
    made = FakeDiscord()
    made.general.channel.nsfw = getattr(request, "param", False)
    return made


@pytest.fixture
def manager(made: FakeDiscord) -> Member:
    """Somebody who may manage the server."""
    manager = made.member("manager")
    manager.give(made.add_role("managers", MANAGE_GUILD))
    return manager


@pytest.fixture
async def discord(tmp_path: Path, plugin: Observant, made: FakeDiscord, manager: Member) -> AsyncIterator[FakeDiscord]:
    plugins = Plugins()
    plugins.register("observant", plugin)
    async with staged(tmp_path, plugins, discord=made):
        yield made


async def test_jobs_beside_a_job_have_messages_of_their_own(alice: Member, general: Place) -> None:
    asked = await alice.say("!several hello")
    replies = [await general.next_reply() for _ in range(3)]
    for reply in replies:
        await reply.until(lambda each: each.content in ("They are on the way.", "hello 1", "hello 2"))
        await reply.until(lambda each: "Again" in each.buttons)
        assert reply.answers == asked.id
    assert len({reply.content for reply in replies}) == 3


async def test_they_count_for_the_quota_of_whoever_asked(alice: Member, manager: Member, general: Place) -> None:
    await manager.say("!admin set daily_quota 2")
    await (await general.next_reply()).until("from now on")
    await alice.say("!several hello")
    replies = [await general.next_reply() for _ in range(2)]
    for reply in replies:
        await reply.until(lambda each: "hello 1" in each.content or "that is all on this server" in each.content)


async def test_by_slash_they_mention_who_asked(alice: Member, general: Place) -> None:
    first = await alice.slash("several", text="hello")
    await first.until("They are on the way.")
    texts: set[str] = set()
    while len(texts) < 2:
        reply = await general.next_reply()
        if reply.id != first.id:
            await reply.until("hello")
            texts.add(reply.content)
    assert texts == {f"<@{alice.id}> hello {number}" for number in (1, 2)}


async def test_a_plugin_is_told_whether_the_asker_is_an_administrator(
    alice: Member, manager: Member, general: Place, plugin: Observant
) -> None:
    for member in (alice, manager):
        await member.say("!say hello")
        await (await general.next_reply()).until("hello")
    await manager.say("!say hello", place=manager.dm)
    await (await manager.dm.next_reply()).until("hello")
    assert [request.admin for request in plugin.requests] == [False, True, False]
    assert not any(request.nsfw for request in plugin.requests)


@pytest.mark.parametrize("made", [True], indirect=True)
async def test_adult_content_is_for_age_restricted_channels_of_guilds_that_allow_it(
    discord: FakeDiscord, manager: Member, general: Place, plugin: Observant
) -> None:
    await manager.say("!say hello")
    await (await general.next_reply()).until("hello")
    await manager.say("!admin set nsfw off")
    await (await general.next_reply()).until("from now on")
    await manager.say("!say hello")
    await (await general.next_reply()).until("hello")
    assert [request.nsfw for request in plugin.requests] == [True, False]
