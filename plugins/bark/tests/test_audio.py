"""Samples: joined without clicks, written so that others can read them."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from tron_plugin_bark.audio import KINDS, PAUSE, at_rate, encode, fade, join

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
    with wave.open(io.BytesIO(encode(samples, RATE, KINDS["wav"]))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        assert np.frombuffer(file.readframes(5), "<i2").tolist() == samples.tolist()


def tone(seconds: float, rate: int = RATE) -> np.ndarray:
    return np.rint(12000 * np.sin(np.arange(round(seconds * rate)) * 2 * np.pi * 440 / rate)).astype(np.int16)


def loudest_frequency(samples: np.ndarray, rate: int) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples))


@pytest.mark.parametrize(
    ("name", "rate", "container", "codec"),
    [("wav", RATE, "WAV", "PCM_16"), ("ogg", 48_000, "OGG", "OPUS"), ("mp3", RATE, "MP3", "MPEG_LAYER_III")],
)
def test_every_format_holds_the_same_sound(name: str, rate: int, container: str, codec: str) -> None:
    file = io.BytesIO(encode(tone(4.0), RATE, KINDS[name]))  # longer than what is encoded in one go
    about = soundfile.info(file)
    assert (about.samplerate, about.channels, about.format, about.subtype) == (rate, 1, container, codec)
    assert about.duration == pytest.approx(4.0, abs=0.06)
    file.seek(0)
    assert loudest_frequency(soundfile.read(file)[0], rate) == pytest.approx(440, abs=2)


def test_another_rate_is_the_same_sound_as_long() -> None:
    resampled = at_rate(tone(1.0, 16_000), 16_000, RATE)
    assert (resampled.dtype, len(resampled)) == (np.int16, RATE)
    assert loudest_frequency(resampled, RATE) == pytest.approx(440, abs=2)
    assert at_rate(resampled, RATE, RATE) is resampled
