"""docs/reference/commands-compared.md: each line of its last column is sent, and answered as the page means it.

All plugins of the repository are on one hub; what works draws, writes and speaks at once, and nothing real.
"""

from __future__ import annotations

import io
import re
import wave
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import tron_core as tron
from tron_core.plugins import Plugins
from tron_core.testing.discord import FakeDiscord, Member, Place, Reply
from tron_core.testing.discord.stage import staged
from tron_core.testing.discord.world import MANAGE_GUILD
from tron_core.worker import ExecutionContext, Executor

NAMES = ("bark", "gpt", "img2img", "stable-diffusion", "upscale", "wizardlm")
PLUGINS = {name: pytest.importorskip(f"tron_plugin_{name.replace('-', '_')}") for name in NAMES}

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "commands-compared.md"
PATIENCE = 30.0

PICTURE, PICTURES, SPEECH = "a picture", "two jobs with a picture each", "a sound"
ANSWERS: dict[str, str | re.Pattern[str]] = {
    "!generate a red fox in snow": PICTURE,
    "!generate a red fox --steps 30 --seed 7": PICTURE,
    "!generate-x 2 a red fox": PICTURES,
    "!generate-random-x 2 lighthouses": PICTURES,
    "!generate-random-x": PICTURES,
    "!steps 30": "**30**",
    "!guidance 6.5": "**6.5**",
    "!guidance none": "at its default",
    "!guidance_rescale 0.7": "**0.7**",
    "!strength 0.4": "**0.4**",
    "!seed 42": "**42**",
    "!seed random": "another each time",
    "!seed": "another each time",
    "!resolution 1024x768": "**1024x768**",
    "!resolution": "Landscape: ",
    "!style anime": "**anime**",
    "!styles": "**anime**, photographic",
    "!model tron/shapes": "**tron/shapes**",
    "!model-list": "**tron/shapes** · ",
    "!model-add owner/painter image Paints": "waits for approval",
    "!model-approve owner/painter": "owner/painter is approved",
    "!model-description owner/painter Paints slowly": "owner/painter",
    "!model-allow owner/painter": "owner/painter",
    "!model-allow owner/painter --remove": "Every approved model",
    "!model-delete owner/painter": "not in the catalogue any more",
    "!scheduler ddim": "**ddim**",
    "!scheduler-list": "ddim",
    "!scheduler-add quick EulerDiscreteScheduler 5 50 Quick": "quick",
    "!scheduler-description quick Quick and plain": "quick",
    "!scheduler-usage quick portraits, boats": "portraits, boats",
    "!scheduler-delete quick": "quick",
    "!stats": "You asked for",
    "!search fox --not night": "of your prompts fit",
    "!random 3": "From what you had drawn",
    "!random 3 raw": re.compile(r"(fox|lighthouses|anything)"),
    "!llama Why is the sky blue?": "It is written.",
    "!llm Why is the sky blue?": "It is written.",
    "!stablelm Why is the sky blue?": "It is written.",
    "!vicuna Why is the sky blue?": "It is written.",
    "!tts The kettle is on.": SPEECH,
    "!t The kettle is on.": SPEECH,
    "!tts-voice en_US-joe-medium": "said by en_US-joe-medium",
    "!tts-voices": "en_US-joe-medium",
    "!actors ANN en_US-joe-medium": "ANN",
    "!actors": "ANN",
    "!clear": "Forgotten",
    "!settings steps 25": "**25**",
    "!settings": "**Your settings**",
    "!admin default steps 25": "for everybody on this server",
    "!workers": "**worker-1**",
    "!queue": "waiting",
    "!help": "**Ask for**",
    "!help generate": "**!generate**",
    "!admin set banned_channels #general": "`banned_channels` is",
    "!admin reset banned_channels": "not set any more",
    "@bot in winter": PICTURE,
    "@bot": PICTURE,
    "@bot !upscale": PICTURE,
    "@bot hello": "Chat is not set up here",
    "♻️": PICTURE,
    "📜": PICTURE,
    "📋": "Your settings are those of the picture",
    "🌱": "Your seed is",
    "1️⃣": PICTURE,
    "💾": PICTURE,
    "❌": "the post is gone",
}
"""What each line is answered with: a kind, or a text that is in the answer."""

REACTIONS = ("♻️", "📜", "📋", "🌱", "1️⃣", "💾", "❌")
WITH_A_PICTURE = ("@bot in winter", "@bot", "@bot !upscale")


def lines_of_the_page() -> Iterator[str]:
    """The commands, messages and reactions in the last column of the tables, in their order."""
    for row in PAGE.read_text(encoding="utf-8").splitlines():
        if row.startswith("| ") and "---" not in row:
            last = row.strip("| ").rpartition(" | ")[2]
            yield from re.findall(r"`([!@][^`]*)`", last)
            yield from (emoji for emoji in REACTIONS if emoji in last)


def png() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(written, "PNG")
    return written.getvalue()


class Painter(Executor):
    """Draws a red square for whatever draws."""

    def __init__(self, capability: str) -> None:
        self.capability = capability  # type: ignore[misc]

    def models(self) -> Sequence[str]:
        return ["tron/shapes"]

    def run(self, params: Any, ctx: ExecutionContext) -> dict[str, Any]:
        ctx.artifact("image-1.png", "image/png", png())
        seed = getattr(params, "seed", 0)
        return {"seeds": [seed], "model": "tron/shapes", "steps": 20, "width": 16, "height": 16}


class Writer(Executor):
    capability = "llm"

    def models(self) -> Sequence[str]:
        return ["writer"]

    def run(self, params: Any, ctx: ExecutionContext) -> dict[str, Any]:
        return {"text": "It is written.", "tokens": 4, "tokens_per_second": 4.0, "model": "writer"}


class Speaker(Executor):
    capability = "tts"

    def choices(self) -> dict[str, list[str]]:
        return {"voice": ["en_US-joe-medium"]}

    def run(self, params: Any, ctx: ExecutionContext) -> dict[str, Any]:
        sound = io.BytesIO()
        with wave.open(sound, "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes(bytes(3200))
        ctx.artifact("speech.wav", "audio/x-wav", sound.getvalue())
        return {"voice": "en_US-joe-medium", "seconds": 0.1}


class Author:
    """Another plugin, which writes prompts."""

    @tron.hookimpl(optionalhook=True, tryfirst=True)
    async def tron_write_image_prompt(self, theme: str) -> str:
        return theme or "anything"


class Visit:
    """Somebody who may manage the server, and what they are answered."""

    def __init__(self, discord: FakeDiscord) -> None:
        self.channel: Place = discord.general
        self.member: Member = discord.member("manager")
        self.member.give(discord.add_role("managers", MANAGE_GUILD))

    async def next(self, message: int) -> Reply:
        """The next answer to a message, once it is complete; further pages of an answer before are passed over."""
        reply = await self.channel.next_reply(PATIENCE)
        while reply.answers != message:
            reply = await self.channel.next_reply(PATIENCE)
        return await reply.until(lambda each: "Delete" in each.buttons or "Cancel" not in each.buttons, PATIENCE)

    async def send(self, line: str) -> list[Reply]:
        """Do what a line of the page says; the answers."""
        if line in REACTIONS:
            message = await self.member.say("!generate a red fox")
            drawn = await self.next(message.id)
            await drawn.react(line)
            if line != "❌":
                return [await self.next(drawn.id)]
            await drawn.until(lambda each: each.deleted, PATIENCE)
            return []
        files = {"fox.png": png()} if line in WITH_A_PICTURE else {}
        message = await self.member.say(line.replace("#general", f"<#{self.channel.id}>"), files=files)
        times = {"!generate-x 2 a red fox": 2, "!generate-random-x 2 lighthouses": 2, "!generate-random-x": 3}
        return [await self.next(message.id) for _ in range(1 + times.get(line, 0))]


@pytest.fixture
async def visit(tmp_path: Path) -> AsyncIterator[Visit]:
    PLUGINS["stable-diffusion"].the_plugin.cache_clear()
    plugins = Plugins({"stable-diffusion": {"huggingface_url": "http://127.0.0.1:9"}}, folder=tmp_path)
    for name, plugin in PLUGINS.items():
        record = plugins.register(name, plugin)
        assert record.state == "active", record.reason
    plugins.register("author", Author())
    discord = FakeDiscord()
    drawing = [Painter(capability) for capability in ("txt2img", "img2img", "upscale")]
    visit = Visit(discord)
    async with staged(tmp_path, plugins, [*drawing, Writer(), Speaker()], discord=discord):
        yield visit


def test_the_test_knows_every_line_of_the_page() -> None:
    assert list(lines_of_the_page()) == list(ANSWERS)


async def test_every_line_is_answered_as_the_page_means_it(visit: Visit) -> None:
    wrong = []
    for line, expected in ANSWERS.items():
        replies = await visit.send(line)
        if not fits(replies, expected):
            wrong.append(f"{line}: {replies}, not {expected!r}")
    assert not wrong, "\n".join(wrong)


def fits(replies: list[Reply], expected: str | re.Pattern[str]) -> bool:
    names = [file.filename for reply in replies for file in reply.attachments]
    if expected == "the post is gone":
        return not replies
    if expected in (PICTURE, PICTURES):
        wanted = 1 if expected == PICTURE else len(replies) - 1
        return len([name for name in names if name.endswith(".png")]) == wanted
    if expected == SPEECH:
        return any(name.endswith(".wav") for name in names)
    text = replies[-1].content
    return expected in text if isinstance(expected, str) else expected.search(text) is not None
