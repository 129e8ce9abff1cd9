"""What people do in Discord: commands, mentions, the menu, buttons and reactions."""

from __future__ import annotations

from typing import Any

import pytest
from sketching import png

FOX = png((64, 64), "red")


async def test_a_picture_with_the_command_is_drawn_anew(stage: Any) -> None:
    reply = await stage.say("!img2img in winter --strength 0.25 --seed 7", fox=FOX)
    assert "in winter" in reply.content
    assert "seed 7" in reply.content
    assert len(reply.attachments) == 1
    asked = stage.engine.asked
    assert (asked.prompt, asked.strength, asked.seeds) == ("in winter", 0.25, (7,))
    assert asked.images[0].getpixel((0, 0)) == (255, 0, 0)


async def test_a_second_file_is_the_mask(stage: Any) -> None:
    await stage.say("!img2img in winter", fox=FOX, mask=png((64, 64), "white"))
    assert stage.engine.asked.mask is not None


@pytest.mark.parametrize(("text", "prompt"), [("@bot in winter", "in winter"), ("in @bot winter", "in  winter")])
async def test_a_mention_with_a_picture_is_drawn_by_its_words(stage: Any, text: str, prompt: str) -> None:
    await stage.say(text, fox=FOX)
    assert stage.engine.asked.prompt == prompt


async def test_a_mention_with_a_picture_and_no_words_makes_a_variation(stage: Any) -> None:
    reply = await stage.say("@bot", fox=FOX)
    assert len(reply.attachments) == 1
    assert (stage.engine.asked.prompt, stage.engine.asked.strength) == ("", 0.5)


async def test_a_direct_message_with_a_picture_needs_no_mention(stage: Any) -> None:
    await stage.alice.say("in winter", files={"fox.png": FOX}, place=stage.alice.dm)
    await (await stage.alice.dm.next_reply()).until(lambda reply: reply.attachments)
    assert stage.engine.asked.prompt == "in winter"


async def test_the_menu_makes_a_variation_of_any_messages_picture(stage: Any) -> None:
    first = await stage.say("!generate a fox")
    await stage.bob.menu("Use as img2img", first)
    assert len((await stage.next()).attachments) == 1
    assert stage.engine.asked.images[0].getpixel((0, 0)) == (0, 0, 255)


async def test_a_button_varies_its_picture_with_its_prompt(stage: Any) -> None:
    first = await stage.say("!generate a fox --count 2 --steps 9")
    assert [label for label in first.buttons if label.startswith("Vary")] == ["Vary #1", "Vary #2"]
    await first.click("Vary #2", by=stage.bob)
    assert "a fox" in (await stage.next()).content
    asked = stage.engine.asked
    assert asked.prompt == "a fox"
    assert len(asked.images) == 1
    assert asked.steps != 9, "the settings are those of who pressed"


async def test_a_digit_as_a_reaction_varies_that_picture(stage: Any) -> None:
    first = await stage.say("!generate a fox --count 2")
    await first.react("2️⃣", by=stage.bob)
    reply = await stage.next()
    assert stage.bob.id in reply.message.pinged
    assert stage.engine.asked.prompt == "a fox"
    await first.react("3️⃣", by=stage.bob)  # there is no third picture
    await stage.say("!generate the end")
    assert not stage.engine.asked.images


async def test_a_variation_is_varied_again_and_its_settings_can_be_saved(stage: Any) -> None:
    await stage.alice.say("!settings set strength 0.125")
    await stage.channel.next_reply()
    first = await stage.say("!img2img", fox=FOX)
    assert stage.engine.asked.strength == 0.125
    await first.click("Vary #1")
    await stage.next()
    assert stage.engine.asked.strength == 0.125


async def test_without_a_picture_the_command_says_what_is_missing(stage: Any) -> None:
    reply = await stage.say("!img2img in winter")
    assert "image" in reply.content
    assert not stage.engine.requests
