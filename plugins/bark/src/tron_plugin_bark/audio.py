"""Sound as samples: fading, joining, writing."""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Samples: TypeAlias = npt.NDArray[np.int16]
"""One channel."""

FADE = 0.005
"""Seconds over which a piece rises from silence and falls back: shorter clicks, longer swallows a consonant."""

PAUSE = 0.25
"""Seconds of silence between two pieces."""


def fade(samples: Samples, rate: int) -> Samples:
    """Begin and end in silence, so that joining makes no click. ``rate`` in samples a second."""
    length = min(round(FADE * rate), len(samples) // 2)
    ramp = np.linspace(0, 1, length, endpoint=False)
    faded = samples.astype(np.float64)
    faded[:length] *= ramp
    faded[len(faded) - length :] *= ramp[::-1]
    return np.rint(faded).astype(np.int16)


def join(pieces: Sequence[Samples], rate: int) -> Samples:
    """The pieces one after another with a pause between two."""
    silence = np.zeros(round(PAUSE * rate), np.int16)
    parts = [part for piece in pieces for part in (silence, fade(piece, rate))]
    return np.concatenate(parts[1:]) if parts else np.zeros(0, np.int16)


def wav(samples: Samples, rate: int) -> bytes:
    """A WAV file: PCM, 16 bits, mono."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return out.getvalue()
