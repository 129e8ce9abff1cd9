"""Discord with the hub and a worker as processes of their own: a restart in the middle of a job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from programs import Site, Sites, eventually

from tron_core.testing.discord import TOKEN, FakeDiscord

PATIENCE = 30.0


@pytest.fixture
async def discord() -> AsyncIterator[FakeDiscord]:
    fake = FakeDiscord()
    await fake.server.start()
    yield fake
    await fake.server.stop()


@pytest.fixture
def site(make_site: Sites, discord: FakeDiscord) -> Site:
    """A site whose hub is not started yet: it would wait for this thread, on which the fake Discord runs."""
    return make_site(start=False, discord={"token": TOKEN, "api_url": discord.api_url}, hub={"drain_seconds": 1})


@pytest.mark.slow
async def test_a_hub_that_is_stopped_during_a_job_shows_its_result_in_the_same_message(
    site: Site, discord: FakeDiscord
) -> None:
    alice = discord.member("alice")
    await asyncio.to_thread(site.start_hub)
    await asyncio.to_thread(site.start_worker, "gpu-1")
    await discord.connected(PATIENCE)
    await alice.say("!work a long one --seconds 60 --hold go")
    reply = await discord.general.next_reply(PATIENCE)
    await reply.until("gpu-1", PATIENCE)
    await alice.say("!work another")
    waiting = await discord.general.next_reply(PATIENCE)
    await waiting.until("Queued, position 1", PATIENCE)

    assert await asyncio.to_thread(site.stop_hub) == 0
    site.journal.release("go")
    await asyncio.to_thread(eventually, lambda: site.journal.lines("ended"), "the worker ended its job without a hub")
    await asyncio.to_thread(site.start_hub)

    await reply.until("a long one is done", PATIENCE)
    await waiting.until("another is done", PATIENCE)
    assert list(site.journal.attempts("began").values()) == [[1], [1]]
    assert len(discord.general.replies) == 2

    again = await reply.click("Again", by=alice)  # a button from before the restart
    await again.until("a long one is done", PATIENCE)


async def test_without_a_worker_the_hub_answers_what_it_can(site: Site, discord: FakeDiscord) -> None:
    alice = discord.member("alice")
    await asyncio.to_thread(site.start_hub)
    await discord.connected(PATIENCE)
    await alice.say("!work something")
    await (await discord.general.next_reply(PATIENCE)).until("No worker for this now", PATIENCE)
    await alice.say("!settings seconds 3")
    assert "`work.seconds` is **3**" in (await discord.general.next_reply(PATIENCE)).content
    await alice.say("!workers")
    assert "No worker is connected" in (await discord.general.next_reply(PATIENCE)).content
