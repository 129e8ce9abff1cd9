"""Draws the pictures that the demonstration and the tests enlarge: `python plugins/upscale/tools/draw_pictures.py`.

Both are drawn four times as large and reduced, so that their edges are as soft as a photograph's.
"""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image, ImageDraw

ROOT = Path(__file__).parents[3]
SCALE = 4

Colour = tuple[int, int, int]


class Canvas:
    """A picture drawn in its final coordinates, four times as large inside."""

    def __init__(self, width: int, height: int, top: Colour, bottom: Colour) -> None:
        self.size = (width, height)
        self.image = Image.new("RGB", (width * SCALE, height * SCALE))
        self.draw = ImageDraw.Draw(self.image)
        self.gradient(0, height, top, bottom)

    def gradient(self, start: float, end: float, top: Colour, bottom: Colour) -> None:
        first, last = round(start * SCALE), round(end * SCALE)
        for y in range(first, last):
            share = (y - first) / max(1, last - first - 1)
            self.draw.line([(0, y), (self.image.width, y)], fill=_mixed(top, bottom, share))

    def polygon(self, points: list[tuple[float, float]], fill: Colour) -> None:
        self.draw.polygon([(x * SCALE, y * SCALE) for x, y in points], fill=fill)

    def circle(self, x: float, y: float, radius: float, fill: Colour) -> None:
        box = [(x - radius) * SCALE, (y - radius) * SCALE, (x + radius) * SCALE, (y + radius) * SCALE]
        self.draw.ellipse(box, fill=fill)

    def box(self, x: float, y: float, width: float, height: float, fill: Colour) -> None:
        self.draw.rectangle([x * SCALE, y * SCALE, (x + width) * SCALE, (y + height) * SCALE], fill=fill)

    def line(self, points: list[tuple[float, float]], fill: Colour, width: float = 1) -> None:
        self.draw.line([(x * SCALE, y * SCALE) for x, y in points], fill=fill, width=max(1, round(width * SCALE)))

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.image.resize(self.size, Image.Resampling.LANCZOS).save(path, optimize=True)


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def hills(canvas: Canvas, base: float, height: float, waves: float, shift: float, fill: Colour) -> None:
    """A ridge across the whole picture."""
    width, bottom = canvas.size
    line = [
        (x, base - height * (0.6 * math.sin(x / width * waves + shift) + 0.4 * math.sin(x / width * waves * 2.3)))
        for x in range(-2, width + 3)
    ]
    canvas.polygon([*line, (width + 2, bottom), (-2, bottom)], fill)


def cloud(canvas: Canvas, x: float, y: float, size: float) -> None:
    for dx, dy, radius in ((-1.1, 0.25, 0.6), (0, 0, 0.9), (1, 0.2, 0.7), (0.4, 0.35, 0.7), (-0.5, 0.35, 0.6)):
        canvas.circle(x + dx * size, y + dy * size, radius * size, (250, 246, 240))


def fir(canvas: Canvas, x: float, foot: float, height: float) -> None:
    canvas.box(x - height * 0.05, foot - height * 0.15, height * 0.1, height * 0.15, (86, 58, 40))
    for level, fill in enumerate(((24, 84, 62), (32, 100, 72), (44, 118, 82))):
        top, half = foot - height * (0.55 + 0.22 * level), height * (0.30 - 0.07 * level)
        canvas.polygon([(x, top), (x - half, top + height * 0.42), (x + half, top + height * 0.42)], fill)


def landscape() -> Canvas:
    """A house among firs under the evening sun."""
    canvas = Canvas(160, 120, (86, 156, 214), (252, 214, 160))
    canvas.circle(122, 44, 13, (255, 236, 150))
    canvas.circle(122, 44, 10, (255, 246, 196))
    cloud(canvas, 34, 24, 9)
    cloud(canvas, 88, 16, 6)
    hills(canvas, 66, 12, 7, 0.6, (126, 132, 176))
    hills(canvas, 78, 8, 9, 2.4, (96, 148, 120))
    hills(canvas, 92, 5, 6, 4.0, (112, 176, 84))
    canvas.polygon([(84, 120), (100, 96), (106, 96), (116, 120)], (226, 204, 160))
    canvas.box(88, 72, 30, 24, (240, 228, 208))
    canvas.polygon([(84, 74), (103, 56), (122, 74)], (188, 70, 58))
    canvas.box(110, 56, 5, 12, (150, 62, 54))
    canvas.box(99, 82, 8, 14, (112, 70, 46))
    for x in (91, 110):
        canvas.box(x, 78, 6, 6, (120, 186, 220))
        canvas.line([(x + 3, 78), (x + 3, 84)], (240, 240, 240), 0.7)
    for x, foot, height in ((16, 100, 34), (32, 106, 42), (52, 98, 28), (140, 104, 40), (153, 110, 30)):
        fir(canvas, x, foot, height)
    for n in range(14):
        canvas.circle(6 + 11 * n, 113 + (n * 7) % 5, 1.2, ((255, 214, 80), (250, 250, 250), (232, 96, 120))[n % 3])
    return canvas


def boat(canvas: Canvas, x: float, water: float, size: float, hull: Colour, sail: Colour) -> None:
    canvas.polygon(
        [
            (x - size, water - size * 0.3),
            (x + size, water - size * 0.3),
            (x + size * 0.7, water),
            (x - size * 0.7, water),
        ],
        hull,
    )
    canvas.line([(x, water - size * 0.3), (x, water - size * 2.2)], (92, 64, 44), 1)
    canvas.polygon(
        [(x + 1.5, water - size * 2.1), (x + 1.5, water - size * 0.5), (x + size * 0.9, water - size * 0.5)], sail
    )
    canvas.polygon(
        [(x - 1.5, water - size * 1.9), (x - 1.5, water - size * 0.5), (x - size * 0.7, water - size * 0.5)], sail
    )


def lighthouse(canvas: Canvas, x: float, foot: float) -> None:
    for stripe in range(6):
        top, bottom = 9 + stripe, 10 + stripe
        y = foot - 66 + stripe * 11
        fill = (206, 60, 56) if stripe % 2 == 0 else (246, 242, 236)
        canvas.polygon(
            [(x - top * 0.7, y), (x + top * 0.7, y), (x + bottom * 0.7, y + 11), (x - bottom * 0.7, y + 11)], fill
        )
    canvas.box(x - 8, foot - 69, 16, 3, (60, 60, 72))
    canvas.box(x - 5, foot - 79, 10, 10, (255, 226, 130))
    canvas.polygon([(x - 7, foot - 79), (x, foot - 88), (x + 7, foot - 79)], (60, 60, 72))


def harbour() -> Canvas:
    """Houses, boats and a lighthouse by the water."""
    canvas = Canvas(200, 150, (110, 176, 226), (236, 236, 220))
    cloud(canvas, 60, 24, 10)
    cloud(canvas, 132, 36, 7)
    hills(canvas, 74, 9, 6, 1.0, (134, 160, 150))
    walls = ((232, 196, 120), (214, 126, 104), (150, 188, 206), (240, 226, 200), (186, 208, 150))
    for n, wall in enumerate(walls):
        x, height = 6 + n * 23, 30 + (n * 13) % 17
        canvas.box(x, 96 - height, 22, height, wall)
        canvas.polygon([(x - 1, 96 - height), (x + 11, 84 - height), (x + 23, 96 - height)], (156, 78, 62))
        for row in range(2):
            for column in range(2):
                canvas.box(x + 4 + column * 9, 100 - height + row * 12, 5, 7, (64, 84, 108))
    canvas.box(0, 94, 126, 6, (150, 140, 128))
    canvas.gradient(100, 150, (70, 140, 176), (28, 84, 126))
    for n in range(26):
        x, y = (n * 37) % 190, 104 + (n * 19) % 44
        canvas.line([(x, y), (x + 6 + n % 5, y)], (150, 200, 222), 0.8)
    canvas.polygon([(140, 108), (150, 95), (190, 95), (200, 104), (200, 112), (150, 114)], (118, 110, 104))
    lighthouse(canvas, 172, 97)
    boat(canvas, 44, 122, 15, (120, 56, 48), (250, 246, 236))
    boat(canvas, 104, 136, 18, (40, 62, 96), (246, 220, 150))
    for x, y in ((100, 30), (150, 62), (24, 30)):
        canvas.line([(x - 4, y - 2), (x, y), (x + 4, y - 2)], (70, 74, 84), 0.8)
    return canvas


if __name__ == "__main__":
    landscape().save(ROOT / "plugins/upscale/src/tron_plugin_upscale/data/landscape.png")
    harbour().save(ROOT / "tests/data/harbour.png")
