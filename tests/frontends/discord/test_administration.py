"""A guild's rules, and what only some may do."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

import tron_core as tron
from tron_core.app import Hub
from tron_core.hooks import hookimpl
from tron_core.testing.discord import FakeDiscord, Member, Place
from tron_core.testing.discord.world import MANAGE_GUILD, MANAGE_MESSAGES


@pytest.fixture
def admin(discord: FakeDiscord) -> Member:
    """Somebody who may manage the server."""
    admin = discord.member("admin")
    admin.give(discord.add_role("managers", MANAGE_GUILD))
    return admin


async def said(member: Member, text: str) -> str:
    await member.say(text)
    return (await member.place.next_reply()).content


async def test_rules_are_for_administrators(admin: Member, alice: Member, hub: Hub) -> None:
    assert "for those who may manage the server" in await said(alice, "!admin set results thread")
    assert "`results` is thread from now on" in await said(admin, "!admin set results thread")
    assert "`results` thread" in await said(admin, "!admin")
    assert "reply, thread or channel" in await said(admin, "!admin set results nowhere")
    assert "did you mean results?" in await said(admin, "!admin set result thread")


async def test_a_banned_channel_answers_nobody(admin: Member, alice: Member, general: Place, hub: Hub) -> None:
    await said(admin, f"!admin set banned_channels <#{general.id}>")
    assert "I do not answer in this channel" in await said(alice, "!echo hello")
    assert "is not set any more" in await said(admin, "!admin reset banned_channels")
    await alice.say("!echo hello")
    await (await general.next_reply()).until("hello")


async def test_a_banned_member_may_not_ask_by_any_door(admin: Member, alice: Member, general: Place, hub: Hub) -> None:
    await alice.say("!echo hello")
    reply = await general.next_reply()
    await reply.until(lambda each: "Again" in each.buttons)
    await said(admin, f"!admin ban <@{alice.id}>")
    assert "You may not ask here" in await said(alice, "!echo hello")
    assert "You may not ask here" in (await alice.slash("echo", text="hello")).content
    assert "You may not ask here" in (await reply.click("Again", by=alice)).content
    await said(admin, f"!admin unban <@{alice.id}>")
    await (await alice.slash("echo", text="again")).until("again")


async def test_models_and_maxima_hold_for_settings_too(admin: Member, alice: Member, general: Place, hub: Hub) -> None:
    await said(admin, "!admin set allowed_models small")
    await said(admin, "!admin set maxima steps=10")
    assert "model (big): not on this server; allowed: small" in await said(alice, "!paint x --model big")
    await said(alice, "!steps 20")
    assert "steps (20): at most 10 on this server" in await said(alice, "!paint x")


async def test_a_quota_and_a_cap_of_waiting_jobs(admin: Member, alice: Member, general: Place, hub: Hub) -> None:
    await said(admin, "!admin set daily_quota 1")
    await alice.say("!echo hello")
    await (await general.next_reply()).until("hello")
    assert "that is all on this server" in await said(alice, "!echo hello")
    await said(admin, "!admin reset daily_quota")
    await said(admin, "!admin set max_queued 1")
    await said(alice, "!afar one")
    assert "no more may on this server" in await said(alice, "!afar two")


async def test_a_default_of_the_guild_holds_where_nobody_has_an_own(
    admin: Member, alice: Member, general: Place, hub: Hub
) -> None:
    await said(admin, "!admin default times 2")
    await alice.say("!echo hello")
    await (await general.next_reply()).until(lambda each: each.content == "hello hello")
    await said(admin, "!admin channel-default times 3")
    await alice.say("!echo hello")
    await (await general.next_reply()).until(lambda each: each.content == "hello hello hello")


async def test_capabilities_for_age_restricted_channels(admin: Member, alice: Member, hub: Hub) -> None:
    await said(admin, "!admin set nsfw_only paint")
    assert "for age-restricted channels alone" in await said(alice, "!paint x")


async def test_pictures_are_spoilers_where_the_guild_says_so(
    admin: Member, alice: Member, general: Place, studio: Any, hub: Hub
) -> None:
    assert "`spoilers` is on from now on" in await said(admin, "!admin set spoilers on")
    studio.paint.let(4)
    await alice.say("!paint x")
    reply = await general.next_reply()
    await reply.until(lambda each: each.attachments)
    assert reply.attachments[0].filename == "SPOILER_picture.png"


async def test_a_command_is_deleted_once_its_result_is_there_where_the_guild_says_so(
    discord: FakeDiscord, admin: Member, alice: Member, general: Place, hub: Hub
) -> None:
    discord.allow(MANAGE_MESSAGES)
    kept = await alice.say("!echo hello")
    first = await general.next_reply()
    await first.until(lambda each: each.content == "hello" and each.buttons)
    assert "`delete_commands` is on from now on" in await said(admin, "!admin set delete_commands on")
    asked = await alice.say("!echo goodbye")
    reply = await general.next_reply()
    await reply.until("goodbye")
    await discord.server.world.until(lambda: asked.id not in general.channel.messages)
    again = await first.click("Again")
    await again.until("hello")
    assert kept.id in general.channel.messages
    assert not first.deleted


async def test_a_command_that_may_not_be_deleted_stays_and_is_answered(
    admin: Member, alice: Member, general: Place, hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    await said(admin, "!admin set delete_commands on")
    asked = await alice.say("!echo hello")
    await (await general.next_reply()).until("hello")
    deadline = asyncio.get_running_loop().time() + 10
    while "which the rule delete_commands wants" not in caplog.text:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)
    assert asked.id in general.channel.messages


async def test_results_in_threads_and_the_thread_goes_on(
    discord: FakeDiscord, admin: Member, alice: Member, hub: Hub
) -> None:
    await said(admin, "!admin set results thread")
    asked = await alice.say("!echo hello")
    await discord.server.world.until(discord.threads)
    thread = discord.threads()[0]
    assert thread.id == asked.id
    reply = await thread.next_reply()
    await reply.until("hello")
    assert reply.message.pinged == {alice.id}
    await alice.say("and more --times 2", place=thread)
    await (await thread.next_reply()).until("and more and more")


async def test_results_in_the_channel_mention_who_asked(admin: Member, alice: Member, general: Place, hub: Hub) -> None:
    await said(admin, "!admin set results channel")
    await alice.say("!echo hello")
    reply = await general.next_reply()
    await reply.until(lambda each: each.content == f"<@{alice.id}> hello")
    assert reply.answers is None


async def test_workers_are_the_business_of_the_owner(discord: FakeDiscord, admin: Member, hub: Hub) -> None:
    assert "the business of the bot's owner" in await said(admin, "!admin drain hub")
    owner = Member(discord.server, discord.guild.owner, discord.general)
    assert "hub gets no more jobs" in await said(owner, "!admin drain hub")
    assert "hub gets jobs again" in await said(owner, "!admin undrain hub")


async def test_capabilities_and_models_are_taken_away(admin: Member, alice: Member, hub: Hub) -> None:
    await said(admin, "!admin set banned_capabilities paint")
    assert "paint is not there on this server" in await said(alice, "!paint x")
    await said(admin, "!admin reset banned_capabilities")
    await said(admin, "!admin set banned_models Big")
    assert "model (big): not on this server" in await said(alice, "!paint x --model big")


class Presets:
    """Makes what is asked of ``afar`` a request for ``paint``."""

    @hookimpl
    async def tron_job_submitting(self, request: tron.JobRequest) -> tron.JobRequest | None:
        if request.capability != "afar":
            return None
        return replace(request, capability="paint", params={"prompt": request.params["prompt"], "steps": 9})


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("banned_capabilities paint", "paint is not there on this server"),
        ("nsfw_only paint", "for age-restricted channels alone"),
        ("maxima paint.steps=4", "steps (9): at most 4 on this server"),
    ],
)
async def test_rules_are_about_what_a_request_becomes(
    hubs: Any, admin: Member, alice: Member, rule: str, reason: str
) -> None:
    async with hubs.running(further={"presets": Presets()}):  # asked later than a plugin of a name before "discord"
        await said(admin, f"!admin set {rule}")
        assert reason in await said(alice, "!afar x")


async def test_a_rule_set_by_the_operator_holds_at_once(
    discord: FakeDiscord, admin: Member, alice: Member, hub: Hub
) -> None:
    await said(admin, "!admin set results reply")
    await hub.services.guild_rules.set(str(discord.guild.id), "banned_users", [str(alice.id)])
    assert "You may not ask here" in await said(alice, "!echo hello")
