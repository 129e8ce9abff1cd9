"""Pictures in and out: what comes in is a stranger's file, and is refused with a reason where it does not do."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps, PngImagePlugin, UnidentifiedImageError

from tron_core.worker import ExecutorError
from tron_plugin_upscale.tiles import Pixels

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""What is taken. Pillow knows more; each is a decoder that a stranger could feed."""

# Pillow's decoders answer a damaged file with any of these.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture: colour, transparency (None where it is opaque) as three equal planes, colour profile."""

    colour: Pixels
    alpha: Pixels | None = None
    profile: bytes | None = None

    @property
    def planes(self) -> list[Pixels]:
        """What a network has to enlarge."""
        return [self.colour] if self.alpha is None else [self.colour, self.alpha]


def read_picture(path: Path, max_pixels: int) -> Picture:
    """Decode the picture at ``path``, the right way up.

    Raises ExecutorError (invalid) for what is no picture, is damaged, is animated or has more than ``max_pixels``.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # A picture that is only odd in its metadata is still a picture.
            warnings.simplefilter("ignore", UserWarning)
            with Image.open(path, formats=FORMATS) as image:
                _check_size(image, max_pixels)
                return _decode(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ExecutorError(f"image: it has far more than {max_pixels:,} pixels, the most allowed", "invalid") from None
    except UnidentifiedImageError:
        raise ExecutorError(f"image: not a picture; allowed: {', '.join(FORMATS)}", "invalid") from None
    except _DAMAGED as error:
        raise ExecutorError(f"image: the picture is damaged ({error})", "invalid") from error


def _check_size(image: Image.Image, max_pixels: int) -> None:
    """From the header alone, before a pixel is decoded."""
    # MPO is what phones write: a JPEG whose further frames are previews or brightness maps.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise ExecutorError("image: it has several frames; allowed: a picture that does not move", "invalid")
    width, height = image.size
    if width * height > max_pixels:
        raise ExecutorError(
            f"image: {width} × {height} is {width * height:,} pixels; allowed: at most {max_pixels:,}", "invalid"
        )


def _decode(image: Image.Image) -> Picture:
    profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA", "P") else None
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith(("I", "F")):
        upright = _eight_bits(upright)
    if not upright.has_transparency_data:
        return Picture(np.asarray(upright.convert("RGB")), profile=profile)
    rgba = upright.convert("RGBA")
    alpha = rgba.getchannel("A")
    colour = np.asarray(rgba.convert("RGB"))
    if alpha.getextrema() == (255, 255):
        return Picture(colour, profile=profile)
    return Picture(colour, np.asarray(Image.merge("RGB", (alpha, alpha, alpha))), profile)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Bring a picture of 16 or 32 bits a pixel down to 8; ``convert`` would cut its highlights off."""
    values = np.asarray(image, dtype=np.float64)
    top = 65535.0 if image.mode.startswith("I") else max(1.0, float(values.max()))
    return Image.fromarray(np.clip(values / top * 255, 0, 255).astype(np.uint8))


def clean_alpha(enlarged: Pixels, source: Pixels) -> Pixels:
    """Hold an enlarged transparency within what surrounds each pixel in ``source``: what was fully opaque or fully
    clear stays exactly so, where a network leaves it a shade off."""
    size = (enlarged.shape[1], enlarged.shape[0])
    plane = Image.fromarray(source).getchannel(0)
    bounds = [
        np.asarray(plane.filter(limit(3)).resize(size, Image.Resampling.NEAREST))
        for limit in (ImageFilter.MinFilter, ImageFilter.MaxFilter)
    ]
    return np.clip(enlarged[:, :, 0], *bounds)


def resize(pixels: Pixels, width: int, height: int) -> Pixels:
    """Bring a picture to ``width`` x ``height`` (Lanczos)."""
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def write_png(path: Path, colour: Pixels, alpha: Pixels | None, profile: bytes | None, said: Mapping[str, str]) -> None:
    """Write a PNG with the texts of ``said`` in chunks of their own."""
    image = Image.fromarray(colour)
    if alpha is not None:
        image.putalpha(Image.fromarray(alpha))
    texts = PngImagePlugin.PngInfo()
    for key, text in said.items():
        add = texts.add_text if text.isascii() else texts.add_itxt
        add(key, text)
    image.save(path, "PNG", pnginfo=texts, icc_profile=profile, compress_level=4)
