"""Pictures once more, in the channel."""

from __future__ import annotations

from typing import Any


async def test_a_picture_is_posted_again_with_who_kept_it(stage: Any) -> None:
    drawn = await stage.say("!generate a fox --count 2")
    await drawn.click("Save", by=stage.manager)
    reply = await stage.general.next_reply()
    await reply.until(lambda each: len(each.attachments) == 2)
    assert reply.content.startswith("Kept by manager: a fox")


async def test_from_a_thread_it_goes_into_the_channel(stage: Any) -> None:
    await stage.say("!admin set results thread", by=stage.manager)
    await stage.alice.say("!generate a fox")
    await stage.discord.server.world.until(lambda: stage.discord.threads())
    (thread,) = stage.discord.threads()
    drawn = await (await thread.next_reply()).until(lambda each: "Save" in each.buttons)
    await drawn.react("💾", by=stage.manager)
    kept = await stage.general.next_reply()
    await kept.until(lambda each: each.attachments)
    assert "a fox" in kept.content
    assert kept.message.channel.id == stage.general.id
    await (await thread.next_reply()).until("They are in the channel, too.")
