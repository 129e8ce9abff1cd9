"""Many people at once: Discord's limits are kept, and no reply is lost."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from tron_core.testing.discord import FakeDiscord, Member, Place
from tron_core.testing.discord.server import Call

MEMBERS, CHANNELS = 200, 20


@asynccontextmanager
async def measured_lag() -> AsyncIterator[list[float]]:
    """How late the event loop is, in seconds, again and again while the block runs."""
    late: list[float] = []

    async def measure() -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + 0.005
            await asyncio.sleep(0.005)
            late.append(loop.time() - due)

    task = asyncio.create_task(measure())
    yield late
    task.cancel()


def by_channel(calls: list[Call], method: str) -> dict[str, list[Call]]:
    found = defaultdict(list)
    for call in calls:
        if call.method == method and (channel := re.match(r"/channels/(\d+)/messages", call.path)):
            found[channel[1]].append(call)
    return found


@pytest.mark.slow
async def test_two_hundred_members_in_twenty_channels(
    hubs: Any, discord: FakeDiscord, configured: dict[str, Any], studio: Any
) -> None:
    places: list[Place] = [discord.add_channel(f"room-{number}") for number in range(CHANNELS)]
    members: list[Member] = [discord.member(f"m{n}", places[n % CHANNELS]) for n in range(MEMBERS)]
    studio.slow.pause = 0.05
    studio.slow.concurrency = 40
    discord.server.limits.posts = discord.server.limits.edits = (5, 1.0)
    discord.server.latency = 0.02
    async with hubs.running(), measured_lag() as late:
        await asyncio.gather(*(member.say(f"!slow for {n}") for n, member in enumerate(members)))

        def shown() -> bool:
            return all(sum("done" in each.content for each in place.replies) == MEMBERS // CHANNELS for place in places)

        await discord.server.world.until(shown, 50, "every reply")
    calls = discord.server.calls
    assert not [call for call in calls if call.status == 429], "a call was made while its bucket was empty"
    for edits in by_channel(calls, "PATCH").values():
        edits.sort(key=lambda call: call.started)
        for before, after in pairwise(edits):
            assert before.ended is not None
            assert before.ended <= after.started, "two edits were under way in one channel"
    for place in places:
        assert len(place.replies) == MEMBERS // CHANNELS
        for reply in place.replies:
            assert ["done" in content for content in reply.history].count(True) == 1, "an edit came after the result"
    late.sort()
    p50, p99 = late[len(late) // 2], late[int(len(late) * 0.99)]
    print(f"\nloop lag: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms; {len(calls)} calls")
    # 50 ms is what is promised; the fake Discord runs on the same loop here, and other tests beside it.
    assert p99 < 0.2
