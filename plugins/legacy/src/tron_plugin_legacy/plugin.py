"""The hooks with which clients of discord-tron-master are served, on one object that holds what they share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import tron_core as tron
from tron_plugin_legacy.api import LegacyJob
from tron_plugin_legacy.config import LegacyConfig
from tron_plugin_legacy.fleet import Fleet
from tron_plugin_legacy.protocol import LegacyProtocol
from tron_plugin_legacy.tarpit import Tarpit
from tron_plugin_legacy.uploads import Uploads

TEND_EVERY = 60.0
"""Seconds between two looks at what workers offer and at files that nobody shows."""

logger = logging.getLogger(__name__)


class Clients:
    """Everything that is there while a hub runs; ``start`` makes it, ``stop`` ends it."""

    def __init__(self) -> None:
        self.fleet: Fleet | None = None
        self._uploads: Uploads | None = None
        self._protocol: LegacyProtocol | None = None
        self._tarpit = Tarpit()
        self._tending: asyncio.Task[None] | None = None

    async def start(self, app: tron.App) -> None:
        """Ask the plugins what their jobs are, and begin."""
        answers = await app.hooks.call_all("tron_legacy_job")
        jobs: Sequence[LegacyJob] = [job for answer in answers for job in answer]
        self._tarpit = Tarpit()
        config = app.config(LegacyConfig)
        self.fleet = Fleet(app, jobs, inputs_url=config.inputs_url)
        self._uploads = Uploads(app, self.fleet.clock)
        self._protocol = LegacyProtocol(self.fleet, self._uploads, self._tarpit, grace=config.resume_grace)
        self._tending = asyncio.get_running_loop().create_task(self._tend(), name="tend old workers")

    async def stop(self) -> None:
        """End what ``start`` began."""
        if self._tending is not None:
            self._tending.cancel()
            with suppress(asyncio.CancelledError):
                await self._tending

    def protocols(self) -> list[tron.WorkerProtocol]:
        """The protocol, once it was started."""
        return [] if self._protocol is None else [self._protocol]

    def routes(self) -> Any:
        """The routes for the root, once it was started."""
        if self.fleet is None or self._uploads is None or self._protocol is None:
            return None
        from tron_plugin_legacy.routes import Rest  # FastAPI is the hub's alone

        return Rest(self.fleet, self._uploads, self._protocol, self._tarpit).router()

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(TEND_EVERY)
            try:
                await self.tend()
            except Exception:
                logger.exception("old workers cannot be tended now")

    async def tend(self) -> None:
        """Tell the hub what workers offer now, remove what nobody showed, forget who went."""
        if self.fleet is None or self._uploads is None:
            return
        for process in self.fleet:
            if process.link is not None:
                process.link.refresh()
        self.fleet.drop_gone()
        removed = await self._uploads.remove_unclaimed()
        if removed:
            logger.info("removed %d uploaded files that no message has shown", removed)
