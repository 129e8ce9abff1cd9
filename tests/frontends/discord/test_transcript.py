"""The page of the documentation that shows what a member sees. ``TRON_UPDATE_DOCS=1`` writes it anew."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import tron_core as tron
from tron_core.plugins import Plugins
from tron_core.testing.discord import Member, Reply
from tron_core.testing.discord.stage import staged
from tron_core.worker import ExecutionContext, Executor

sys.path.append(str(Path(__file__).parent))  # the module beside this one is in no package
from drawing import Said, as_svg, as_text

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "explanation" / "discord-transcript.txt"
PICTURE = ROOT / "docs" / "images" / "discord.svg"
PNG = (ROOT / "tests" / "data" / "harbour.png").read_bytes()


class GenerateParams(tron.Params):
    prompt: str = tron.Prompt("What to paint")
    steps: int = tron.Setting(30, ge=1, le=50)
    seed: int | None = tron.Setting(None)


class Generate(tron.Capability):
    """Stands in for a model of pictures: what it shows is not what the page is about."""

    name = "generate"
    command = tron.Command("generate", summary="Paint a picture")
    params = GenerateParams

    def expected_seconds(self, params: Any) -> float:
        return 40.0

    async def handle_result(self, job: tron.Job, result: tron.Result) -> tron.Reply:
        seed = result.output["seed"]
        vary = tron.Action("New seed", "generate", {**job.params, "seed": seed + 1}, emoji="🌱")
        return tron.Reply(text=f"{job.params['prompt']}\n-# seed {seed}", actions=[vary])


class GenerateExecutor(Executor):
    capability = "generate"

    def __init__(self) -> None:
        self.held = asyncio.Semaphore(0)

    async def run(self, params: GenerateParams, ctx: ExecutionContext) -> Mapping[str, Any]:
        for step in (12, 30):
            await self.held.acquire()
            ctx.progress(step / params.steps, step=step, steps=params.steps)
        ctx.artifact("picture.png", "image/png", PNG)
        return {"seed": params.seed or 7}


class Plugin:
    @tron.hookimpl
    def tron_register_capabilities(self) -> list[tron.Capability]:
        return [Generate()]


def seen(reply: Reply, asked: str) -> Said:
    """A message as it came to be: each state once, without what differs from run to run."""
    states = [re.sub(r" · about \d+ \w+", "", state) for state in reply.history]
    states = [re.sub(r"about \d+ \w+", "about 40 s", state) for state in states]
    pictures = [file.data for file in reply.attachments]
    buttons = [f"{reply.button(label)['emoji']['name']} {label}" for label in reply.buttons]
    return Said("TRON", list(dict.fromkeys(states)), buttons, asked, pictures)


async def working(member: Member) -> Reply:
    """A job that keeps the worker busy, so that the next one waits."""
    await member.say("!generate something")
    reply = await member.place.next_reply()
    return await reply.until("0% · worker-1")


async def finished(reply: Reply, executor: GenerateExecutor) -> None:
    """Let the job of ``reply`` end."""
    for _ in range(2):
        executor.held.release()
    await reply.until(lambda each: "Again" in each.buttons)


async def test_the_page_shows_what_a_member_sees(tmp_path: Path) -> None:
    plugins, executor = Plugins(strict=True), GenerateExecutor()
    plugins.register("pictures", Plugin())
    async with staged(tmp_path, plugins, [executor]) as discord:
        alice, bob = discord.member("alice"), discord.member("bob", discord.add_channel("elsewhere"))
        asked = "!generate a harbour at dusk --seed 7"
        ahead = await working(bob)
        await alice.say(asked)
        first = await discord.general.next_reply()
        await finished(ahead, executor)
        await first.until("0% · worker-1")
        executor.held.release()
        await first.until("step 12 of 30")
        executor.held.release()
        await first.until(lambda reply: "Again" in reply.buttons)
        ahead = await working(bob)
        again = await first.click("Again")
        await finished(ahead, executor)
        await again.until("0% · worker-1")
        await finished(again, executor)
    conversation = [
        Said("alice", [asked]),
        seen(first, "alice"),
        Said("alice", ["presses Again"]),
        seen(again, ""),
    ]
    shown, drawn = as_text(conversation), as_svg(conversation)
    if os.environ.get("TRON_UPDATE_DOCS") == "1":
        PAGE.write_text(shown, encoding="utf-8")
        PICTURE.write_text(drawn, encoding="utf-8")
    if shown != PAGE.read_text(encoding="utf-8") or drawn != PICTURE.read_text(encoding="utf-8"):
        pytest.fail(f"The documentation shows something else; run this with TRON_UPDATE_DOCS=1.\n\n{shown}")
