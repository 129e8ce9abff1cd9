"""The sizes of pictures. Pure."""

from __future__ import annotations

MIN_SIDE = 64
MAX_SIDE = 2048
"""Pixels of a picture's side."""
SIDE_STEP = 8
"""Sides are multiples of it: the smallest patch that the models draw."""

SQUARE = ("512x512", "768x768", "1024x1024", "1280x1280", "2048x2048")
LANDSCAPE = (
    "1984x512", "1920x512", "1856x512", "1792x576", "1728x576", "1664x576", "1600x640", "1536x640", "1472x704",
    "1408x704", "1344x704", "1344x768", "1280x768", "1216x832", "1152x832", "1152x896", "1152x960", "1088x896",
    "1088x960", "1024x960",
)  # fmt: skip
PORTRAIT = (
    "960x1024", "960x1088", "896x1088", "896x1152", "832x1152", "832x1216", "768x1280", "768x1344", "704x1408",
    "704x1472", "640x1536", "640x1600", "576x1664", "576x1728", "576x1792", "512x1856", "512x1920", "512x1984",
)  # fmt: skip
RESOLUTIONS = (*SQUARE, *LANDSCAPE, *PORTRAIT)
"""Those that are offered; any other within the limits may be asked for as well."""

ALLOWED = f"WIDTHxHEIGHT, each from {MIN_SIDE} to {MAX_SIDE} and a multiple of {SIDE_STEP}, such as 1024x768"


def parse(text: str) -> tuple[int, int]:
    """``1024x768`` as width and height in pixels; raises ValueError with what is allowed."""
    width, _, height = text.lower().replace("×", "x").partition("x")
    if not (width.isascii() and width.isdecimal() and height.isascii() and height.isdecimal()):
        raise ValueError(f"it is no size; allowed: {ALLOWED}")
    for side in (int(width), int(height)):
        if not MIN_SIDE <= side <= MAX_SIDE or side % SIDE_STEP:
            raise ValueError(f"{side} is not allowed; allowed: {ALLOWED}")
    return int(width), int(height)


def table(chosen: str | None) -> str:
    """All that are offered, a line for each orientation, the chosen one marked."""
    lines = []
    for name, sizes in (("Square", SQUARE), ("Landscape", LANDSCAPE), ("Portrait", PORTRAIT)):
        lines.append(f"{name}: " + ", ".join(f"**{size}**" if size == chosen else size for size in sizes))
    return "\n".join(lines)
