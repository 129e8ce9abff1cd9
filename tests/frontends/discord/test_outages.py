"""Restarts, outages and refusals: no reply is lost, and none shows twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

import tron_core as tron
from tron_core.errors import ConfigError
from tron_core.scheduling import outbox
from tron_core.testing.discord import FakeDiscord, Member, Place
from tron_core.testing.discord.world import ATTACH_FILES, SEND_MESSAGES


async def until_logged(caplog: pytest.LogCaptureFixture, text: str) -> None:
    async with asyncio.timeout(10):
        while text not in caplog.text:  # noqa: ASYNC110 (a log has no event)
            await asyncio.sleep(0.01)


async def test_the_hub_is_ready_while_discord_is_down_and_replies_are_delivered_when_it_is_back(
    hubs: Any, discord: FakeDiscord, alice: Member, general: Place, studio: Any
) -> None:
    async with hubs.running():
        await alice.say("!paint a harbour")
        reply = await general.next_reply()
        await reply.until("hub")
    port = discord.server.port
    await discord.server.stop()
    async with hubs.running(connected=False) as hub:
        assert hub.services.ready()
        studio.paint.let(50)
        async with asyncio.timeout(10):
            (live,), _ = await hub.services.scheduler.list_jobs()
            async for event in hub.services.scheduler.watch(live.job.id):
                if event.kind == "result":
                    break
        await discord.server.start(port)
        await reply.until("painted a harbour")
    assert len(general.replies) == 1


async def test_a_restart_while_a_job_runs_goes_on_in_the_same_message(
    hubs: Any, alice: Member, general: Place, studio: Any
) -> None:
    async with hubs.running():
        await alice.say("!paint a harbour")
        reply = await general.next_reply()
        studio.paint.let(1)
        await reply.until("25%")
    async with hubs.running():
        studio.paint.let(4)
        await reply.until("painted a harbour")
    assert len(general.replies) == 1


async def test_what_waits_for_its_next_try_is_delivered_as_soon_as_discord_is_back(
    hubs: Any,
    discord: FakeDiscord,
    alice: Member,
    general: Place,
    studio: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(outbox, "FIRST_RETRY", 250.0)  # as after half a night
    async with hubs.running():
        await alice.say("!paint a harbour")
        reply = await general.next_reply()
        await reply.until("hub")
        discord.server.fail("PATCH", f"/channels/{general.id}/", 503, times=1000)
        studio.paint.let(4)
        await until_logged(caplog, "again in 250 s")
        discord.server.recover()
        await discord.server.gateway.drop()
        await reply.until("painted a harbour")


async def test_a_second_ready_does_no_harm(hubs: Any, discord: FakeDiscord, alice: Member, general: Place) -> None:
    async with hubs.running():
        await discord.server.gateway.ready_again()
        await alice.say("!echo hello")
        await (await general.next_reply()).until("hello")


async def test_a_lost_session_is_identified_anew(
    hubs: Any, discord: FakeDiscord, alice: Member, general: Place
) -> None:
    async with hubs.running():
        await discord.server.gateway.drop()
        await discord.connected()
        await alice.say("!echo hello")
        await (await general.next_reply()).until("hello")


async def test_commands_are_registered_only_when_they_changed(hubs: Any, discord: FakeDiscord) -> None:
    for _ in range(2):
        async with hubs.running():
            pass
    assert discord.server.interactions.synced == 1


async def test_a_wrong_token_leaves_the_hub_running(
    hubs: Any, configured: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    configured["discord"]["token"] = "wrong"
    async with hubs.running(connected=False) as hub:
        await until_logged(caplog, "refuses the token")
        assert hub.services.ready()


async def test_without_the_message_content_intent_slash_commands_work(
    hubs: Any, discord: FakeDiscord, alice: Member, caplog: pytest.LogCaptureFixture
) -> None:
    discord.server.gateway.privileged = False
    async with hubs.running():
        await discord.server.world.until(lambda: discord.server.gateway.identified == 1)
        reply = await alice.slash("echo", text="hello")
        await reply.until("hello")
    assert "message content intent" in caplog.text


async def test_a_message_that_was_deleted_meanwhile_is_posted_anew(
    hubs: Any, alice: Member, general: Place, studio: Any
) -> None:
    async with hubs.running():
        asked = await alice.say("!paint a harbour")
        reply = await general.next_reply()
        await alice.delete(reply.message)
        studio.paint.let(4)
        anew = await general.next_reply()
        await anew.until("painted a harbour")
        assert anew.answers == asked.id


async def test_a_channel_that_is_gone_ends_the_delivery_and_its_requester_is_told(
    hubs: Any, discord: FakeDiscord, alice: Member, general: Place, studio: Any
) -> None:
    async with hubs.running():
        await alice.say("!paint a harbour")
        await general.next_reply()
        del discord.server.world.channels[general.id]
        studio.paint.let(4)
        assert "cannot show the result" in (await alice.dm.next_reply()).content


async def test_what_the_bot_may_not_is_said_before_anything_is_made(
    hubs: Any, discord: FakeDiscord, alice: Member, general: Place
) -> None:
    general.deny(ATTACH_FILES)
    mute = discord.add_channel("mute")
    mute.deny(SEND_MESSAGES)
    async with hubs.running() as hub:
        await alice.say("!paint a harbour")
        assert "I lack permissions here: Attach Files" in (await general.next_reply()).content
        await alice.say("!echo hello", place=mute)
        assert "I may not write in" in (await alice.dm.next_reply()).content
        jobs, _ = await hub.services.scheduler.list_jobs()
        assert jobs == []


async def test_a_result_of_a_slash_command_older_than_its_token_arrives(
    hubs: Any, discord: FakeDiscord, alice: Member, studio: Any
) -> None:
    async with hubs.running():
        reply = await alice.slash("paint", prompt="a harbour")
        discord.server.interactions.expire()
        studio.paint.let(4)
        await reply.until("painted a harbour")


async def test_a_failing_channel_holds_up_no_other(
    hubs: Any, discord: FakeDiscord, alice: Member, general: Place, studio: Any
) -> None:
    other = discord.add_channel("other")
    async with hubs.running():
        await alice.say("!paint a harbour")
        reply = await general.next_reply()
        discord.server.fail("PATCH", f"/channels/{general.id}/", 502, times=2)
        studio.paint.let(4)
        await alice.say("!echo hello", place=other)
        await (await other.next_reply()).until("hello", seconds=2)
        await reply.until("painted a harbour")  # discord.py tries again after 1 and 3 seconds


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_result_does_not_wait_behind_progress_that_fails(
    hubs: Any, discord: FakeDiscord, alice: Member, general: Place, studio: Any, status: int
) -> None:
    async with hubs.running():
        await alice.say("!paint a harbour")
        reply = await general.next_reply()
        await reply.until("hub")
        discord.server.fail("PATCH", f"/channels/{general.id}/", status, times=100)
        studio.paint.let(1)
        await discord.server.until_failed()
        discord.server.recover()
        studio.paint.let(3)
        # discord.py would first repeat the edit that failed, 1 s after it, while the result waits.
        await reply.until("painted a harbour", seconds=5)
    assert not any("25%" in content for content in reply.history)


async def test_progress_that_failed_is_shown_once_discord_is_well_again(
    hubs: Any, discord: FakeDiscord, alice: Member, general: Place, studio: Any
) -> None:
    async with hubs.running():
        await alice.say("!paint a harbour")
        reply = await general.next_reply()
        await reply.until("hub")
        discord.server.fail("PATCH", f"/channels/{general.id}/", 500, times=2)
        studio.paint.let(1)
        await reply.until("25%")


async def test_a_post_that_is_repeated_shows_once(
    hubs: Any, discord: FakeDiscord, alice: Member, general: Place
) -> None:
    async with hubs.running() as hub:
        await alice.say("!echo 4500")
        reply = await general.next_reply()
        await reply.until(lambda each: len(each.content) > 1000)
        await general.next_reply()
        await general.next_reply()
        (live,), _ = await hub.services.scheduler.list_jobs()
        frontend = hub._frontends["discord"]
        for _ in range(2):  # as after a crash before the delivery was settled
            await frontend.deliver("01ARZ3NDEKTSV4RRFFQ69G5FAV", live.job, live.job.reply)
        assert len(general.replies) == 5  # three of the first delivery, and of the second its two further pages


@pytest.mark.parametrize("command", [tron.Command("queue"), tron.Command("far", aliases=["queue"])])
async def test_a_name_of_the_cores_own_is_refused_at_start(hubs: Any, studio: Any, command: tron.Command) -> None:
    studio.afar.command = command
    with pytest.raises(ConfigError, match="The plugin studio names a command queue"):
        async with hubs.running():
            pass


async def test_a_delivery_that_begins_as_another_of_the_same_job_ends_is_shown(
    hubs: Any, alice: Member, general: Place, studio: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hubs.running() as hub:
        await alice.say("!write harbours")
        reply = await general.next_reply()
        await reply.until("0% · hub")
        frontend, again = hub._frontends["discord"], asyncio.get_running_loop().create_future()
        deliver, delivered = frontend.deliver, []

        async def remembered(delivery: str, *what: Any) -> None:
            delivered[:] = what
            await deliver(delivery, *what)

        def ended(_: object) -> None:
            again.set_result(asyncio.ensure_future(deliver("01ARZ3NDEKTSV4RRFFQ69G5FAV", *delivered)))

        monkeypatch.setattr(frontend, "deliver", remembered)
        (card,) = frontend._connection.now.cards._cards.values()
        card.done.add_done_callback(ended)
        studio.write.pen.release()
        async with asyncio.timeout(10):
            await (await again)
        await reply.until(lambda each: each.content == "harbours")
        assert len(general.replies) == 1


async def test_a_card_that_was_posted_before_a_crash_is_found_again_by_its_nonce(
    hubs: Any, alice: Member, general: Place
) -> None:
    async with hubs.running() as hub:
        asked = await alice.say("!echo hello")
        reply = await general.next_reply()
        await reply.until("hello")
        (live,), _ = await hub.services.scheduler.list_jobs()
        # As the database had it, had the hub died before it wrote down the message that it had posted.
        target = tron.Target("discord", {"channel": str(general.id), "answering": str(asked.id), "user": str(alice.id)})
        job = replace(live.job, target=target)
        await hub._frontends["discord"].deliver("01ARZ3NDEKTSV4RRFFQ69G5FAV", job, job.reply)
        assert len(general.replies) == 1


async def test_a_hub_that_cannot_reach_discord_stops_in_time_and_delivers_after_the_restart(
    hubs: Any, discord: FakeDiscord, alice: Member, general: Place, studio: Any
) -> None:
    async with hubs.running():
        await alice.say("!paint a harbour")
        reply = await general.next_reply()
        await reply.until("hub")
    port = discord.server.port
    await discord.server.stop()
    loop = asyncio.get_running_loop()
    async with hubs.running(connected=False) as hub:
        studio.paint.let(50)
        (live,), _ = await hub.services.scheduler.list_jobs()
        async for event in hub.services.scheduler.watch(live.job.id):
            if event.kind == "result":
                break
        stopping = loop.time()
    assert loop.time() - stopping < 5
    await discord.server.start(port)
    async with hubs.running():
        await reply.until("painted a harbour")


async def test_a_slash_command_that_breaks_is_answered_without_its_reasons(
    hubs: Any, alice: Member, studio: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with hubs.running() as hub:
        hub.services.scheduler.workers = None  # whatever it is that nobody foresaw
        reply = await alice.slash("workers")
        assert reply.ephemeral
        assert reply.content == "⚠️ Something went wrong here. It is in the hub's log."
        assert "TypeError" in caplog.text
