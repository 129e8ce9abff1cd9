"""Token buckets: so many requests a minute for each credential or address."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

from tron_core.clock import Clock
from tron_core.errors import TooMany

MAX_KEYS = 10_000
"""Buckets that are remembered; the one that was used longest ago is forgotten first."""


class Buckets:
    """One bucket for each key: it holds a minute's worth and fills evenly."""

    def __init__(self, per_minute: int, clock: Clock, *, what: str) -> None:
        self._size = float(per_minute)
        self._per_second = per_minute / 60
        self._clock = clock
        self._what = what
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> None:
        """Take one; raises TooMany, with the seconds until there is one, where the bucket is empty."""
        now = self._clock.monotonic()
        level = self._level(key, now)
        if level < 1:
            wait = (1 - level) / self._per_second
            raise TooMany(
                f"Too many {self._what}: {self._size:g} a minute are allowed; try again in {max(1, round(wait))} s",
                retry_after=wait,
                code="rate_limited",
            )
        self._set(key, level - 1, now)

    def give_back(self, key: str) -> None:
        """Undo one ``take``."""
        now = self._clock.monotonic()
        self._set(key, min(self._size, self._level(key, now) + 1), now)

    def _level(self, key: str, now: float) -> float:
        level, then = self._buckets.get(key, (self._size, now))
        return min(self._size, level + (now - then) * self._per_second)

    def _set(self, key: str, level: float, now: float) -> None:
        self._buckets[key] = (level, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > MAX_KEYS:
            self._buckets.popitem(last=False)


def address_key(host: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 that one IPv6 customer has."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    return host
