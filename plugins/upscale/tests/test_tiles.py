"""Tiles cover a picture once, and their margins keep seams out."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tron_plugin_upscale.tiles import Pixels, enlarge, plan, spans


@given(length=st.integers(1, 5000), tile=st.integers(1, 600), margin=st.integers(0, 64))
def test_spans_cover_the_axis_once_and_stay_within_it(length: int, tile: int, margin: int) -> None:
    found = spans(length, tile, margin)
    assert [pixel for span in found for pixel in range(span.start, span.end)] == list(range(length))
    for span in found:
        assert 0 < span.end - span.start <= tile
        assert span.outer_start == max(0, span.start - margin)
        assert span.outer_end == min(length, span.end + margin)
    widths = [span.end - span.start for span in found]
    assert max(widths) - min(widths) <= 1


def blur_and_double(pixels: Pixels) -> Pixels:
    """A stand-in for a network: each pixel depends on neighbours up to 2 away; the border repeats itself."""
    padded = np.pad(pixels.astype(np.float64), ((2, 2), (2, 2), (0, 0)), mode="edge")
    height, width = pixels.shape[:2]
    total = sum(padded[y : y + height, x : x + width] for y in range(5) for x in range(5))
    return np.rint(total / 25).astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)


@given(width=st.integers(1, 40), height=st.integers(1, 40), tile=st.integers(4, 16), seed=st.integers(0, 2**32 - 1))
def test_tiled_is_the_same_as_whole_where_the_margin_covers_what_the_network_sees(
    width: int, height: int, tile: int, seed: int
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    tiled = enlarge(pixels, 2, plan(width, height, tile, margin=2), blur_and_double)
    assert np.array_equal(tiled, blur_and_double(pixels))
