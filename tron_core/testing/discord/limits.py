"""Rate limits: a bucket for each route and channel, as Discord counts them."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """``limit`` requests in ``seconds``."""

    name: str
    limit: int
    seconds: float
    left: int = 0
    ends: float = 0.0

    def take(self) -> tuple[bool, dict[str, str], float]:
        """Whether a request may pass, the headers to answer with, and the seconds until the bucket is full again."""
        now = time.monotonic()
        if now >= self.ends:
            self.left, self.ends = self.limit, now + self.seconds
        passed = self.left > 0
        self.left = max(0, self.left - 1)
        after = max(0.0, self.ends - now)
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.left),
            "X-RateLimit-Reset": f"{time.time() + after:.3f}",
            "X-RateLimit-Reset-After": f"{after:.3f}",
            "X-RateLimit-Bucket": self.name,
        }
        return passed, headers, after


class Limits:
    """The limits by method; what has none is not limited. They hold for each channel by itself.

    ``posts`` and ``edits`` are (requests, seconds). Discord's own are 5 in 5 seconds; a test that is not about them
    has more.
    """

    def __init__(self) -> None:
        self.posts = (1000, 5.0)
        self.edits = (1000, 5.0)
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def as_discord(self) -> None:
        """Limit as Discord does."""
        self.posts = self.edits = (5, 5.0)
        self._buckets.clear()

    def bucket(self, method: str, channel: str) -> Bucket | None:
        """The bucket that a request to a channel's messages counts in."""
        limit = {"POST": self.posts, "PATCH": self.edits}.get(method)
        if limit is None:
            return None
        key = (method, channel)
        if key not in self._buckets:
            self._buckets[key] = Bucket(f"messages-{method.lower()}", *limit)
        return self._buckets[key]
