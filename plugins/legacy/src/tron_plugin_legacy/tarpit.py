"""A pause before each refusal: clients of old come back at once, for ever."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

FIRST = 2.0
LONGEST = 30.0
"""Seconds: the first pause of an address, and the one that its doubling ends at. A hub gives up on a connection that is
not open after 45."""
FORGET_AFTER = 600.0
"""Seconds without a refusal after which an address begins anew."""
MAX_ADDRESSES = 10_000


class Tarpit:
    """How long each address has to wait; ``clock`` in seconds."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._refused: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def hold(self, address: str) -> None:
        """Let a refusal of ``address`` take its time."""
        await self._sleep(self.next_pause(address))

    def next_pause(self, address: str) -> float:
        """The seconds that the next refusal takes."""
        now = self._clock()
        last, pause = self._refused.pop(address, (now, 0.0))
        pause = FIRST if not pause or now - last > FORGET_AFTER else min(2 * pause, LONGEST)
        self._refused[address] = (now, pause)
        if len(self._refused) > MAX_ADDRESSES:
            self._refused.popitem(last=False)
        return pause

    def forgive(self, address: str) -> None:
        """The address showed who it is."""
        self._refused.pop(address, None)
