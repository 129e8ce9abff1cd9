"""Texts in a PNG file: a client sends what it would have written there beside the picture. Pure, no I/O."""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncIterator, Mapping

_BEGIN = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_HEAD = 33
"""Bytes of the signature and of the chunk that every PNG begins with; texts may follow it."""


def text_chunks(texts: Mapping[str, str]) -> bytes:
    """A chunk ``iTXt`` for each text; the keys are those of PNG: 1 to 79 characters of Latin-1."""
    named = ((key.encode("latin-1"), text.encode("utf-8", "replace")) for key, text in texts.items())
    return b"".join(_chunk(b"iTXt", key + b"\0\0\0\0\0" + text) for key, text in named)


async def with_texts(file: AsyncIterator[bytes], texts: Mapping[str, str]) -> AsyncIterator[bytes]:
    """The file with ``texts`` in it, or as it is where it is no PNG."""
    head = b""
    async for piece in file:
        head += piece
        if len(head) >= _HEAD:
            break
    if head.startswith(_BEGIN) and len(head) >= _HEAD:
        head = head[:_HEAD] + text_chunks(texts) + head[_HEAD:]
    yield head
    async for piece in file:
        yield piece


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
