"""The composition root: builds the hub's services, starts them in order, stops them in the opposite one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

from tron_core.api import ArtifactStore, Frontend, StoreFactory, WorkerProtocol
from tron_core.auth.service import Auth
from tron_core.auth.tickets import Tickets
from tron_core.auth.tls import HubTls
from tron_core.clock import Clock, SystemClock
from tron_core.config import FILE, Loaded, Settings, cannot_listen, is_loopback
from tron_core.errors import ConfigError
from tron_core.frontends.http.frontend import HttpFrontend
from tron_core.hooks import hookimpl
from tron_core.hub.gate import MAX_WAITING, MAX_WAITING_PER_ADDRESS
from tron_core.hub.server import WorkerServer
from tron_core.hub.session import Terms
from tron_core.hub.tron_v1 import TronV1
from tron_core.plugin_app import PluginApp
from tron_core.plugins import PerPlugin, Plugins
from tron_core.run_file import RunFile
from tron_core.scheduling.bus import Bus, LocalBus
from tron_core.scheduling.scheduler import Rules, Scheduler
from tron_core.services import Services
from tron_core.storage import migrations
from tron_core.storage.artifacts import Artifacts, open_store
from tron_core.storage.database import Database
from tron_core.storage.guild_rules import GuildRules
from tron_core.storage.saved_settings import SavedSettings

COLLECT_EVERY = 3600.0
"""Seconds between two removals of artifacts that are too old."""
STARTUP_LIMIT = 60.0
"""Seconds that a plugin's start-up hook has."""

logger = logging.getLogger(__name__)


class BuiltIn:
    """The core's own frontend and worker protocol: registered through the same hooks as anybody's."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    @hookimpl
    def tron_register_frontends(self) -> list[Frontend]:
        services = self._hub.services
        frontends: list[Frontend] = [HttpFrontend(services)]
        if services.settings.discord.token is not None:
            # Imported here: who has no bot does without discord.py.
            from tron_core.frontends.discord.frontend import DiscordFrontend

            frontends.append(DiscordFrontend(services))
        return frontends

    @hookimpl
    def tron_register_worker_protocols(self) -> list[WorkerProtocol]:
        return [self._hub.tron_v1()]


class Hub:
    """One hub. ``services`` is there from ``start`` on.

    ``start`` either succeeds or raises with everything closed again: ConfigError where the configuration or the
    schema cannot be used.
    """

    services: Services

    def __init__(self, loaded: Loaded, *, plugins: Plugins, clock: Clock | None = None) -> None:
        self._loaded = loaded
        self._plugins = plugins
        self._clock = clock or SystemClock()
        self._frontends: dict[str, Frontend] = {}
        self._stack = contextlib.AsyncExitStack()

    @property
    def settings(self) -> Settings:
        return self._loaded.settings

    async def start(self) -> None:
        """Bring everything up, in the order in which one part needs another."""
        try:
            await self._open_storage()
            await self._build_services()
            await self._start_services()
        except BaseException:
            await self._stack.aclose()
            raise

    async def _open_storage(self) -> None:
        await asyncio.to_thread(self._bring_schema_up_to_date)
        settings = self.settings.database
        self._database = Database(settings.url, folder=self._loaded.folder, synchronous=settings.synchronous)
        await self._database.start()
        self._stack.push_async_callback(self._database.stop)

    def _bring_schema_up_to_date(self) -> None:
        url, folder = self.settings.database.url, self._loaded.folder
        if migrations.is_current(url, folder):
            return
        if not (self.settings.database.auto_upgrade and url.startswith("sqlite")):
            raise ConfigError("database.url: the schema is outdated; run `tron db upgrade`, then start again")
        for applied in migrations.upgrade(url, folder):
            if applied.error is not None:
                logger.warning("the tables of %s could not be upgraded: %s", applied.owner, applied.error)
            elif applied.revisions:
                logger.info("the tables of %s were upgraded to %s", applied.owner, applied.revisions[-1])

    async def _build_services(self) -> None:
        settings, clock, plugins = self.settings, self._clock, self._plugins
        database = self._database
        artifacts = Artifacts(database, self._store(), max_bytes=settings.limits.upload_bytes, clock=clock)
        saved_settings = SavedSettings(database, clock)
        self._tickets = await Tickets.load(database, clock)
        auth = Auth(database, clock)
        bus = self._bus()
        tls = _tls(settings)
        # On loopback all may come from one proxy.
        each = MAX_WAITING if is_loopback(settings.hub.host) else MAX_WAITING_PER_ADDRESS
        context = tls.context if tls else None
        workers = WorkerServer(settings.hub.host, settings.hub.port, ssl=context, waiting_per_address=each)
        auth.when_revoked(workers.revoke)
        scheduler = Scheduler(
            plugins=plugins,
            database=database,
            artifacts=artifacts,
            saved_settings=saved_settings,
            bus=bus,
            clock=clock,
            rules=_rules(settings),
            sign_ticket=self._tickets.sign,
            http_url=self._http_url,
        )
        self.services = Services(
            settings=settings,
            folder=self._loaded.folder,
            config_file=self._loaded.path or self._loaded.folder / FILE,
            clock=clock,
            plugins=plugins,
            database=database,
            artifacts=artifacts,
            saved_settings=saved_settings,
            guild_rules=GuildRules(database, clock),
            auth=auth,
            tickets=self._tickets,
            bus=bus,
            scheduler=scheduler,
            workers=workers,
            tls=tls,
        )

    async def _start_services(self) -> None:
        services, plugins = self.services, self._plugins
        plugins.register("core", BuiltIn(self), built_in=True)
        for name, capability in plugins.capabilities.items():
            capability.app = self.plugin_app(plugins.plugin_of(name))
        await services.bus.start()
        self._stack.push_async_callback(services.bus.stop)
        per_plugin = PerPlugin(self.plugin_app)
        await plugins.call_all("tron_startup", timeout=STARTUP_LIMIT, app=per_plugin)
        self._stack.push_async_callback(plugins.call_all, "tron_shutdown", app=per_plugin)
        self._frontends = self._register_frontends()
        await services.scheduler.start(self._frontends)
        self._stack.push_async_callback(services.scheduler.stop)
        await self._listen_for_workers()
        self._stack.push_async_callback(services.workers.stop)
        for frontend in self._frontends.values():
            await frontend.start()
            self._stack.push_async_callback(frontend.stop)
        self._in_background(self._collect(), "collect artifacts")
        if services.tls is not None:
            self._in_background(services.tls.watch(), "watch the certificate")
        self._write_run_file()
        services.ready = lambda: True

    async def _listen_for_workers(self) -> None:
        hub, workers = self.settings.hub, self.services.workers
        try:
            await workers.start(self._register_protocols())
        except OSError as error:
            raise cannot_listen("hub", hub.host, hub.port, error) from None
        host = f"[{hub.host}]" if ":" in hub.host else hub.host
        self.services.hub_url = f"{'wss' if hub.tls_certificate else 'ws'}://{host}:{workers.port}"

    def plugin_app(self, plugin: str) -> PluginApp:
        """The App of one plugin."""
        return PluginApp(plugin, self.services)

    def tron_v1(self) -> TronV1:
        """The core's own worker protocol."""
        scheduling = self.settings.scheduling
        terms = Terms(scheduling.heartbeat_seconds, scheduling.resume_grace)
        return TronV1(self.services.auth, self.services.bus, self._clock, terms=terms)

    def _register_frontends(self) -> dict[str, Frontend]:
        frontends: dict[str, Frontend] = {}
        for answer in self._plugins.call_all_now("tron_register_frontends", app=PerPlugin(self.plugin_app)):
            for frontend in answer.value:
                if frontend.name in frontends:
                    logger.error("frontend %s of %s: the name is taken", frontend.name, answer.plugin)
                    continue
                frontends[frontend.name] = frontend
        return frontends

    def _register_protocols(self) -> list[WorkerProtocol]:
        protocols: dict[str | None, WorkerProtocol] = {}
        for answer in self._plugins.call_all_now("tron_register_worker_protocols", app=PerPlugin(self.plugin_app)):
            for protocol in answer.value:
                if protocol.subprotocol in protocols:
                    logger.error("worker protocol %s of %s: taken", protocol.subprotocol, answer.plugin)
                    continue
                protocols[protocol.subprotocol] = protocol
        return list(protocols.values())

    def _store(self) -> ArtifactStore:
        extra: dict[str, StoreFactory] = {}
        for answer in self._plugins.call_all_now("tron_register_artifact_stores"):
            extra.update(answer.value)
        return open_store(self.settings.artifacts.url, self._loaded.folder, extra)

    def _bus(self) -> Bus:
        url = self.settings.bus.url
        scheme = url.partition(":")[0]
        backends: dict[str, Callable[[str], Bus]] = {"local": lambda url: LocalBus()}
        for answer in self._plugins.call_all_now("tron_register_buses"):
            backends.update(answer.value)
        if scheme not in backends:
            raise ConfigError(f"bus.url = {url!r}: no backend for {scheme}:; there is: {', '.join(sorted(backends))}")
        return backends[scheme](url)

    def _http_url(self, dialled: str) -> str:
        """Where a worker finds the REST side: the public URL, else the host that it dialled at our port."""
        if self.settings.http.public_url:
            return self.settings.http.public_url.rstrip("/")
        host = urlsplit(dialled).hostname if dialled else None
        own = urlsplit(self.services.http_url)
        if not host:
            return self.services.http_url
        return f"{own.scheme}://{f'[{host}]' if ':' in host else host}:{own.port}"

    def _write_run_file(self) -> None:
        run_file = RunFile(self._loaded.folder)
        run_file.write(http=self.services.http_url, hub=self.services.hub_url, token=self.services.auth.grant_local())
        self._stack.callback(run_file.remove)

    async def _collect(self) -> None:
        while True:
            try:
                removed = await self.services.artifacts.collect(self.settings.artifacts.keep_days)
                if removed:
                    logger.info("removed %d artifacts that are too old or of no use", removed)
            except Exception:
                logger.exception("artifacts cannot be removed now; again in %g s", COLLECT_EVERY)
            await asyncio.sleep(COLLECT_EVERY)

    def _in_background(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._stack.push_async_callback(_end, asyncio.get_running_loop().create_task(work, name=name))

    def reload_certificate(self) -> None:
        """Serve the certificate that its files hold now; nothing happens without TLS."""
        if self.services.tls is not None:
            self.services.tls.reload()

    async def stop(self, *, drain_seconds: float | None = None) -> None:
        """Admit nothing more, give running jobs their time, then close everything. What still runs goes on at its
        worker and is taken up after the restart."""
        self.services.ready = lambda: False
        self.services.scheduler.stop_admitting()
        seconds = self.settings.hub.drain_seconds if drain_seconds is None else drain_seconds
        try:
            if not await self.services.scheduler.drain(seconds):
                logger.warning("jobs still run after %g s; they are taken up after the restart", seconds)
        finally:
            await self._stack.aclose()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _tls(settings: Settings) -> HubTls | None:
    hub = settings.hub
    if hub.tls_certificate is None or hub.tls_key is None:
        return None
    return HubTls(hub.tls_certificate, hub.tls_key, hub.tls_client_ca)


def _rules(settings: Settings) -> Rules:
    scheduling = settings.scheduling
    return Rules(
        resume_grace=scheduling.resume_grace,
        max_attempts=scheduling.max_attempts,
        no_worker=scheduling.no_worker,
        queue_ttl=scheduling.queue_ttl,
        max_queued_per_user=scheduling.max_queued_per_user,
        max_pixels=settings.limits.picture_pixels,
    )


async def run(hub: Hub, *, started: Callable[[Services], None] = lambda services: None) -> None:
    """Run a hub until SIGTERM or SIGINT; a second signal ends the drain at once.

    SIGHUP reloads the certificate, but where it says that the terminal is gone from which the hub was started.
    """
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    again = asyncio.Event()

    def stop() -> None:
        (again if asked.is_set() else asked).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows: KeyboardInterrupt ends asyncio.run there
            loop.add_signal_handler(number, stop)
    await hub.start()
    if hasattr(signal, "SIGHUP"):
        loop.add_signal_handler(signal.SIGHUP, stop if _has_terminal() else hub.reload_certificate)
    started(hub.services)
    await asked.wait()
    stopping = loop.create_task(hub.stop(), name="stop the hub")
    hurry = loop.create_task(again.wait(), name="a second signal")
    await asyncio.wait({stopping, hurry}, return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        hub.services.scheduler.end_drain()
    hurry.cancel()
    await stopping


def _has_terminal() -> bool:
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
