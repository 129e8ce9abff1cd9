"""The picture of a sound."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tron_plugin_bark.waveform import HEIGHT, WIDTH, draw, peaks


def test_peaks_are_the_loudest_of_each_stretch() -> None:
    samples = np.array([0, 16384, 0, -32768], np.int16)
    assert peaks(samples, 2).tolist() == [0.5, 1.0]


@pytest.mark.parametrize("length", [0, 1, 50, 100_000])
def test_every_length_can_be_drawn(length: int) -> None:
    with Image.open(io.BytesIO(draw(np.ones(length, np.int16)))) as image:
        assert image.size == (WIDTH, HEIGHT)


def test_loud_is_drawn_higher_than_quiet() -> None:
    quiet, loud = np.full(5000, 1000, np.int16), np.full(5000, 30000, np.int16)
    with Image.open(io.BytesIO(draw(np.concatenate([quiet, loud])))) as image:
        grey = np.asarray(image.convert("L"), np.float64)
    inked = (grey > grey.min() + 20).sum(axis=0)
    assert inked[WIDTH // 2 :].sum() > 5 * inked[: WIDTH // 2].sum()
