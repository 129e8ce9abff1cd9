"""Results that are spoken: voice messages, and files where Discord takes none."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tron_core.app import Hub
from tron_core.testing.discord import FakeDiscord, Member, Place
from tron_core.testing.discord.world import SEND_VOICE_MESSAGES, VOICE_MESSAGE


async def test_speech_is_a_voice_message_below_the_card(alice: Member, general: Place, hub: Hub) -> None:
    await alice.say("!speak hello")
    card = await general.next_reply()
    await card.until("spoken")
    assert card.attachments == []
    assert card.buttons == ["Again", "Edit", "Delete"]
    spoken = await general.next_reply()
    (sound,) = spoken.attachments
    assert spoken.message.flags & VOICE_MESSAGE
    assert (sound.filename, sound.duration, sound.waveform) == (
        "speech.ogg",
        1.2,
        base64.b64encode(bytes(range(12))).decode(),
    )
    assert spoken.content == ""


async def test_a_slash_command_speaks_too(alice: Member, general: Place, hub: Hub) -> None:
    card = await alice.slash("speak", prompt="hello")
    await card.until("spoken")
    assert (await general.next_reply()).id == card.id
    spoken = await general.next_reply()
    assert spoken.message.flags & VOICE_MESSAGE


@pytest.mark.parametrize("refusal", ["permission", "waveform"])
async def test_where_discord_takes_no_voice_message_it_is_a_file(
    alice: Member, general: Place, studio: Any, hubs: Any, refusal: str
) -> None:
    if refusal == "permission":
        general.deny(SEND_VOICE_MESSAGES)
    else:
        studio.speak.waveform = base64.b64encode(bytes(1000)).decode()
    async with hubs.running():
        await alice.say("!speak hello")
        await (await general.next_reply()).until("spoken")
        spoken = await general.next_reply()
    assert not spoken.message.flags & VOICE_MESSAGE
    assert [file.filename for file in spoken.attachments] == ["speech.ogg"]


async def test_a_delivery_that_is_repeated_speaks_once(
    alice: Member, general: Place, discord: FakeDiscord, hub: Hub
) -> None:
    await alice.say("!speak hello")
    await (await general.next_reply()).until("spoken")
    await general.next_reply()
    (live,), _ = await hub.services.scheduler.list_jobs()
    assert live.job.reply is not None
    for _ in range(2):
        await hub._frontends["discord"].deliver("01ARZ3NDEKTSV4RRFFQ69G5FAV", live.job, live.job.reply)
    assert len(general.replies) == 3  # the card, the first delivery's message and the second's
