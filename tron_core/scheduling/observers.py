"""Shows every event to the plugins that observe them, each at its own pace."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from tron_core.job import JobEvent
from tron_core.plugins import Plugins

ROOM = 1000
"""Events that may wait: beyond it progress and partial texts are dropped, oldest first."""

logger = logging.getLogger(__name__)


class Observers:
    """Calls ``tron_job_event`` in order, in one task, behind a bounded queue."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self._waiting: deque[JobEvent] = deque()
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    def start(self) -> None:
        if self._plugins.has("tron_job_event"):
            self._task = asyncio.get_running_loop().create_task(self._run(), name="job event observers")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def tell(self, event: JobEvent) -> None:
        """Add an event; never blocks. State changes have ten times the room of progress."""
        if self._task is None:
            return
        room = ROOM if event.kind in ("progress", "partial") else 10 * ROOM
        if len(self._waiting) >= room:
            self.dropped += 1
            if self.dropped == 1 or self.dropped % ROOM == 0:
                logger.warning("plugins observe events more slowly than they come: %d dropped", self.dropped)
            return
        self._waiting.append(event)
        self._arrived.set()

    async def _run(self) -> None:
        while True:
            while self._waiting:
                await self._plugins.call_all("tron_job_event", event=self._waiting.popleft())
            self._arrived.clear()
            await self._arrived.wait()
