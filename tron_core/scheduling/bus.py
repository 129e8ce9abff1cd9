"""The Bus: the one narrow interface between the scheduler and everything that holds workers and people."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

Listener = Callable[[Any], None]

logger = logging.getLogger(__name__)


class Bus(Protocol):
    """Carries messages to addresses, in the order sent between any two ends; a message to an address where nobody
    listens is dropped. Listeners are plain functions that must not block; what one raises is logged."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def send(self, address: str, message: Any) -> None:
        """Send a message (a dataclass of JSON-like values) to every listener of ``address``; returns at once."""

    def listen(self, address: str, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with each message sent to ``address`` from now on; returns the function that ends it."""

    async def lead(self) -> None:
        """Return when this hub is the leader, the one that runs the scheduler."""


class LocalBus:
    """The in-process Bus: one hub, which leads. Messages are handed on in the next turn of the event loop, so that
    a sender is never re-entered."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = {}
        self._waiting: deque[tuple[str, Any]] = deque()
        self._scheduled = False

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self) -> None:
        """Hand on what still waits, then forget the listeners."""
        self._hand_on()
        self._listeners.clear()

    async def lead(self) -> None:
        """One hub leads itself."""

    def send(self, address: str, message: Any) -> None:
        self._waiting.append((address, message))
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._hand_on)

    def listen(self, address: str, listener: Listener) -> Callable[[], None]:
        self._listeners.setdefault(address, []).append(listener)

        def unlisten() -> None:
            listeners = self._listeners.get(address, [])
            if listener in listeners:
                listeners.remove(listener)
            if not listeners:
                self._listeners.pop(address, None)

        return unlisten

    def _hand_on(self) -> None:
        self._scheduled = False
        for _ in range(len(self._waiting)):
            address, message = self._waiting.popleft()
            for listener in tuple(self._listeners.get(address, ())):
                try:
                    listener(message)
                except Exception:
                    logger.exception("a listener of %s failed on %s", address, type(message).__name__)
        if self._waiting and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._hand_on)
