"""The life of a request: one message, from "Queued" to the result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tron_core.app import Hub
from tron_core.testing.discord import FakeDiscord, Member, Place

PNG = (Path(__file__).parents[2] / "data" / "harbour.png").read_bytes()

pytestmark = pytest.mark.usefixtures("hub")


async def test_a_command_is_answered_below_it_with_the_result(alice: Member, general: Place) -> None:
    asked = await alice.say("!echo hello --times 2")
    reply = await general.next_reply()
    await reply.until("hello hello")
    assert reply.answers == asked.id
    assert reply.message.pinged == {alice.id}
    assert reply.buttons == ["Again", "Edit", "Twice", "Mine", "Delete"]
    assert len(general.replies) == 1


async def test_progress_is_shown_in_the_same_message_and_the_picture_is_attached(
    alice: Member, general: Place, studio: Any
) -> None:
    await alice.say("!paint a harbour")
    reply = await general.next_reply()
    await reply.until("0%")
    studio.paint.let(2)
    await reply.until("50% · step 2 of 4 · hub")
    assert reply.buttons == ["Cancel"]
    studio.paint.let(2)
    await reply.until("painted a harbour")
    assert [file.filename for file in reply.attachments] == ["picture.png"]
    assert reply.attachments[0].data == PNG
    assert len(general.replies) == 1


async def test_text_is_streamed(alice: Member, general: Place, studio: Any) -> None:
    await alice.say("!write once upon a time")
    reply = await general.next_reply()
    studio.write.pen.release()
    await reply.until(lambda each: each.content.startswith("once \n\n"))
    for _ in range(3):
        studio.write.pen.release()
    await reply.until(lambda each: each.content == "once upon a time")


async def test_by_mention_a_command_is_the_same(alice: Member, general: Place) -> None:
    await alice.say("@bot echo hello")
    await (await general.next_reply()).until("hello")


async def test_a_slash_command_answers_with_the_card(alice: Member, general: Place) -> None:
    reply = await alice.slash("echo", text="hello", times=3, mood="loud", voice="bass")
    await reply.until("HELLO HELLO HELLO (bass)")
    assert await alice.completions("echo", "voice", "te") == ["tenor"]


async def test_each_line_is_a_job_with_its_own_message(alice: Member, general: Place) -> None:
    await alice.say("!echo one\ntwo\n--times 2")
    for words in ("one one", "two two"):
        await (await general.next_reply()).until(words)


async def test_a_command_that_there_is_not_stays_unanswered(alice: Member, general: Place) -> None:
    await alice.say("!nothing at all")
    await alice.say("hello everybody")
    await alice.say("!echo end")
    await (await general.next_reply()).until("end")
    assert len(general.replies) == 1


async def test_an_unknown_flag_names_the_nearest(alice: Member, general: Place) -> None:
    await alice.say("!echo hello --time 3")
    reply = await general.next_reply()
    assert "--time: there is no such flag; did you mean --times?" in reply.content
    assert "Example: `!echo hello --times 2`" in reply.content


async def test_a_wrong_value_is_named_with_what_is_allowed(alice: Member, general: Place) -> None:
    await alice.say("!echo hello --times 9")
    reply = await general.next_reply()
    assert "times" in reply.content
    assert "a whole number from 1 to 5" in reply.content
    said = await alice.slash("paint", prompt="x", image=b"no picture")
    assert said.ephemeral
    assert "allowed: image/*" in said.content


async def test_nothing_is_half_submitted(alice: Member, general: Place, hub: Hub) -> None:
    await alice.say("!echo one\ntwo --times 9")
    assert "times" in (await general.next_reply()).content
    jobs, _ = await hub.services.scheduler.list_jobs()
    assert jobs == []


async def test_an_attached_picture_is_the_input(alice: Member, general: Place, studio: Any, hub: Hub) -> None:
    await alice.say("!paint like this --steps 1", files={"harbour.png": PNG})
    await (await general.next_reply()).until("hub")
    (live,), _ = await hub.services.scheduler.list_jobs()
    artifact = await hub.services.artifacts.get(live.job.params["image"])
    assert (artifact.media_type, artifact.owner) == ("image/png", alice.requester)
    assert live.job.requester_name == "alice"


async def test_a_file_that_the_command_does_not_take_is_refused(alice: Member, general: Place) -> None:
    await alice.say("!echo hello", files={"harbour.png": PNG})
    assert "takes no files" in (await general.next_reply()).content


async def test_a_long_result_is_split_and_a_very_long_one_is_a_file(alice: Member, general: Place) -> None:
    await alice.say("!echo 4500")
    reply = await general.next_reply()
    await reply.until(lambda each: len(each.content) > 1900)
    rest = [await general.next_reply(), await general.next_reply()]
    assert sum(len(each.content) for each in (reply, *rest)) > 4400
    await alice.say("!echo 7000")
    reply = await general.next_reply()
    await reply.until(lambda each: each.attachments)
    assert len(reply.attachments[0].data) == 6999  # without the last blank


async def test_a_result_in_a_direct_channel(alice: Member) -> None:
    await alice.say("!echo hello", place=alice.dm)
    await (await alice.dm.next_reply()).until("hello")


async def test_a_job_that_nobody_can_do_is_said_at_once(alice: Member, general: Place) -> None:
    await alice.say("!afar hello")
    await (await general.next_reply()).until("No worker for this now")


async def test_a_failure_is_told_without_a_stack_trace(alice: Member, general: Place, studio: Any) -> None:
    studio.paint.failure = "The paint is dry."
    studio.paint.let(1)
    await alice.say("!paint x --steps 1")
    reply = await general.next_reply()
    await reply.until("⚠️ The paint is dry.")
    assert reply.buttons == ["Retry", "Edit", "Delete"]


async def test_nobody_else_is_notified(discord: FakeDiscord, alice: Member, bob: Member, general: Place) -> None:
    await alice.say(f"!echo hello @everyone <@{bob.id}>")
    reply = await general.next_reply()
    await reply.until(f"<@{bob.id}>")
    assert reply.message.pinged == {alice.id}


async def test_the_menu_of_a_message_asks_with_its_files(alice: Member, general: Place, studio: Any) -> None:
    studio.paint.let(4)
    await alice.say("!paint x")
    picture = await general.next_reply()
    await picture.until(lambda each: each.attachments)
    framed = await alice.menu("Frame it", picture)
    await framed.until(f"framed {len(PNG)} bytes")
    refused = await alice.menu("Frame it", framed)  # that message has no file
    assert "image: field required" in refused.content


async def test_those_who_wait_are_told_their_position(alice: Member, general: Place, studio: Any, hub: Hub) -> None:
    studio.paint.concurrency = 1
    cards = []
    for number in range(18):  # the hub itself has 16 slots
        await alice.say(f"!paint {number}")
        cards.append(await general.next_reply())
    await cards[-1].until("Queued, position 2, about")
    await alice.say("!cancel")
    await cards[-1].until("Cancelled")
    await cards[-2].until("Queued, position 1")


class TestFiles:
    """Where files of results stand."""

    @pytest.fixture
    def configured(self, configured: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
        return {**configured, **getattr(request, "param", {})}

    @pytest.mark.parametrize("configured", [{"artifacts": {"public_url": "https://cdn.test/a/"}}], indirect=True)
    async def test_with_a_public_address_pictures_are_shown_from_there(
        self, alice: Member, general: Place, studio: Any
    ) -> None:
        studio.paint.let(4)
        await alice.say("!paint x")
        reply = await general.next_reply()
        await reply.until("painted x")
        assert reply.attachments == []
        (embed,) = reply.message.embeds
        assert embed["image"]["url"].startswith("https://cdn.test/a/")
        assert embed["image"]["url"].endswith("/picture.png")

    @pytest.mark.parametrize("configured", [{}, {"http": {"port": 0, "public_url": "https://hub.test"}}], indirect=True)
    async def test_what_is_too_large_for_the_server_is_linked(
        self, alice: Member, general: Place, studio: Any, hub: Hub
    ) -> None:
        studio.paint.padding = 11 * 1024 * 1024
        studio.paint.let(4)
        await alice.say("!paint x")
        reply = await general.next_reply()
        await reply.until("painted x")
        assert reply.attachments == []
        if hub.settings.http.public_url:
            assert "[picture.png](https://hub.test/artifacts/" in reply.content
        else:
            assert "picture.png (11.0 MiB) is too large for this server" in reply.content
