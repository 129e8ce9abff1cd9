"""What people do in Discord: commands, mentions, the menu, buttons and reactions."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from tron_core.testing.discord import Member, Place, Reply

HARBOUR = Path(__file__).parents[3] / "tests" / "data" / "harbour.png"


@pytest.fixture
def harbour() -> dict[str, bytes]:
    with Image.open(HARBOUR) as image:
        small = io.BytesIO()
        image.resize((40, 30)).save(small, "PNG")
    return {"harbour.png": small.getvalue()}


async def enlarged(place: Place) -> Reply:
    reply = await place.next_reply()
    return await reply.until(lambda each: each.attachments and each.buttons[-1:] == ["Delete"])


def size_of(reply: Reply) -> tuple[int, int]:
    return Image.open(io.BytesIO(reply.attachments[0].data)).size


async def test_a_picture_with_the_command_is_enlarged(user: Member, channel: Place, harbour: dict[str, bytes]) -> None:
    await user.say("!upscale --factor 2", files=harbour)
    reply = await enlarged(channel)
    assert size_of(reply) == (80, 60)
    assert "80 × 60" in reply.content


@pytest.mark.parametrize("text", ["@bot !upscale", "what is this, @bot? !upscale"])
async def test_a_mention_with_the_marker_enlarges_the_picture(
    user: Member, channel: Place, harbour: dict[str, bytes], text: str
) -> None:
    await user.say(text, files=harbour)
    assert size_of(await enlarged(channel)) == (160, 120)


async def test_a_picture_of_any_message_is_enlarged_by_its_menu_its_button_and_its_emoji(
    user: Member, channel: Place, harbour: dict[str, bytes]
) -> None:
    await user.say("!upscale --factor 2", files=harbour)
    first = await enlarged(channel)
    await user.menu("Upscale", first)
    assert size_of(await enlarged(channel)) == (320, 240)
    await first.click("Upscale")
    assert size_of(await enlarged(channel)) == (320, 240)
    await first.react("🔍")
    assert size_of(await enlarged(channel)) == (320, 240)
