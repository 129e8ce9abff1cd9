"""How large a picture becomes that begins from another one. Pure."""

from __future__ import annotations

import math

from tron_plugin_stable_diffusion.worker import MAX_SIDE, MIN_SIDE, SIDE_STEP

MAX_RATIO = MAX_SIDE / MIN_SIDE
"""A picture that is longer than so many times its width has no size that fits."""


def shaped_like(picture: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """A width and height of about as many pixels as ``size``, in the shape of ``picture``; ``size`` itself where that
    has the shape already. Raises ValueError for a shape beyond MAX_RATIO."""
    width, height = picture
    if not 1 / MAX_RATIO <= width / height <= MAX_RATIO:
        raise ValueError(f"{width} × {height}: one side is more than {MAX_RATIO:g} times as long as the other")
    if width * size[1] == height * size[0]:
        return size
    scale = math.sqrt(size[0] * size[1] / (width * height))
    scale = max(scale, MIN_SIDE / min(picture))
    scale = min(scale, MAX_SIDE / max(picture))
    return _side(width * scale), _side(height * scale)


def _side(pixels: float) -> int:
    return min(MAX_SIDE, max(MIN_SIDE, SIDE_STEP * round(pixels / SIDE_STEP)))
