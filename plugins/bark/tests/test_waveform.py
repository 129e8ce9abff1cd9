"""The picture of a sound."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tron_plugin_bark.waveform import HEIGHT, WIDTH, draw, levels, peaks


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


@pytest.mark.parametrize(("seconds", "count"), [(0, 1), (0.05, 1), (1.0, 10), (25.6, 256), (600, 256)])
def test_a_voice_message_has_a_byte_for_each_tenth_of_a_second(seconds: float, count: int) -> None:
    assert levels(np.full(round(seconds * 1000), 16384, np.int16), 1000) == (b"\x80" if seconds else b"\0") * count


def test_the_loudest_sample_is_the_highest_byte() -> None:
    assert levels(np.array([-32768] * 100, np.int16), 1000) == b"\xff"
