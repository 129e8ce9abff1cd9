"""The Range and conditional headers of RFC 9110, as far as one range of bytes goes: pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from ``start`` up to, not including, ``end``."""

    start: int
    end: int


class Unsatisfiable(ValueError):
    """A range that lies outside the whole."""


def parse_range(header: str | None, size: int) -> Span | None:
    """The span that a Range header asks for of ``size`` bytes; None for the whole.

    Several ranges and what is not understood ask for the whole (RFC 9110 lets a server ignore them). Raises
    Unsatisfiable.
    """
    match = _ONE_RANGE.fullmatch(header) if header else None
    if match is None or len(match[1]) > 18 or len(match[2]) > 18:
        return None
    first, last = match[1], match[2]
    if not first:
        return _suffix(int(last), size) if last else None
    start, end = int(first), int(last) + 1 if last else size
    if last and end <= start:
        return None
    if start >= size:
        raise Unsatisfiable
    return Span(start, min(end, size))


def _suffix(length: int, size: int) -> Span:
    if length == 0 or size == 0:
        raise Unsatisfiable
    return Span(max(0, size - length), size)


def etag_matches(header: str | None, etag: str) -> bool:
    """Whether If-None-Match names ``etag`` (the weak comparison)."""
    if header is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or etag in tags
