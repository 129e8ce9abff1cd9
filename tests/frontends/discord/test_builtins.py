"""The core's own commands: help, settings, one's jobs, workers and plugins."""

from __future__ import annotations

from typing import Any

import pytest

from tron_core.app import Hub
from tron_core.testing.discord import Member, Place

pytestmark = pytest.mark.usefixtures("hub")


async def said(member: Member, text: str) -> str:
    """What the bot answers to a message."""
    await member.say(text)
    return (await member.place.next_reply()).content


async def test_help_lists_everything_and_says_what_has_no_worker(alice: Member) -> None:
    text = await said(alice, "!help")
    assert "`!echo` Say it back\n" in text
    assert "`!afar` Elsewhere *(no worker now)*" in text
    assert "`!settings view [KEY]`" in text


async def test_help_about_one_command_shows_its_flags(alice: Member) -> None:
    text = await said(alice, "!help say")
    assert "**!echo** (also `!say`) Say it back" in text
    assert "`!echo hello --times 2`" in text
    assert "`--times`: How often. a whole number from 1 to 5, else 1" in text
    assert "alto, bass, tenor" in text


async def test_help_about_nothing_names_the_nearest(alice: Member) -> None:
    assert "Did you mean `!echo`?" in await said(alice, "!help ecko")


async def test_settings_are_set_used_shown_and_reset(alice: Member, bob: Member, general: Place) -> None:
    assert "`echo.times` is **3**" in await said(alice, "!settings echo.times 3")
    await alice.say("!echo hello")
    await (await general.next_reply()).until("hello hello hello")
    await bob.say("!echo hello")
    await (await general.next_reply()).until(lambda each: each.content == "hello")
    shown = await said(alice, "!settings")
    assert "`echo.times` **3** · How often" in shown
    assert "__studio__" in shown
    assert "1 of your settings is at the default again" in await said(alice, "!settings reset times")
    assert "`echo.times` 1 ·" in await said(alice, "!settings times")


async def test_the_short_command_is_the_setting(alice: Member, general: Place) -> None:
    assert "`echo.times` is **2**" in await said(alice, "!times 2")
    assert "`echo.times` **2**" in await said(alice, "!times")
    assert "`echo.mood` is **loud**" in await said(alice, "!mood loud")
    assert "`echo.scale` is **2**" in await said(alice, "!scale 2")
    assert "at its default" in await said(alice, "!times reset")


async def test_a_wrong_setting_says_what_is_allowed(alice: Member) -> None:
    assert "a whole number from 1 to 5" in await said(alice, "!times 9")
    assert "did you mean times?" in await said(alice, "!settings timse 9")


async def test_settings_by_slash_are_completed_and_private(alice: Member) -> None:
    assert await alice.completions("settings set", "key", "voi") == ["echo.voice"]
    assert await alice.completions("settings set", "value", "b", key="echo.voice") == ["bass"]
    reply = await alice.slash("settings set", key="echo.voice", value="bass")
    assert reply.ephemeral
    assert "`echo.voice` is **bass**" in reply.content
    assert "**bass**" in (await alice.slash("settings view")).content


async def test_ones_jobs_are_listed_and_cancelled(alice: Member, bob: Member, general: Place, hub: Hub) -> None:
    assert "You have not asked" in await said(alice, "!jobs")
    await alice.say("!paint a harbour")
    card = await general.next_reply()
    await card.until("hub")
    (live,), _ = await hub.services.scheduler.list_jobs()
    assert f"`{live.job.id[-8:]}` paint: a harbour · running" in await said(alice, "!jobs")
    assert "You have no job" in await said(bob, "!cancel")
    assert await alice.completions("cancel", "job", "") == [live.job.id]
    assert "Cancelled" in await said(alice, f"!cancel {live.job.id[-8:]}")
    await card.until("🚫")


async def test_a_failed_job_is_tried_again(alice: Member, general: Place, studio: Any) -> None:
    studio.paint.failure = "dry"
    studio.paint.let(1)
    await alice.say("!paint x --steps 1")
    card = await general.next_reply()
    await card.until("dry")
    studio.paint.failure = None
    studio.paint.let(1)
    assert "in the queue again" in await said(alice, "!retry")
    await card.until("painted x")


async def test_the_queue_workers_and_plugins_are_shown(alice: Member) -> None:
    assert "0 jobs waiting" in await said(alice, "!queue")
    assert "**hub** idle · 0 of 16 slots · echo, frame, paint, slow, speak, write" in await said(alice, "!workers")
    assert "**studio** 1.0 active" in await said(alice, "!plugins")


async def test_forget_me_asks_first_and_then_erases(alice: Member, general: Place, studio: Any, hub: Hub) -> None:
    await said(alice, "!times 3")
    await alice.say("!echo hello")
    await (await general.next_reply()).until("hello")
    assert "`!forget-me yes`" in await said(alice, "!forget-me")
    assert "Your settings, 1 jobs and 0 files are erased." in await said(alice, "!forget-me yes")
    assert studio.forgotten == [alice.requester]
    assert "`echo.times` 1 ·" in await said(alice, "!settings times")
    assert await hub.services.scheduler.list_jobs(requester=alice.requester) == ([], None)


async def test_history_and_stats_are_ones_own(alice: Member, bob: Member, general: Place) -> None:
    for number in range(21):
        await alice.say(f"!echo number {number}")
        await (await general.next_reply()).until(f"number {number}")
    first = await said(alice, "!history")
    assert "number 20 · succeeded" in first
    assert "There are more pages" in first
    assert "number 0 · succeeded" in await said(alice, "!history 2")
    assert "page (x): a whole number" in await said(alice, "!history x")
    text = await said(alice, "!stats")
    assert "echo: 21 succeeded" in text
    assert "**studio**\nYou are known." in text
    assert "You have not asked for anything yet" in await said(bob, "!stats")
