"""How long to wait before the next try: exponential, with full jitter."""

from __future__ import annotations

from random import Random

BASE = 0.5
CAP = 30.0
MAX_EXPONENT = 16


def ceiling(failures: int, *, base: float = BASE, cap: float = CAP) -> float:
    """The longest wait in seconds after ``failures`` failed tries in a row (from 1)."""
    return min(cap, base * 2.0 ** min(failures - 1, MAX_EXPONENT))


def wait_after(failures: int, random: Random, *, base: float = BASE, cap: float = CAP) -> float:
    """Seconds to wait: anywhere from 0 to the ceiling, so that many workers do not come back in step."""
    return random.uniform(0.0, ceiling(failures, base=base, cap=cap))
