"""The http frontend on the hub's real services: one plugin whose capabilities run on the hub, users, and clients."""

from __future__ import annotations

import asyncio
import enum
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

import tron_core as tron
from tron_core.auth.passwords import Passwords
from tron_core.auth.principal import Scope
from tron_core.auth.service import Auth
from tron_core.auth.tickets import Tickets
from tron_core.clock import SystemClock
from tron_core.config import Settings
from tron_core.frontends.http.app import build, state_for
from tron_core.frontends.http.frontend import HttpFrontend
from tron_core.frontends.http.state import HttpState
from tron_core.hooks import hookimpl
from tron_core.plugin_app import PluginApp
from tron_core.plugins import Plugins
from tron_core.scheduling.bus import LocalBus
from tron_core.scheduling.scheduler import Rules, Scheduler
from tron_core.services import Services
from tron_core.storage.artifacts import Artifacts, open_store
from tron_core.storage.database import Database
from tron_core.storage.guild_rules import GuildRules
from tron_core.storage.saved_settings import SavedSettings
from tron_core.worker.context import ExecutionContext, ExecutorError

BASE = "http://hub.test"


class Mood(enum.StrEnum):
    CALM = "calm"
    LOUD = "loud"


class EchoParams(tron.Params):
    text: str = tron.Prompt("What to say back")
    times: int = tron.Setting(1, ge=1, le=5, help="How often")
    mood: Mood = tron.Setting(Mood.CALM)
    voice: str | None = tron.Setting(None)


class Echo(tron.Capability):
    """Says it back; offers to say it again."""

    name = "echo"
    command = tron.Command("echo", aliases=["say"], summary="Say it back")
    params = EchoParams
    runs_on = "hub"

    def choices(self, field: str) -> list[str]:
        return ["alto", "bass"] if field == "voice" else []

    async def run(self, params: Any, ctx: ExecutionContext) -> Mapping[str, Any]:
        ctx.progress(0.5, "halfway", step=1, steps=2)
        ctx.partial(params.text)
        ctx.artifact("said.txt", "text/plain", params.text.encode())
        return {"text": " ".join([params.text] * params.times)}

    async def handle_result(self, job: tron.Job, result: tron.Result) -> tron.Reply:
        again = tron.Action("Again", "echo", {"text": "again"}, emoji="🔁")
        return tron.Reply(text=result.output["text"], actions=[again])


class HeldParams(tron.Params):
    image: tron.Attachment | None = tron.Input("A picture", accept="image/*", default=None)


class Held(tron.Capability):
    """Runs until the test lets go of it; fails where the test says so."""

    name = "held"
    command = tron.Command("held", summary="Wait")
    params = HeldParams
    runs_on = "hub"

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.failure: str | None = None

    async def run(self, params: Any, ctx: ExecutionContext) -> Mapping[str, Any]:
        await self.release.wait()
        if self.failure is not None:
            raise ExecutorError(self.failure, "invalid")
        return {"text": "done"}


class AfarParams(tron.Params):
    prompt: str = tron.Prompt("Anything")


class Afar(tron.Capability):
    """Needs a worker, and none is there."""

    name = "afar"
    command = tron.Command("afar", summary="Elsewhere")
    params = AfarParams


class TestPlugin:
    def __init__(self) -> None:
        self.echo, self.held, self.afar = Echo(), Held(), Afar()

    @hookimpl
    def tron_register_capabilities(self) -> list[tron.Capability]:
        return [self.echo, self.held, self.afar]


TestPlugin.__test__ = False  # type: ignore[attr-defined]


@pytest.fixture
def dialect() -> str:
    """What HTTP says does not depend on the database: SQLite, unless TRON_TEST_DATABASE names another."""
    return os.environ.get("TRON_TEST_DATABASE", "sqlite")


@pytest.fixture
def settings() -> Settings:
    return Settings.model_validate(
        {"http": {"port": 0}, "limits": {"upload_bytes": 3_000_000, "picture_pixels": 10_000}}
    )


@pytest.fixture
def plugin() -> TestPlugin:
    return TestPlugin()


@pytest.fixture
def plugins(plugin: TestPlugin) -> Plugins:
    plugins = Plugins()
    plugins.register("test", plugin, distribution="tron-plugin-test", version="1.0")
    return plugins


@pytest.fixture
async def services(settings: Settings, database: Database, plugins: Plugins, tmp_path: Path) -> AsyncIterator[Services]:
    clock, bus = SystemClock(), LocalBus()
    store = open_store("file:artifacts", tmp_path, {})
    artifacts = Artifacts(database, store, max_bytes=settings.limits.upload_bytes, clock=clock)
    saved_settings = SavedSettings(database, clock)
    tickets = await Tickets.load(database, clock)
    scheduler = Scheduler(
        plugins=plugins,
        database=database,
        artifacts=artifacts,
        saved_settings=saved_settings,
        bus=bus,
        clock=clock,
        rules=Rules(),
        sign_ticket=tickets.sign,
        http_url=lambda dialled: BASE,
    )
    services = Services(
        settings=settings,
        folder=tmp_path,
        config_file=tmp_path / "tron.toml",
        clock=clock,
        plugins=plugins,
        database=database,
        artifacts=artifacts,
        saved_settings=saved_settings,
        guild_rules=GuildRules(database, clock),
        auth=Auth(database, clock, passwords=Passwords(memory_kib=8, time_cost=1)),
        tickets=tickets,
        bus=bus,
        scheduler=scheduler,
        workers=cast(Any, None),  # the http frontend asks the scheduler about workers
        ready=lambda: True,
    )
    for name, capability in plugins.capabilities.items():
        capability.app = PluginApp(plugins.plugin_of(name), services)
    await bus.start()
    await scheduler.start({})
    yield services
    await scheduler.stop()
    await bus.stop()


@pytest.fixture
def state(services: Services) -> HttpState:
    return state_for(services)


@dataclass
class Caller:
    """A user's api key, and the headers that speak for them."""

    username: str
    client_id: str
    api_key: str
    refresh_token: str
    headers: dict[str, str]


SignUp = Callable[..., Awaitable[Caller]]


@pytest.fixture
def sign_up(services: Services) -> SignUp:
    """Makes a user with a first pair of tokens."""

    async def make(username: str, scope: Scope = Scope.USER) -> Caller:
        await services.auth.create_user(username, "a long password", scope=scope)
        key, token = await services.auth.create_client_tokens(username)
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        return Caller(username, key["client_id"], key["api_key"], token["refresh_token"], headers)

    return make


async def until(get: Callable[[], Awaitable[Any]], reached: Callable[[Any], bool], seconds: float = 10) -> Any:
    """What ``get`` gives once it has ``reached`` a condition."""
    async with asyncio.timeout(seconds):
        while not reached(found := await get()):  # noqa: ASYNC110 (what is waited for is behind HTTP)
            await asyncio.sleep(0.01)
    return found


Until = Callable[..., Awaitable[Any]]


@pytest.fixture(name="until")
def until_fixture() -> Until:
    return until


@pytest.fixture
async def nobody(state: HttpState) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token."""
    transport = httpx.ASGITransport(app=await build(state))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        yield client


def speaking_for(caller: Caller, client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client of the same app with the caller's token, below /api/v1."""
    transport = client._transport
    return httpx.AsyncClient(transport=transport, base_url=f"{BASE}/api/v1", headers=caller.headers)


@pytest.fixture
async def alice(nobody: httpx.AsyncClient, sign_up: SignUp) -> AsyncIterator[httpx.AsyncClient]:
    async with speaking_for(await sign_up("alice"), nobody) as client:
        yield client


@pytest.fixture
async def bob(nobody: httpx.AsyncClient, sign_up: SignUp) -> AsyncIterator[httpx.AsyncClient]:
    async with speaking_for(await sign_up("bob"), nobody) as client:
        yield client


@pytest.fixture
async def admin(nobody: httpx.AsyncClient, sign_up: SignUp) -> AsyncIterator[httpx.AsyncClient]:
    async with speaking_for(await sign_up("root", Scope.ADMIN), nobody) as client:
        yield client


@pytest.fixture
async def frontend(services: Services) -> AsyncIterator[HttpFrontend]:
    """The frontend on a port of its own."""
    frontend = HttpFrontend(services)
    await frontend.start()
    yield frontend
    await frontend.stop()


@pytest.fixture
async def wire(frontend: HttpFrontend, services: Services, sign_up: SignUp) -> AsyncIterator[httpx.AsyncClient]:
    """A user's client over a real connection."""
    caller = await sign_up("carol")
    async with httpx.AsyncClient(base_url=f"{services.http_url}/api/v1", headers=caller.headers) as client:
        yield client
