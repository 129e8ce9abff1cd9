"""Plugins that know nothing of each other meet on one reply, and a plugin that is not there leaves nothing behind."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from sketching import PATIENCE, plugins_of, png

from tron_core.testing.discord import FakeDiscord
from tron_core.testing.discord.stage import staged

FOX = png((16, 16))


@pytest.mark.parametrize(
    ("plugins", "offered"),
    [
        (("img2img", "stable-diffusion", "upscale"), {"Vary #1", "Upscale"}),
        (("img2img", "stable-diffusion"), {"Vary #1"}),
        (("stable-diffusion", "upscale"), {"Upscale"}),
        (("stable-diffusion",), set()),
    ],
)
async def test_a_picture_has_the_buttons_of_the_plugins_that_are_there(
    make_stage: Any, plugins: tuple[str, ...], offered: set[str]
) -> None:
    stage = await make_stage(*plugins)
    reply = await stage.say("!generate a fox")
    assert {label for label in reply.buttons if label.startswith(("Vary", "Upscale"))} == offered


async def test_upscale_alone_has_its_button_and_no_other(make_stage: Any) -> None:
    stage = await make_stage("upscale")
    reply = await stage.say("!upscale", fox=FOX)
    assert "Upscale" in reply.buttons
    assert not [label for label in reply.buttons if label.startswith("Vary")]


async def test_what_one_made_the_other_goes_on_with(stage: Any) -> None:
    first = await stage.say("!generate a fox")
    await first.click("Upscale")
    larger = await stage.next()
    assert "256 × 256" in larger.content
    await larger.click("Vary #1", by=stage.alice)
    varied = await stage.next()
    assert len(varied.attachments) == 1
    assert stage.engine.asked.prompt == "", "what upscale was asked for is no prompt"


async def test_the_marker_of_upscale_goes_before_any_message_with_a_picture(make_stage: Any) -> None:
    stage = await make_stage("img2img", "stable-diffusion", "upscale")
    larger = await stage.say("this one @bot !upscale", fox=FOX)
    assert "64 × 64" in larger.content
    assert not stage.engine.requests


async def test_without_upscale_its_marker_is_words(make_stage: Any) -> None:
    stage = await make_stage("img2img", "stable-diffusion")
    await stage.say("this one @bot !upscale", fox=FOX)
    assert stage.engine.asked.prompt == "this one  !upscale"


async def test_without_stable_diffusion_a_request_is_refused_in_words(make_stage: Any) -> None:
    stage = await make_stage("img2img")
    reply = await stage.say("!img2img", fox=FOX)
    assert "stable-diffusion" in reply.content
    assert not reply.attachments


async def test_a_button_from_before_the_plugin_was_removed_says_that_it_is_gone(
    tmp_path: Path, migrated: Path, studio: Any
) -> None:
    shutil.copy(migrated, tmp_path / "tron.db")
    discord = FakeDiscord()
    alice = discord.member("alice")
    async with staged(
        tmp_path, plugins_of("img2img", "stable-diffusion"), [studio.text, studio.image], discord=discord
    ):
        await alice.say("!generate a fox")
        drawn = await (await discord.general.next_reply()).until(lambda each: "Vary #1" in each.buttons, PATIENCE)
    async with staged(tmp_path, plugins_of("stable-diffusion"), [studio.text], discord=discord):
        said = await drawn.click("Vary #1", by=alice)
        assert said.ephemeral
        assert "There is no capability 'img2img'" in said.content
        await drawn.click("New seed", by=alice)
        again = await discord.general.next_reply(PATIENCE)
        await again.until(lambda each: "Delete" in each.buttons, PATIENCE)
        assert "Vary #1" not in again.buttons
