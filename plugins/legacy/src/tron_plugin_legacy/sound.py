"""How long a WAV file is, by its head. Pure, no I/O."""

from __future__ import annotations

import struct


def wav_seconds(head: bytes, size: int) -> float:
    """The seconds of a WAV file of ``size`` bytes whose first ones are ``head``; 0.0 where it is none."""
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return 0.0
    rate, position = 0, 12
    while position + 8 <= len(head):
        name, length = head[position : position + 4], struct.unpack_from("<I", head, position + 4)[0]
        if name == b"fmt " and position + 24 <= len(head):
            rate = struct.unpack_from("<I", head, position + 16)[0]
        if name == b"data":
            return min(length, size - position - 8) / rate if rate else 0.0
        position += 8 + length + length % 2
    return 0.0
