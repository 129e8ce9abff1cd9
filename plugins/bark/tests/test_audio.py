"""Samples: joined without clicks, written so that others can read them."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tron_plugin_bark.audio import PAUSE, fade, join, wav

RATE = 22050


def loud(length: int) -> np.ndarray:
    return np.full(length, 30000, np.int16)


@given(length=st.integers(0, 1000))
def test_a_faded_piece_keeps_its_length_and_begins_and_ends_in_silence(length: int) -> None:
    faded = fade(loud(length), RATE)
    assert len(faded) == length
    if length > 1:
        assert faded[0] == faded[-1] == 0


def test_no_two_samples_of_a_join_are_far_apart() -> None:
    joined = join([loud(RATE // 10)] * 3, RATE)
    assert np.abs(np.diff(joined.astype(np.int32))).max() < 400


def test_fading_leaves_the_middle_alone() -> None:
    assert fade(loud(RATE), RATE)[200:-200].tolist() == [30000] * (RATE - 400)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_pauses_stand_between_pieces_alone(count: int) -> None:
    joined = join([loud(1000)] * count, RATE)
    assert len(joined) == 1000 * count + round(PAUSE * RATE) * (count - 1)


def test_joining_nothing_gives_nothing() -> None:
    assert len(join([], RATE)) == 0


def test_a_wav_is_16_bit_mono_with_the_same_samples() -> None:
    samples = np.array([0, 1, -1, 32767, -32768], np.int16)
    with wave.open(io.BytesIO(wav(samples, RATE))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        assert np.frombuffer(file.readframes(5), "<i2").tolist() == samples.tolist()
