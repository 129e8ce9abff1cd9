"""Sound as samples: fading, joining, writing."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

Samples: TypeAlias = npt.NDArray[np.int16]
"""One channel."""

FADE = 0.005
"""Seconds over which a piece rises from silence and falls back: shorter clicks, longer swallows a consonant."""

PAUSE = 0.25
"""Seconds of silence between two pieces."""

_BLOCK = 1 << 16
"""Samples that are encoded in one go."""


@dataclass(frozen=True, slots=True)
class FileKind:
    """A format that can be written; ``rate`` is the only one it takes, None for any."""

    media_type: str
    container: str
    codec: str
    rate: int | None = None


KINDS: Mapping[str, FileKind] = {
    "wav": FileKind("audio/wav", "WAV", "PCM_16"),
    # Opus at its own rate, because that is what a voice message in Discord is.
    "ogg": FileKind("audio/ogg", "OGG", "OPUS", 48_000),
    "mp3": FileKind("audio/mpeg", "MP3", "MPEG_LAYER_III"),
}
"""By the name that people ask for, which is the extension too."""


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


def at_rate(samples: Samples, rate: int, wanted: int) -> Samples:
    """The same sound at ``wanted`` samples a second."""
    if rate == wanted:
        return samples
    resampled: Samples = soxr.resample(samples, rate, wanted)
    return resampled


def encode(samples: Samples, rate: int, kind: FileKind) -> bytes:
    """A file of one channel."""
    out = io.BytesIO()
    wanted = kind.rate or rate
    samples = at_rate(samples, rate, wanted)
    with soundfile.SoundFile(out, "w", wanted, 1, format=kind.container, subtype=kind.codec) as file:
        # In blocks: some encoders put what they get at once on the stack.
        for start in range(0, len(samples), _BLOCK):
            file.write(samples[start : start + _BLOCK])
    return out.getvalue()
