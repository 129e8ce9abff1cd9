"""The limit on pictures: found out from a file's first bytes, before the rest is stored."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator

from PIL import Image, UnidentifiedImageError

from tron_core.errors import TronError
from tron_core.storage.sniff import HEAD_BYTES, media_type

MAX_HEADER = 1 << 20
"""Bytes within which a picture must say how large it is: metadata may stand before that, but not without end."""


class PictureRefused(TronError):
    """A picture of too many pixels (``picture_too_large``), or one that cannot be read (``picture_unreadable``)."""

    code = "picture_too_large"
    status = 422


async def bounded(chunks: AsyncIterator[bytes], most_pixels: int) -> AsyncIterator[bytes]:
    """``chunks`` as they come; raises PictureRefused before the first where they are a picture of more pixels."""
    head = bytearray()
    more = await _fill(head, chunks, HEAD_BYTES)
    if _is_raster(media_type(bytes(head[:HEAD_BYTES]))):
        pixels = await asyncio.to_thread(_pixels, bytes(head))
        while pixels is None and more and len(head) < MAX_HEADER:
            more = await _fill(head, chunks, min(4 * len(head), MAX_HEADER))
            pixels = await asyncio.to_thread(_pixels, bytes(head))
        _check(pixels, most_pixels)
    if head:
        yield bytes(head)
    async for chunk in chunks:
        yield chunk


async def _fill(head: bytearray, chunks: AsyncIterator[bytes], wanted: int) -> bool:
    """Read on until ``head`` has the wanted length; False at the end."""
    while len(head) < wanted:
        chunk = await anext(chunks, None)
        if chunk is None:
            return False
        head += chunk
    return True


def _is_raster(kind: str) -> bool:
    return kind.startswith("image/") and kind != "image/svg+xml"


def _check(pixels: int | None, most: int) -> None:
    if pixels is None:
        raise PictureRefused("This looks like a picture but cannot be read as one", code="picture_unreadable")
    if pixels > most:
        raise PictureRefused(f"The picture has {pixels} pixels; at most {most} are allowed (limits.picture_pixels)")


def _pixels(head: bytes) -> int | None:
    """Width times height of the picture that begins with ``head``; None where that cannot be told. Blocks."""
    try:
        with Image.open(io.BytesIO(head)) as picture:
            return picture.width * picture.height
    except Image.DecompressionBombError:
        return 1 << 62  # so many that Pillow will not say
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError):
        return None
