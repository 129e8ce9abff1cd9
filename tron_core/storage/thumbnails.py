"""Thumbnails of pictures; blocking, for a thread."""

from __future__ import annotations

import io
import logging

from PIL import Image, ImageOps

SIDE = 512
"""Pixels of a thumbnail's longer side."""
QUALITY = 80
"""WebP's quality, its own default."""

logger = logging.getLogger(__name__)


def make_thumbnail(picture: bytes, *, max_pixels: int) -> bytes | None:
    """The picture as a WebP of at most ``SIDE`` pixels a side; None where it is no picture, is small enough itself,
    or has more than ``max_pixels`` (width times height), which would cost too much memory to read."""
    try:
        with Image.open(io.BytesIO(picture)) as opened:
            if max(opened.size) <= SIDE or opened.width * opened.height > max_pixels:
                return None
            upright = ImageOps.exif_transpose(opened)
            upright.thumbnail((SIDE, SIDE))
            shrunk = upright if upright.mode in ("RGB", "RGBA") else upright.convert("RGBA")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        logger.info("no thumbnail: %s", error)
        return None
    out = io.BytesIO()
    shrunk.save(out, "WEBP", quality=QUALITY)
    return out.getvalue()
