"""The tutorial's plugin in Discord, with what plugin authors are given."""

from __future__ import annotations

from tron_core.testing.discord import Member, Place


async def test_it_says_it_back(user: Member, channel: Place) -> None:
    await user.say("!echo hello --times 2")
    reply = await channel.next_reply()
    await reply.until("hello hello")
    again = await reply.click("Again")
    await again.until("hello hello")
