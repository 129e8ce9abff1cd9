"""How late the hub's event loop is, where a test asks for it: measured in the hub itself."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

EVERY = 0.005
"""Seconds between two looks."""
SCHEDULED = Path("/proc/thread-self/schedstat")


class Lag:
    """Looks at the clock again and again until it is told to stop, then writes ``file``: for each look when that was
    (seconds since the epoch), how late it was, and for how much of that the loop's thread was ready and others had the
    processor; both in seconds."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._looks: list[tuple[float, float, float]] = []
        self._task = asyncio.get_running_loop().create_task(self._look(), name="measure the loop's lag")

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, before = loop.time() + EVERY, waited()
            await asyncio.sleep(EVERY)
            self._looks.append((time.time(), loop.time() - due, waited() - before))

    def stop(self) -> None:
        self._task.cancel()
        self._file.write_text(json.dumps(self._looks), encoding="utf-8")


def waited() -> float:
    """Seconds that this thread has waited for a processor; 0 where the system does not tell."""
    try:
        return int(SCHEDULED.read_text().split()[1]) / 1e9
    except FileNotFoundError:
        return 0.0
