"""A worker that draws with a scripted engine, and a Discord whose hub has the plugins that a test asks for."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tron_core.storage import migrations
from tron_core.testing import RecordingContext
from tron_core.testing.discord import FakeDiscord, Member, Place, Reply
from tron_core.testing.discord.stage import staged
from tron_core.worker import Executor
from tron_plugin_img2img import Img2ImgParams
from tron_plugin_img2img.executor import ImageToImageExecutor
from tron_plugin_stable_diffusion.executor import TextToImageExecutor
from tron_plugin_stable_diffusion.pipelines import process_cache
from tron_plugin_stable_diffusion.sources import PictureConfig
from tron_plugin_upscale.config import UpscaleConfig
from tron_plugin_upscale.executor import UpscaleExecutor

sys.path.append(str(Path(__file__).parent))  # sketching is no test module

from sketching import PATIENCE, PLUGINS, SketchingEngine, plugins_of


@dataclass
class Studio:
    """A worker's executors with one model, ``sketch``, whose engine is ``engine``."""

    engine: SketchingEngine
    text: TextToImageExecutor
    image: ImageToImageExecutor
    folder: Path

    def file(self, name: str, data: bytes) -> Path:
        """A file beside the others."""
        path = self.folder / name
        path.write_bytes(data)
        return path

    def draw(self, picture: Path, mask: Path | None = None, **params: object) -> RecordingContext:
        """Have ``picture`` drawn anew; the output goes to ``ctx.output``."""
        inputs = {"image": picture, **({"mask": mask} if mask else {})}
        ctx = RecordingContext(self.folder, inputs=inputs)
        asked = Img2ImgParams.model_validate({"image": "up-1", "seed": 1, "steps": 3, **params})
        self.output = self.image.run(asked, ctx)
        return ctx


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    model = tmp_path / "sketch"
    model.mkdir()
    (model / "model_index.json").write_text("{}")
    (model / "unet.onnx").write_bytes(b"never read: the engine is in memory already")
    config = PictureConfig.model_validate({"models": {"sketch": str(model)}, "engine": "onnx"})
    engine, text, image = SketchingEngine("sketch"), TextToImageExecutor(), ImageToImageExecutor()
    text.options = image.options = config
    process_cache().get("sketch", lambda: engine, needs_mb=0, budget_mb=1000)
    yield Studio(engine, text, image, tmp_path)
    process_cache().close_all()


@dataclass
class Stage:
    """Who is there, and what draws."""

    discord: FakeDiscord
    alice: Member
    bob: Member
    engine: SketchingEngine

    @property
    def channel(self) -> Place:
        return self.discord.general

    async def next(self) -> Reply:
        """The next answer, when it is complete."""
        reply = await self.channel.next_reply(PATIENCE)
        return await reply.until(lambda each: each.buttons[-1:] == ["Delete"] or each.content.startswith("⚠️"), PATIENCE)

    async def say(self, text: str, **files: bytes) -> Reply:
        """What Alice is answered, when it is complete. The files are named by the keywords."""
        await self.alice.say(text, files={f"{name}.png": data for name, data in files.items()})
        return await self.next()


MakeStage = Callable[..., Awaitable[Stage]]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with every table: made once, copied for each test."""
    folder = tmp_path_factory.mktemp("migrated")
    migrations.upgrade("sqlite:///tron.db", folder)
    return folder / "tron.db"


@pytest.fixture
async def make_stage(tmp_path: Path, migrated: Path, studio: Studio) -> AsyncIterator[MakeStage]:
    """Makes a stage with the plugins of the given names, on hub and worker."""
    shutil.copy(migrated, tmp_path / "tron.db")
    upscale = UpscaleExecutor()
    upscale.options = UpscaleConfig(threads=1)
    async with AsyncExitStack() as stack:

        async def make(*names: str) -> Stage:
            able: dict[str, Executor] = {
                "img2img": studio.image,
                "stable-diffusion": studio.text,
                "upscale": upscale,
            }
            discord = FakeDiscord()
            executors = [able[name] for name in names if name in able]
            await stack.enter_async_context(staged(tmp_path, plugins_of(*names), executors, discord=discord))
            return Stage(discord, discord.member("alice"), discord.member("bob"), studio.engine)

        yield make


@pytest.fixture
async def stage(make_stage: MakeStage) -> Stage:
    """All three plugins."""
    return await make_stage(*PLUGINS)
