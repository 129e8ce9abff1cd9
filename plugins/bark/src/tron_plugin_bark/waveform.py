"""A picture of a sound: one bar for each stretch of time."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from tron_plugin_bark.audio import Samples

WIDTH, HEIGHT = 800, 160
BAR, GAP, MARGIN = 4, 2, 10

_SCALE = 2
_BACKGROUND, _LOUD, _QUIET = (24, 26, 38), (122, 162, 255), (70, 86, 140)


def peaks(samples: Samples, count: int) -> npt.NDArray[np.float64]:
    """The loudest of each of ``count`` stretches, from 0 to 1."""
    loudness = np.abs(samples.astype(np.float64)) / 32768
    edges = np.linspace(0, len(loudness), count + 1).astype(int)
    return np.array([loudness[a:b].max(initial=0.0) for a, b in pairwise(edges)])


def levels(samples: Samples, rate: int) -> bytes:
    """The waveform of a voice message in Discord: a byte for each tenth of a second, at most 256 in all."""
    count = min(256, max(1, round(10 * len(samples) / rate)))
    return np.rint(peaks(samples, count) * 255).astype(np.uint8).tobytes()


def draw(samples: Samples) -> bytes:
    """A PNG of 800 x 160 pixels; a bar as high as the picture is full scale."""
    step = BAR + GAP
    image = Image.new("RGB", (WIDTH * _SCALE, HEIGHT * _SCALE), _BACKGROUND)
    pen = ImageDraw.Draw(image)
    for n, peak in enumerate(peaks(samples, (WIDTH - 2 * MARGIN) // step)):
        left, half = MARGIN + n * step, max(1.0, peak * (HEIGHT / 2 - MARGIN))
        box = [left, HEIGHT / 2 - half, left + BAR, HEIGHT / 2 + half]
        pen.rounded_rectangle([side * _SCALE for side in box], BAR * _SCALE / 2, _LOUD if peak > 0.02 else _QUIET)
    out = io.BytesIO()
    image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
    return out.getvalue()
