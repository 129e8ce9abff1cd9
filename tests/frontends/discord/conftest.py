"""A fake Discord, the real discord.py, and the real hub in between, with one plugin whose capabilities run on it."""

from __future__ import annotations

import asyncio
import base64
import enum
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from sqlalchemy import MetaData

import tron_core as tron
from tron_core.app import Hub
from tron_core.config import Loaded, Settings
from tron_core.hooks import hookimpl
from tron_core.plugins import Plugins
from tron_core.storage import migrations
from tron_core.testing.discord import TOKEN, FakeDiscord, Member, Place
from tron_core.worker.context import ExecutionContext, ExecutorError

PNG = (Path(__file__).parents[2] / "data" / "harbour.png").read_bytes()


OGG = b"OggS\x00\x02" + bytes(20) + b"\x01\x13OpusHead" + bytes(100)


class Mood(enum.StrEnum):
    CALM = "calm"
    LOUD = "loud"


class EchoParams(tron.Params):
    text: str = tron.Prompt("What to say back")
    times: int = tron.Setting(1, ge=1, le=5, help="How often")
    mood: Mood = tron.Setting(Mood.CALM)
    voice: str | None = tron.Setting(None, help="Who says it")
    scale: Literal[1, 2] = tron.Setting(1)


class Echo(tron.Capability):
    """Says it back at once; a text that names a number of characters is that long."""

    name = "echo"
    command = tron.Command("echo", aliases=["say"], summary="Say it back", example="hello --times 2", split_lines=True)
    params = EchoParams
    runs_on = "hub"

    def choices(self, field: str) -> list[str]:
        return ["alto", "bass", "tenor"] if field == "voice" else []

    async def run(self, params: Any, ctx: ExecutionContext) -> Mapping[str, Any]:
        if params.text.isdecimal():
            return {"text": "word " * (int(params.text) // 5)}
        words = [params.text.upper() if params.mood is Mood.LOUD else params.text] * params.times
        return {"text": " ".join([*words, f"({params.voice})"] if params.voice else words)}

    async def handle_result(self, job: tron.Job, result: tron.Result) -> tron.Reply:
        twice = tron.Action("Twice", "echo", {**job.params, "times": 2}, emoji="♻️")
        mine = tron.Action("Mine", "echo", dict(job.params), owner_only=True)
        return tron.Reply(text=result.output["text"], actions=[twice, mine])


class PaintParams(tron.Params):
    prompt: str = tron.Prompt("What to paint")
    image: tron.Attachment | None = tron.Input("Like this", accept="image/*", default=None)
    steps: int = tron.Setting(4, ge=1, le=50)
    model: str | None = tron.Setting(None)


class Paint(tron.Capability):
    """Paints step by step, as fast as the test lets it."""

    name = "paint"
    command = tron.Command("paint", summary="Paint a picture")
    params = PaintParams
    runs_on = "hub"

    def __init__(self) -> None:
        self.brush = asyncio.Semaphore(0)
        self.failure: str | None = None
        self.padding = 0

    def requirements(self, params: Any) -> tron.Requirements:
        return tron.Requirements()

    def let(self, steps: int) -> None:
        """Let so many steps happen."""
        for _ in range(steps):
            self.brush.release()

    async def run(self, params: Any, ctx: ExecutionContext) -> Mapping[str, Any]:
        for step in range(1, params.steps + 1):
            await self.brush.acquire()
            ctx.progress(step / params.steps, step=step, steps=params.steps)
        if self.failure is not None:
            raise ExecutorError(self.failure, "invalid")
        ctx.artifact("picture.png", "image/png", PNG + bytes(self.padding))
        return {"text": f"painted {params.prompt}"}


class FrameParams(tron.Params):
    image: tron.Attachment = tron.Input("The picture", accept="image/*")


class Frame(tron.Capability):
    """Puts a frame around a picture, from the menu of any message too."""

    name = "frame"
    command = tron.Command("frame", summary="Frame a picture", menu="Frame it")
    params = FrameParams
    runs_on = "hub"

    async def run(self, params: Any, ctx: ExecutionContext) -> Mapping[str, Any]:
        return {"text": f"framed {len(ctx.input('image').path.read_bytes())} bytes"}


class WriteParams(tron.Params):
    prompt: str = tron.Prompt("What about")


class Write(tron.Capability):
    """Writes word by word."""

    name = "write"
    command = tron.Command("write", summary="Write a text", flags="leading")
    params = WriteParams
    runs_on = "hub"

    def __init__(self) -> None:
        self.pen = asyncio.Semaphore(0)

    async def run(self, params: Any, ctx: ExecutionContext) -> Mapping[str, Any]:
        words = params.prompt.split()
        for word in words:
            await self.pen.acquire()
            ctx.partial(word + " ")
        return {"text": " ".join(words)}


class Slow(tron.Capability):
    """Takes its time: twenty steps."""

    name = "slow"
    command = tron.Command("slow", summary="Take some time")
    params = WriteParams
    runs_on = "hub"
    pause = 0.01

    async def run(self, params: Any, ctx: ExecutionContext) -> Mapping[str, Any]:
        for step in range(1, 21):
            await asyncio.sleep(self.pause)
            ctx.progress(step / 20, step=step, steps=20)
        return {"text": f"done {params.prompt}"}


class AfarParams(tron.Params):
    prompt: str = tron.Prompt("Anything")


class Afar(tron.Capability):
    """Needs a worker, and none is there."""

    name = "afar"
    command = tron.Command("afar", summary="Elsewhere")
    params = AfarParams


class Speak(tron.Capability):
    """Speaks; what it says is no sound, which nobody here listens to."""

    name = "speak"
    command = tron.Command("speak", summary="Say it aloud")
    params = WriteParams
    runs_on = "hub"

    def __init__(self) -> None:
        self.waveform = base64.b64encode(bytes(range(12))).decode()

    async def run(self, params: Any, ctx: ExecutionContext) -> Mapping[str, Any]:
        ctx.artifact("speech.ogg", "audio/ogg", OGG)
        return {"seconds": 1.2}

    async def handle_result(self, job: tron.Job, result: tron.Result) -> tron.Reply:
        voice = tron.VoiceMessage("speech.ogg", result.output["seconds"], self.waveform)
        return tron.Reply(text="spoken", voice=voice)


class StudioPlugin:
    """``claims`` answers messages that are no commands."""

    def __init__(self) -> None:
        self.echo, self.paint, self.write, self.afar = Echo(), Paint(), Write(), Afar()
        self.slow, self.frame, self.speak = Slow(), Frame(), Speak()
        self.heard: list[tron.Message] = []
        self.claims: Callable[[tron.Message], tron.JobRequest | None] = lambda message: None
        self.forgotten: list[str] = []

    @hookimpl
    def tron_register_capabilities(self) -> list[tron.Capability]:
        return [self.echo, self.paint, self.write, self.afar, self.slow, self.frame, self.speak]

    @hookimpl
    async def tron_message(self, message: tron.Message) -> tron.JobRequest | None:
        self.heard.append(message)
        return self.claims(message)

    @hookimpl
    async def tron_stats(self, requester: str) -> str:
        return "You are known."

    @hookimpl
    async def tron_forget_requester(self, requester: str) -> None:
        self.forgotten.append(requester)


@pytest.fixture
def studio() -> StudioPlugin:
    return StudioPlugin()


@pytest.fixture
async def discord() -> AsyncIterator[FakeDiscord]:
    """A Discord that is up; the hub is not connected to it yet."""
    fake = FakeDiscord()
    await fake.server.start()
    yield fake
    await fake.server.stop()


@pytest.fixture
def configured(discord: FakeDiscord) -> dict[str, Any]:
    """The configuration as TOML has it; a test may change it before it asks for ``hub``."""
    return {
        "http": {"port": 0},
        "hub": {"port": 0, "drain_seconds": 0.1},
        "database": {"synchronous": "normal"},
        "discord": {"token": TOKEN, "api_url": discord.api_url},
    }


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with every table: made once, copied for each test."""
    folder = tmp_path_factory.mktemp("migrated")
    migrations.upgrade(f"sqlite:///{folder / 'tron.db'}", folder)
    return folder / "tron.db"


class Hubs:
    """Starts hubs on the same folder, one after the other, as restarts do."""

    def __init__(
        self, folder: Path, database: str, configured: dict[str, Any], studio: StudioPlugin, discord: FakeDiscord
    ) -> None:
        self._folder = folder
        self._database = database
        self._configured = configured
        self._studio = studio
        self._discord = discord

    @asynccontextmanager
    async def running(self, *, connected: bool = True, further: Mapping[str, Any] | None = None) -> AsyncIterator[Hub]:
        """A hub, connected to Discord unless a test is about that; ``further`` are more plugins than the studio."""
        values = self._configured
        values["database"]["url"] = self._database
        plugins = Plugins()
        plugins.register("studio", self._studio, distribution="tron-plugin-studio", version="1.0")
        for name, plugin in (further or {}).items():
            plugins.register(name, plugin)
        loaded = Loaded(Settings.model_validate(values), None, self._folder, {})
        hub = Hub(loaded, plugins=plugins)
        await hub.start()
        try:
            if connected:
                await self._discord.connected()
            yield hub
        finally:
            await hub.stop()


@pytest.fixture
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with every table and nothing in them: SQLite, unless TRON_TEST_DATABASE names another."""
    if os.environ.get("TRON_TEST_DATABASE") != "mariadb":
        shutil.copy(request.getfixturevalue("migrated"), tmp_path / "tron.db")
        yield f"sqlite:///{tmp_path / 'tron.db'}"
        return
    engine = request.getfixturevalue("mariadb_migrated")
    yield engine.url.render_as_string(hide_password=False)
    tables = MetaData()
    tables.reflect(engine)
    with engine.begin() as connection:
        for table in reversed(tables.sorted_tables):
            if not table.name.endswith("_version"):
                connection.execute(table.delete())


@pytest.fixture
def hubs(
    tmp_path: Path, migrated_url: str, configured: dict[str, Any], studio: StudioPlugin, discord: FakeDiscord
) -> Hubs:
    return Hubs(tmp_path, migrated_url, configured, studio, discord)


@pytest.fixture
async def hub(hubs: Hubs) -> AsyncIterator[Hub]:
    """A hub that is connected."""
    async with hubs.running() as hub:
        yield hub


@pytest.fixture
def general(discord: FakeDiscord) -> Place:
    return discord.general


@pytest.fixture
def alice(discord: FakeDiscord) -> Member:
    return discord.member("alice")


@pytest.fixture
def bob(discord: FakeDiscord) -> Member:
    return discord.member("bob")
