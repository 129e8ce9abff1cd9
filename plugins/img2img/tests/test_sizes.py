"""A picture keeps its shape."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tron_plugin_img2img.sizes import MAX_RATIO, shaped_like
from tron_plugin_stable_diffusion.worker import MAX_SIDE, MIN_SIDE, SIDE_STEP

SIDES = st.integers(1, 10_000)
SIZES = st.integers(MIN_SIDE // SIDE_STEP, MAX_SIDE // SIDE_STEP).map(lambda steps: steps * SIDE_STEP)


@pytest.mark.parametrize(
    ("picture", "size", "expected"),
    [
        ((640, 480), (512, 512), (592, 440)),
        ((480, 640), (512, 512), (440, 592)),
        ((100, 100), (512, 512), (512, 512)),
        ((1600, 900), (1920, 1080), (1920, 1080)),  # that shape already, though no multiple of 8
        ((2000, 100), (128, 128), (1280, 64)),
        ((6400, 200), (2048, 2048), (2048, 64)),
        ((3, 2), (2048, 2048), (2048, 1368)),
    ],
)
def test_it_has_the_shape_of_the_picture_and_the_pixels_of_the_size(
    picture: tuple[int, int], size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert shaped_like(picture, size) == expected


@given(picture=st.tuples(SIDES, SIDES), size=st.tuples(SIZES, SIZES))
def test_it_is_within_the_limits_whatever_comes(picture: tuple[int, int], size: tuple[int, int]) -> None:
    if not 1 / MAX_RATIO <= picture[0] / picture[1] <= MAX_RATIO:
        with pytest.raises(ValueError, match="more than 32 times"):
            shaped_like(picture, size)
        return
    for side in shaped_like(picture, size):
        assert MIN_SIDE <= side <= MAX_SIDE
        assert side % SIDE_STEP == 0
