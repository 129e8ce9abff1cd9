"""The http frontend as the hub starts and stops it."""

from __future__ import annotations

from collections.abc import Callable

from tron_core.frontends.http.app import build, state_for
from tron_core.frontends.http.server import HttpServer
from tron_core.job import Job, JobEvent, StoredReply
from tron_core.services import Services


class HttpFrontend:
    """REST and the web page. ``start`` sets ``services.http_url``."""

    name = "http"

    def __init__(self, services: Services) -> None:
        self._services = services
        self._state = state_for(services)
        self._server: HttpServer | None = None
        self._unlisten: Callable[[], None] | None = None

    @property
    def port(self) -> int:
        """The port that is bound; known after ``start``."""
        if self._server is None:
            raise RuntimeError("the http frontend was not started")
        return self._server.port

    async def start(self) -> None:
        """Listen; raises ConfigError where the address cannot be bound."""
        settings = self._services.settings
        tls = None if self._services.tls is None else self._services.tls.context
        self._unlisten = self._state.metrics.listen(self._services.bus)
        self._server = HttpServer(await build(self._state), settings.http.host, settings.http.port, tls=tls)
        await self._server.start()
        self._services.http_url = self._server.url

    async def stop(self) -> None:
        """End the streams, give requests under way a few seconds, and close."""
        self._state.stopping.set()
        if self._server is not None:
            await self._server.stop()
        if self._unlisten is not None:
            self._unlisten()

    async def deliver(self, delivery: str, job: Job, reply: StoredReply) -> None:
        """Nothing to do: who asked over REST reads the stored reply."""

    def show(self, job: Job, event: JobEvent) -> None:
        """Nothing to do: who asked over REST watches the job's events."""
