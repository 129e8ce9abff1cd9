"""Events of jobs, handed to everybody who watches: bounded for each of them, however slowly they read."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import replace

from tron_core.job import JobEvent


class Watch:
    """One reader's events of one job. What waits to be read stays small: between two changes of state a newer progress
    replaces an older one, and texts become one."""

    def __init__(self) -> None:
        self._waiting: deque[JobEvent] = deque()
        self._arrived = asyncio.Event()

    def begin(self, present: list[JobEvent]) -> None:
        """Put the present state first; texts that came before are in it."""
        later = [event for event in self._waiting if event.kind in ("state", "result")]
        self._waiting = deque([*present, *later])
        self._arrived.set()

    def put(self, event: JobEvent) -> None:
        """Add an event; never blocks."""
        earlier = self._last(event.kind) if event.kind in ("progress", "partial") else None
        if earlier is not None and event.kind == "partial" and event.data["seq"] != 0:
            text = earlier.data["text"] + event.data["text"]
            event = replace(earlier, data={"seq": earlier.data["seq"], "text": text})
        if earlier is not None:
            self._waiting.remove(earlier)
        self._waiting.append(event)
        self._arrived.set()

    def _last(self, kind: str) -> JobEvent | None:
        """The event of this kind that waits since the last change of state."""
        for event in reversed(self._waiting):
            if event.kind == kind:
                return event
            if event.kind not in ("progress", "partial"):
                return None
        return None

    async def read(self) -> AsyncIterator[JobEvent]:
        """The events as they come, up to and including ``result``."""
        while True:
            while self._waiting:
                event = self._waiting.popleft()
                yield event
                if event.kind == "result":
                    return
            self._arrived.clear()
            await self._arrived.wait()


class Watchers:
    """Who watches which job."""

    def __init__(self) -> None:
        self._watches: dict[str, list[Watch]] = {}

    def jobs(self) -> list[str]:
        """The jobs that somebody watches."""
        return list(self._watches)

    def watched(self, job: str) -> bool:
        return job in self._watches

    def add(self, job: str) -> Watch:
        watch = Watch()
        self._watches.setdefault(job, []).append(watch)
        return watch

    def remove(self, job: str, watch: Watch) -> None:
        watches = self._watches.get(job, [])
        if watch in watches:
            watches.remove(watch)
        if not watches:
            self._watches.pop(job, None)

    def tell(self, event: JobEvent) -> None:
        for watch in self._watches.get(event.job, ()):
            watch.put(event)
