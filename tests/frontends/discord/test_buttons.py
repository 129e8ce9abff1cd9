"""Buttons and reactions below a result."""

from __future__ import annotations

from typing import Any

from tron_core.app import Hub
from tron_core.testing.discord import Member, Place, Reply


async def asked(member: Member, text: str, until: str) -> Reply:
    """The finished reply to a command."""
    await member.say(text)
    reply = await member.place.next_reply()
    await reply.until(lambda each: until in each.content and each.buttons[-1:] == ["Delete"])
    return reply


async def test_again_makes_a_new_job_with_a_card_of_its_own(hub: Hub, alice: Member, bob: Member) -> None:
    reply = await asked(alice, "!echo hello", "hello")
    again = await reply.click("Again", by=bob)
    await again.until("hello")
    jobs, _ = await hub.services.scheduler.list_jobs()
    assert [live.job.requester for live in jobs] == [bob.requester, alice.requester]
    assert jobs[0].job.parent == jobs[1].job.id


async def test_an_action_of_a_plugin_is_a_button(hub: Hub, alice: Member) -> None:
    reply = await asked(alice, "!echo hello", "hello")
    twice = await reply.click("Twice")
    await twice.until("hello hello")


async def test_a_button_for_the_owner_is_for_the_owner(hub: Hub, alice: Member, bob: Member) -> None:
    reply = await asked(alice, "!echo hello", "hello")
    refused = await reply.click("Mine", by=bob)
    assert refused.ephemeral
    assert "is for the one who asked" in refused.content
    await (await reply.click("Mine", by=alice)).until("hello")


async def test_edit_shows_the_params_and_asks_with_the_changed_ones(hub: Hub, alice: Member) -> None:
    reply = await asked(alice, "!echo hello --times 2", "hello hello")
    form = await reply.click("Edit")
    assert form.fields["text"] == "hello"
    assert form.fields["times"] == "2"
    edited = await form.submit(text="good bye", times="1", mood="loud")
    await edited.until(lambda each: each.content == "GOOD BYE")
    form = await reply.click("Edit")
    refused = await form.submit(times="9")
    assert refused.ephemeral
    assert "a whole number from 1 to 5" in refused.content


async def test_cancel_is_for_who_asked_and_for_administrators(
    hub: Hub, alice: Member, bob: Member, general: Place, studio: Any
) -> None:
    await alice.say("!paint a harbour")
    reply = await general.next_reply()
    refused = await reply.click("Cancel", by=bob)
    assert "is for the one who asked" in refused.content
    await reply.click("Cancel", by=alice)
    await reply.until("🚫 Cancelled")


async def test_retry_goes_on_in_the_same_message(hub: Hub, alice: Member, general: Place, studio: Any) -> None:
    studio.paint.failure = "The paint is dry."
    studio.paint.let(1)
    await alice.say("!paint x --steps 1")
    reply = await general.next_reply()
    await reply.until("dry")
    studio.paint.failure = None
    await reply.click("Retry")
    studio.paint.let(1)
    await reply.until("painted x")
    assert len(reply.attachments) == 1


async def test_delete_removes_the_message(hub: Hub, alice: Member, bob: Member) -> None:
    reply = await asked(alice, "!echo hello", "hello")
    assert "for the one who asked" in (await reply.click("Delete", by=bob)).content
    await reply.click("Delete")
    await reply.until(lambda each: each.deleted)


async def test_buttons_from_before_a_restart_still_work(hubs: Any, alice: Member) -> None:
    async with hubs.running():
        reply = await asked(alice, "!echo hello", "hello")
    async with hubs.running():
        again = await reply.click("Again", by=alice)
        await again.until("hello")


async def test_an_emoji_of_an_action_works_as_a_reaction(hub: Hub, alice: Member, bob: Member, general: Place) -> None:
    reply = await asked(alice, "!echo hello", "hello")
    await reply.react("❤️", by=bob)  # means nothing
    await reply.react("♻️", by=bob)
    twice = await general.next_reply()
    await twice.until("hello hello")
    assert bob.id in twice.message.pinged
    await reply.react("❌", by=alice)
    await reply.until(lambda each: each.deleted)


async def test_a_job_that_is_gone_is_said_to_the_one_who_pressed(hub: Hub, alice: Member) -> None:
    reply = await asked(alice, "!echo hello", "hello")
    reply.button("Again")["custom_id"] = "tron:again:01ARZ3NDEKTSV4RRFFQ69G5FAV"
    said = await reply.click("Again")
    assert said.ephemeral
    assert "There is no job" in said.content


async def test_a_form_that_was_open_during_a_restart_works(hubs: Any, alice: Member, general: Place) -> None:
    async with hubs.running():
        await alice.say("!echo hello")
        reply = await general.next_reply()
        await reply.until("hello")
        form = await reply.click("Edit")
    async with hubs.running():
        again = await form.submit(text="goodbye")
        await again.until("goodbye")
