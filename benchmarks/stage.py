"""The hub in this process, a worker of the project's own runtime in another, with an executor that does nothing."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tron_core.app import Hub
from tron_core.config import load
from tron_core.plugins import Plugins
from tron_core.services import Services

HUB_HALF = """
import tron_core as tron

class NoopParams(tron.Params):
    text: str = tron.Prompt("Nothing")
    milliseconds: int = tron.Setting(0, ge=0, saved=False, help="How long to sleep")

class Noop(tron.Capability):
    name = "noop"
    command = tron.Command("noop")
    params = NoopParams

@tron.hookimpl
def tron_register_capabilities():
    return [Noop()]
"""
WORKER_HALF = """
import time

from tron_core.worker import Executor, hookimpl
from tron_plugin_noop import NoopParams

class NoopExecutor(Executor):
    capability = "noop"

    def run(self, params: NoopParams, ctx):
        if params.milliseconds:
            time.sleep(params.milliseconds / 1000)
        return {"text": "", "at": time.time()}

@hookimpl
def tron_register_executors():
    return [NoopExecutor()]
"""


def install_noop(folder: Path) -> None:
    """Write the plugin and its metadata to ``folder``, for PYTHONPATH."""
    package = folder / "tron_plugin_noop"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(textwrap.dedent(HUB_HALF))
    (package / "executor.py").write_text(textwrap.dedent(WORKER_HALF))
    info = folder / "tron_plugin_noop-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tron-plugin-noop\nVersion: 1.0\n")
    entries = "[tron.plugins]\nnoop = tron_plugin_noop\n[tron.executors]\nnoop = tron_plugin_noop.executor\n"
    (info / "entry_points.txt").write_text(entries)


@asynccontextmanager
async def stage(folder: Path, *, synchronous: str, slots: int) -> AsyncIterator[Services]:
    """A started hub with one worker connected, in a fresh folder."""
    install_noop(folder / "plugins")
    sys.path.insert(0, str(folder / "plugins"))
    os.environ["TRON_PLUGINS"] = "noop"
    (folder / "tron.toml").write_text(
        f'[hub]\nport = 0\n[http]\nport = 0\n[database]\nsynchronous = "{synchronous}"\n'
        '[scheduling]\nmax_queued_per_user = 1000000\n[logging]\nlevel = "warning"\n'
    )
    loaded = load(folder / "tron.toml")
    hub = Hub(loaded, plugins=Plugins.load(loaded.settings.plugins, folder=folder))
    await hub.start()
    worker = await _start_worker(hub.services, folder, slots)
    try:
        await _until_idle(hub.services)
        yield hub.services
    finally:
        worker.terminate()
        await worker.wait()
        await hub.stop(drain_seconds=1)
        sys.path.remove(str(folder / "plugins"))
        for module in [name for name in sys.modules if name.startswith("tron_plugin_noop")]:
            del sys.modules[module]


async def _start_worker(services: Services, folder: Path, slots: int) -> asyncio.subprocess.Process:
    await services.auth.create_worker_user("bench", "a long enough password")
    api_key, token = await services.auth.create_client_tokens("bench")
    auth = folder / "auth.json"
    auth.write_text(json.dumps({"api_key": api_key, "token": token, "http": services.http_url}))
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tron_core", "worker", "--hub", services.hub_url, "--auth", str(auth)),
        *("--name", "bench", "--slots", str(slots)),
        env={**os.environ, "PYTHONPATH": str(folder / "plugins")},
        stderr=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
    )


async def _until_idle(services: Services) -> None:
    async with asyncio.timeout(30):
        while not services.scheduler.availability("noop").available:  # noqa: ASYNC110 - the hub has no event for it
            await asyncio.sleep(0.05)
