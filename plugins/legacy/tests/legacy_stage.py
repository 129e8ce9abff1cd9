"""A whole hub on real sockets, with this plugin and a plugin whose jobs old workers do, for these tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from old_client import OldClient

import tron_core as tron
import tron_plugin_legacy
from tron_core.app import Hub
from tron_core.config import Loaded, load
from tron_core.plugins import Plugins
from tron_core.services import Services

PATIENCE = 20.0
"""Seconds after which a test stops waiting."""


class DrawParams(tron.Params):
    prompt: str = tron.Prompt("What to draw")
    model: str | None = tron.Setting(None, help="With what")


class Draw(tron.Capability):
    name = "draw"
    command = tron.Command("draw")
    params = DrawParams
    seconds = 60.0

    def requirements(self, params: DrawParams) -> tron.Requirements:
        return tron.Requirements(model=params.model)

    def deadline(self, params: DrawParams) -> float:
        return self.seconds


class SayParams(tron.Params):
    text: str = tron.Prompt("What to say")


class Say(tron.Capability):
    name = "say"
    command = tron.Command("say")
    params = SayParams


class WriteParams(tron.Params):
    prompt: str = tron.Prompt("What to answer")
    way: str | None = tron.Setting(None, help="In the way of what")


class Write(tron.Capability):
    name = "write"
    command = tron.Command("write")
    params = WriteParams

    def requirements(self, params: WriteParams) -> tron.Requirements:
        return tron.Requirements(compatible=(("way", params.way),) if params.way else ())


@dataclass
class OldJob:
    """A LegacyJob, as a plugin that does not know this one writes it."""

    capability: str
    job_type: str
    module: str
    command: str
    told: dict[str, Any] = field(default_factory=dict)
    key: str = "prompt"

    def offer(self) -> Mapping[str, Any]:
        return self.told

    def to_wire(self, params: Mapping[str, Any], inputs: Sequence[tuple[str, str]]) -> Mapping[str, Any] | None:
        way = params.get("way")
        if way is not None and way not in self.told.get("choices", {}).get("way", ()):
            return None
        words = params.get("prompt") or params.get("text")
        return {"module_name": self.module, "module_command": self.command, "prompt": words, "image_prompt": words}

    def to_output(self, params: Mapping[str, Any], answer: Any) -> Mapping[str, Any]:
        files = [{"name": file.name, "seconds": file.seconds, **file.metadata} for file in answer.files]
        return {"text": answer.text, "files": files}


class Studio:
    """A plugin whose jobs old workers do."""

    def __init__(self) -> None:
        self.draw = Draw()
        self.picture = OldJob("draw", "gpu", "image_generation", "generate_image", {"models": ["oil"]})

    @tron.hookimpl
    def tron_register_capabilities(self) -> list[tron.Capability]:
        return [self.draw, Say(), Write()]

    @tron.hookimpl(optionalhook=True)
    def tron_legacy_job(self) -> list[OldJob]:
        return [
            self.picture,
            OldJob("draw", "variation", "image_variation", "promptless_variation"),
            OldJob("say", "tts_bark", "tts_bark", "generate"),
            OldJob("write", "llama", "llama", "predict", {"choices": {"way": []}}),
            OldJob("write", "stablelm", "stablelm", "predict", {"choices": {"way": ["stablelm"]}}),
            OldJob("write", "stablevicuna", "stablevicuna", "predict", {"choices": {"way": ["vicuna"]}}),
            OldJob("write", "ollama", "ollama", "complete", {"choices": {"way": []}}),
        ]


async def until(condition: Callable[[], object], what: str = "it") -> None:
    """Wait for a condition; the loop turns meanwhile."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.005)


class Stage:
    """The hub, and the clients that belong to the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.studio = Studio()
        self.clients: list[OldClient] = []
        self.ports = (0, 0)
        self.grace = 120.0
        self.hub: Hub | None = None

    async def start(self) -> None:
        """Start the hub; once more: at the same ports."""
        loaded = self._configured()
        plugins = Plugins({"legacy": {"resume_grace": self.grace}}, folder=self.folder)
        for name, plugin in (("legacy", tron_plugin_legacy), ("studio", self.studio)):
            record = plugins.register(name, plugin)
            assert record.state == "active", record.reason
        self.hub = Hub(loaded, plugins=plugins)
        await self.hub.start()
        self.ports = tuple(int(url.rpartition(":")[2]) for url in (self.services.hub_url, self.services.http_url))

    def _configured(self) -> Loaded:
        (self.folder / "tron.toml").write_text(
            f"[hub]\nport = {self.ports[0]}\n[http]\nport = {self.ports[1]}\n"
            '[scheduling]\nresume_grace = 0.2\n[database]\nsynchronous = "normal"\n'
        )
        return load(self.folder / "tron.toml")

    async def stop(self) -> None:
        if self.hub is not None:
            await self.hub.stop(drain_seconds=0.0)
            self.hub = None

    @property
    def services(self) -> Services:
        assert self.hub is not None
        return self.hub.services

    @property
    def clients_of_plugin(self) -> Any:
        """What the plugin holds for this hub."""
        return tron_plugin_legacy._clients

    async def credential(self, username: str = "gpu-1") -> tuple[dict[str, Any], dict[str, Any]]:
        """Both blocks of a new credential for old workers."""
        if username not in {user.username for user in await self.services.auth.list_users()}:
            await self.services.auth.create_worker_user(username, "a long password")
        key, token = await self.services.auth.create_client_tokens(username, plugin="legacy")
        return key, {**token, "scopes": None}

    async def client(
        self, username: str = "gpu-1", credential: tuple[Any, Any] | None = None, *, start: bool = True, **options: Any
    ) -> OldClient:
        """A client, connected and registered."""
        key, ticket = credential or await self.credential(username)
        made = OldClient(self.services.hub_url, self.services.http_url, ticket, key["api_key"], **options)
        self.clients.append(made)
        if start:
            made.start()
            await until(lambda: made.worker_id in self.workers, f"{made.worker_id} to be there")
        return made

    @property
    def workers(self) -> dict[str, Any]:
        """What the hub shows of its workers, without itself."""
        return {view.name: view for view in self.services.scheduler.workers() if view.name != "hub"}

    async def submit(self, capability: str = "draw", **params: Any) -> str:
        request = tron.JobRequest(capability, params or {"prompt": "a cat"}, "api:alice")
        return (await self.services.scheduler.submit(request)).job.id

    async def job(self, job: str) -> tron.Job:
        return (await self.services.scheduler.get(job)).job

    async def end(self, job: str) -> tron.Job:
        """The job, once it is over and answered."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not ((found := await self.job(job)).state.over and found.reply is not None):
            assert asyncio.get_running_loop().time() < deadline, f"waited in vain for {found}"
            await asyncio.sleep(0.005)
        return found

    async def close(self) -> None:
        for client in self.clients:
            await asyncio.to_thread(client.kill)
        await self.stop()
