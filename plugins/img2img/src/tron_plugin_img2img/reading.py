"""Pictures that come in: strangers' files, refused with a reason where they do not do."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from tron_core.worker import ExecutorError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""What is taken. Pillow knows more; each is a decoder that a stranger could feed."""

MAX_PIXELS = 64_000_000
"""Of a picture that is taken: a phone's largest. It is decoded whole, then reduced."""

# Pillow's decoders answer a damaged file with any of these.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)


def read_picture(field: str, path: Path) -> Image.Image:
    """The picture at ``path``, upright, in RGB: what is transparent becomes white; of one that moves the first frame.

    Raises ExecutorError (invalid) that names ``field`` for what is no picture, is damaged or too large.
    """
    upright = _upright(field, path)
    if upright.mode.startswith("I"):
        upright = _eight_bits(upright)
    if not upright.has_transparency_data:
        return upright.convert("RGB")
    ground = Image.new("RGBA", upright.size, "white")
    return Image.alpha_composite(ground, upright.convert("RGBA")).convert("RGB")


def read_mask(path: Path) -> Image.Image:
    """The mask at ``path`` in shades of grey; what is transparent is black. Raises as read_picture does."""
    upright = _upright("mask", path)
    if not upright.has_transparency_data:
        return upright.convert("L")
    ground = Image.new("RGBA", upright.size, "black")
    return Image.alpha_composite(ground, upright.convert("RGBA")).convert("L")


def _upright(field: str, path: Path) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # A picture that is only odd in its metadata is still a picture.
            warnings.simplefilter("ignore", UserWarning)
            with Image.open(path, formats=FORMATS) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise ExecutorError(
                        f"{field}: {width} × {height} is {width * height:,} pixels; allowed: at most {MAX_PIXELS:,}",
                        "invalid",
                    )
                return ImageOps.exif_transpose(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ExecutorError(
            f"{field}: it has far more than {MAX_PIXELS:,} pixels, the most allowed", "invalid"
        ) from None
    except UnidentifiedImageError:
        raise ExecutorError(f"{field}: not a picture; allowed: {', '.join(FORMATS)}", "invalid") from None
    except _DAMAGED as error:
        raise ExecutorError(f"{field}: the picture is damaged ({error})", "invalid") from error


def _eight_bits(image: Image.Image) -> Image.Image:
    """Bring a picture of 16 bits a pixel down to 8; ``convert`` alone would cut its highlights off."""
    return image.convert("I").point(lambda shade: shade * (1 / 257)).convert("L")
