"""Messages that are no commands, and messages that an administrator posts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

import tron_core as tron
from tron_core.app import Hub
from tron_core.auth.principal import Scope
from tron_core.testing.discord import FakeDiscord, Member, Place

PNG = (Path(__file__).parents[2] / "data" / "harbour.png").read_bytes()


async def test_a_mention_is_offered_to_the_plugins(alice: Member, general: Place, studio: Any, hub: Hub) -> None:
    studio.claims = lambda message: tron.JobRequest("echo", {"text": f"heard {message.text}"}, message.requester)
    await alice.say("hello @bot, how are you?", files={"a.png": PNG})
    await (await general.next_reply()).until("heard hello , how are you?")
    (message,) = studio.heard
    assert message.mentions_bot
    assert message.requester == alice.requester
    assert message.requester_name == "alice"
    assert message.guild == str(general.channel.guild.id)  # type: ignore[union-attr]
    assert message.attachments[0].media_type == "image/png"


async def test_a_direct_message_is_offered_too(alice: Member, studio: Any, hub: Hub) -> None:
    studio.claims = lambda message: tron.JobRequest("echo", {"text": "privately"}, message.requester)
    await alice.say("hello", place=alice.dm)
    await (await alice.dm.next_reply()).until("privately")


async def test_a_refusal_of_a_plugin_is_told(alice: Member, general: Place, studio: Any, hub: Hub) -> None:
    def refuse(message: tron.Message) -> tron.JobRequest:
        raise tron.Refused("Not that word.")

    studio.claims = refuse
    await alice.say("@bot forbidden")
    assert "Not that word." in (await general.next_reply()).content


async def test_what_nobody_claims_stays_unanswered(alice: Member, general: Place, studio: Any, hub: Hub) -> None:
    await alice.say("@bot hello")
    await alice.say("just talking")
    await alice.say("!echo end")
    await (await general.next_reply()).until("end")
    assert [message.text for message in studio.heard] == ["hello"]


async def test_a_command_by_mention_may_have_the_prefix(alice: Member, general: Place, hub: Hub) -> None:
    await alice.say("@bot !echo hello")
    await (await general.next_reply()).until("hello")


async def test_a_mention_that_only_begins_like_a_command_is_talk(
    alice: Member, general: Place, studio: Any, hub: Hub
) -> None:
    studio.claims = lambda message: tron.JobRequest("echo", {"text": "a talk"}, message.requester)
    for text in ("@bot help me write a letter", "tell me, @bot, about the queue", "@bot times are hard"):
        await alice.say(text)
        await (await general.next_reply()).until("a talk")
    await alice.say("@bot queue")
    assert "waiting" in (await general.next_reply()).content


async def test_a_command_that_answers_a_picture_takes_it(alice: Member, general: Place, studio: Any, hub: Hub) -> None:
    studio.paint.let(4)
    await alice.say("!paint one")
    picture = await general.next_reply()
    await picture.until(lambda each: each.attachments)
    await alice.say("!paint two --steps 1", answering=picture)
    await (await general.next_reply()).until("hub")
    jobs, _ = await hub.services.scheduler.list_jobs()
    assert jobs[0].job.params["image"] is not None


@pytest.fixture
async def rest(hub: Hub) -> Any:
    """REST as an administrator and as a user."""
    clients = []
    for name, scope in (("root", Scope.ADMIN), ("carol", Scope.USER)):
        await hub.services.auth.create_user(name, "a long password", scope=scope)
        _, token = await hub.services.auth.create_client_tokens(name)
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        clients.append(httpx.AsyncClient(base_url=f"{hub.services.http_url}/api/v1", headers=headers))
    yield clients
    for client in clients:
        await client.aclose()


async def test_an_administrator_posts_over_rest(hub: Hub, rest: Any, general: Place, discord: FakeDiscord) -> None:
    admin, user = rest
    artifact = await hub.services.artifacts.put("harbour.png", PNG)
    body = {"channel_id": str(general.id), "content": "@everyone look", "artifacts": [artifact.id]}
    answered = await admin.post("/messages", json=body)
    assert answered.status_code == 201, answered.text
    reply = await general.next_reply()
    assert answered.json() == {"channel_id": str(general.id), "message_id": str(reply.id)}
    assert reply.attachments[0].data == PNG
    assert reply.message.pinged == set()
    assert (await user.post("/messages", json=body)).status_code == 403
    assert (await admin.post("/messages", json={**body, "channel_id": "123"})).status_code == 404
    assert (await admin.post("/messages", json={"channel_id": str(general.id)})).status_code == 422


async def test_a_job_over_rest_may_tell_a_channel(hub: Hub, rest: Any, general: Place) -> None:
    admin, _ = rest
    job = {"capability": "echo", "params": {"text": "from afar"}, "notify": {"discord_channel": str(general.id)}}
    assert (await admin.post("/jobs", json=job)).status_code == 202
    await (await general.next_reply()).until("from afar")
