"""A stage for the plugin: the hub's real scheduler and database, the plugin on it, and a server that is scripted."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Engine, MetaData, create_engine

import tron_core as tron
from tron_core.clock import SystemClock
from tron_core.config import Settings
from tron_core.plugin_app import PluginApp
from tron_core.plugins import PerPlugin, Plugins
from tron_core.scheduling.bus import LocalBus
from tron_core.scheduling.scheduler import Rules, Scheduler
from tron_core.services import Services
from tron_core.storage import migrations
from tron_core.storage.artifacts import Artifacts, open_store
from tron_core.storage.database import Database
from tron_core.storage.saved_settings import SavedSettings
from tron_plugin_gpt.plugin import GPT

sys.path.append(str(Path(__file__).parent))  # the module beside this one is no test module

from scripted_chat_server import ScriptedServer, running

PATIENCE = 20.0
"""Seconds after which a test stops waiting."""


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables, to be copied."""
    folder = tmp_path_factory.mktemp("database")
    for applied in migrations.upgrade("sqlite:///tron.db", folder):
        assert applied.error is None, applied
    return folder / "tron.db"


@pytest.fixture(scope="session")
def server_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A database with all tables on the server of TRON_TEST_MYSQL_URL, shared by the tests one after the other."""
    server = os.environ.get("TRON_TEST_MYSQL_URL", "mysql+pymysql://root@127.0.0.1:3306/")
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    name = f"tron_test_{secrets.token_hex(6)}"
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    made = create_engine(engine.url.set(database=name))
    for applied in migrations.upgrade(_text(made), tmp_path_factory.mktemp("server")):
        assert applied.error is None, applied
    yield made
    made.dispose()
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name}")
    engine.dispose()


def _text(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with all tables and nothing in them: SQLite, unless TRON_TEST_DATABASE names another."""
    if os.environ.get("TRON_TEST_DATABASE") != "mariadb":
        shutil.copyfile(request.getfixturevalue("empty_database"), tmp_path / "tron.db")
        yield "sqlite:///tron.db"
        return
    engine = request.getfixturevalue("server_database")
    yield _text(engine)
    tables = MetaData()
    tables.reflect(engine)
    with engine.begin() as connection:
        for table in reversed(tables.sorted_tables):
            if not table.name.endswith("_version"):
                connection.execute(table.delete())


@pytest.fixture(scope="session")
def encodings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where tiktoken finds its encodings in these tests, as if an operator had named a folder."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("tiktoken")
        patch.setenv("TIKTOKEN_CACHE_DIR", str(folder))
        yield folder


@dataclass
class Stage:
    """The hub below its frontends, with the plugin."""

    gpt: GPT
    scheduler: Scheduler
    services: Services
    plugins: Plugins

    async def submit(self, text: str, requester: str = "api:alice", capability: str = "chat", **request: Any) -> str:
        """The id of a new job; keyword arguments that are no fields of a request are params."""
        known = {name: request.pop(name) for name in ("guild", "channel", "roles", "requester_name") if name in request}
        params = {"text": text, **request} if text else request
        return (await self.scheduler.submit(tron.JobRequest(capability, params, requester, **known))).job.id

    async def end(self, job: str) -> tron.Job:
        """The job, once it is over and answered."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = (await self.scheduler.get(job)).job
                if found.state.over and (found.reply is not None or found.state != "succeeded"):
                    return found
                await asyncio.sleep(0.005)

    async def reaches(self, job: str, state: str) -> None:
        """Wait until the job is in a state."""
        async with asyncio.timeout(PATIENCE):
            while (await self.scheduler.get(job)).job.state != state:  # noqa: ASYNC110 (it is in the database)
                await asyncio.sleep(0.005)

    async def ask(self, text: str, requester: str = "api:alice", **request: Any) -> tron.Job:
        """A message and its end."""
        return await self.end(await self.submit(text, requester, **request))

    async def say(self, text: str, requester: str = "api:alice", **request: Any) -> str:
        """What a message is answered with."""
        job = await self.ask(text, requester, **request)
        assert job.reply is not None, job.error
        return job.reply.text

    async def hook(self, name: str, **arguments: Any) -> Any:
        """What the plugin answers to a hook."""
        return await getattr(self.gpt, name)(**arguments)


MakeStage = Callable[..., Awaitable[Stage]]


@pytest.fixture
async def make_stage(database_url: str, encodings: Path, tmp_path: Path) -> AsyncIterator[MakeStage]:
    """Makes a stage with a section ``[plugins.gpt]``."""
    closing: list[Callable[[], Awaitable[Any]]] = []

    async def make(now: Callable[[], float] | None = None, **section: Any) -> Stage:
        database = Database(database_url, folder=tmp_path, synchronous="normal")
        await database.start()
        clock, bus, gpt = SystemClock(), LocalBus(), GPT(now=now) if now else GPT()
        plugins = Plugins({"gpt": section}, folder=tmp_path)
        record = plugins.register("gpt", gpt)
        assert record.state == "active", record.reason
        artifacts = Artifacts(database, open_store("file:artifacts", tmp_path, {}), max_bytes=1_000_000, clock=clock)
        saved_settings = SavedSettings(database, clock)
        scheduler = Scheduler(
            plugins=plugins, database=database, artifacts=artifacts, saved_settings=saved_settings, bus=bus,
            clock=clock, rules=Rules(max_queued_per_user=1000),
            sign_ticket=lambda **grant: "ticket", http_url=lambda dialled: "http://hub.test",
        )  # fmt: skip
        services = Services(
            settings=Settings(), folder=tmp_path, config_file=tmp_path / "tron.toml", clock=clock, plugins=plugins,
            database=database, artifacts=artifacts, saved_settings=saved_settings, guild_rules=cast(Any, None),
            auth=cast(Any, None), tickets=cast(Any, None), bus=bus, scheduler=scheduler, workers=cast(Any, None),
        )  # fmt: skip
        for capability in plugins.capabilities.values():
            capability.app = PluginApp("gpt", services)
        await plugins.call_all("tron_startup", app=PerPlugin(lambda plugin: PluginApp(plugin, services)))
        await asyncio.to_thread(gpt.service.encodings.wait, 30)
        await scheduler.start({})
        closing.extend([database.stop, gpt.tron_shutdown, scheduler.stop])
        return Stage(gpt, scheduler, services, plugins)

    yield make
    for close in reversed(closing):
        await close()


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """A server that does as it is told."""
    async with running() as scripted:
        yield scripted


@pytest.fixture
async def stage(make_stage: MakeStage, server: ScriptedServer) -> Stage:
    """A stage that asks the scripted server."""
    return await make_stage(base_url=server.url, api_key="sk-secret")
