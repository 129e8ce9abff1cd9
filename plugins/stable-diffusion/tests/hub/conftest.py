"""A stage for the hub's half: a hub with the plugin on a fake Discord, and a worker that only seems to draw."""

from __future__ import annotations

import io
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import tron_core as tron
import tron_plugin_stable_diffusion
from tron_core.plugins import Plugins
from tron_core.storage import migrations
from tron_core.testing.discord import FakeDiscord, Member, Place, Reply
from tron_core.testing.discord.stage import staged
from tron_core.testing.discord.world import MANAGE_GUILD
from tron_core.worker import ExecutionContext, Executor
from tron_plugin_stable_diffusion import PictureParams

SHAPES = "tron/shapes"
SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5"
SDXL = "stabilityai/stable-diffusion-xl-base-1.0"


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "PNG")
    return buffer.getvalue()


@dataclass
class Painter(Executor):
    """Paints a red square whatever is asked, and keeps what was asked. ``says`` is added to the output."""

    capability = "txt2img"
    has: Sequence[str] = (SHAPES,)
    says: dict[str, Any] = field(default_factory=dict)
    asked: list[PictureParams] = field(default_factory=list)

    def models(self) -> Sequence[str]:
        return self.has

    def run(self, params: PictureParams, ctx: ExecutionContext) -> dict[str, Any]:
        self.asked.append(params)
        for number in range(1, params.count + 1):
            ctx.artifact(f"image-{number}.png", "image/png", png())
        return {
            "seeds": [params.seed + number for number in range(params.count)],
            "model": params.model or self.has[0],
            "steps": params.steps,
            "width": 128,
            "height": 128,
            **self.says,
        }


class Writer:
    """Another plugin, which writes prompts unless it has no idea."""

    def __init__(self) -> None:
        self.themes: list[str] = []
        self.idea: str | None = "an owl on a {theme}, number {number}"

    @tron.hookimpl(optionalhook=True)
    async def tron_write_image_prompt(self, theme: str) -> str | None:
        self.themes.append(theme)
        return self.idea and self.idea.format(theme=theme, number=len(self.themes))


class Watcher:
    """Another plugin, which sees every request as the hub takes it, and hands out its App."""

    app: tron.App

    def __init__(self) -> None:
        self.requests: list[tron.JobRequest] = []

    @tron.hookimpl
    async def tron_startup(self, app: tron.App) -> None:
        self.app = app

    @tron.hookimpl(trylast=True)
    async def tron_job_submitting(self, request: tron.JobRequest) -> None:
        self.requests.append(request)


@dataclass
class Stage:
    """Who is there. ``alice`` is a member, ``manager`` may manage the server."""

    discord: FakeDiscord
    painter: Painter
    writer: Writer
    watcher: Watcher
    alice: Member
    manager: Member

    @property
    def general(self) -> Place:
        return self.discord.general

    async def say(self, text: str, by: Member | None = None) -> Reply:
        """Somebody's words, and the first message that answers them, when it is complete."""
        await (by or self.alice).say(text)
        reply = await self.general.next_reply()
        return await reply.until(is_over)

    async def answer(self, text: str, by: Member | None = None) -> str:
        return (await self.say(text, by)).content

    async def drew(self, count: int) -> None:
        """Wait until the worker was asked so often."""
        await self.discord.server.world.until(lambda: len(self.painter.asked) >= count, 10, f"job {count}")

    @property
    def drawn(self) -> PictureParams:
        """What was asked of the worker last."""
        return self.painter.asked[-1]


def is_over(reply: Reply) -> bool:
    """Whether a job's end, or a refusal, is shown."""
    return (
        reply.content.startswith("⚠️")
        or any(label in reply.buttons for label in ("Again", "Retry"))
        or (not reply.buttons and "ueued" not in reply.content and bool(reply.content))
    )


MakeStage = Callable[..., Awaitable[Stage]]


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables, to be copied."""
    folder = tmp_path_factory.mktemp("database")
    for applied in migrations.upgrade("sqlite:///tron.db", folder):
        assert applied.error is None, applied
    return folder / "tron.db"


@pytest.fixture
async def make_stage(tmp_path: Path, empty_database: Path) -> AsyncIterator[MakeStage]:
    """Makes a stage: with the models of its worker (none: no worker), and the plugin's section of tron.toml."""
    async with AsyncExitStack() as stack:

        async def make(models: Sequence[str] = (SHAPES,), *, nsfw: bool = False, **section: Any) -> Stage:
            shutil.copyfile(empty_database, tmp_path / "tron.db")
            discord, painter, writer, watcher = FakeDiscord(), Painter(has=models), Writer(), Watcher()
            discord.general.channel.nsfw = nsfw
            manager = discord.member("manager")
            manager.give(discord.add_role("managers", MANAGE_GUILD))
            tron_plugin_stable_diffusion.the_plugin.cache_clear()
            plugins = Plugins({"stable-diffusion": section}, folder=tmp_path)
            record = plugins.register("stable-diffusion", tron_plugin_stable_diffusion)
            assert record.state == "active", record.reason
            plugins.register("writer", writer)
            plugins.register("watcher", watcher)
            await stack.enter_async_context(staged(tmp_path, plugins, [painter] if models else [], discord=discord))
            return Stage(discord, painter, writer, watcher, discord.member("alice"), manager)

        yield make


@pytest.fixture
async def stage(make_stage: MakeStage) -> Stage:
    """A stage whose worker has the small model alone, and nothing set."""
    return await make_stage()
