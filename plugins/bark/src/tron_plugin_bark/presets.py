"""The names of Bark's own voices. Pure, and the same on both halves: no file is looked at."""

from __future__ import annotations

import re

LANGUAGES = ("en", "de", "es", "fr", "hi", "it", "ja", "ko", "pl", "pt", "ru", "tr", "zh")
"""What Bark was trained to speak; https://github.com/suno-ai/bark#supported-languages."""

SPEAKERS = 10
"""Of each language, counted from 0."""

PRESETS = tuple(f"v2/{language}_speaker_{number}" for language in LANGUAGES for number in range(SPEAKERS))
"""The newer recordings of all speakers."""

FAVOURITE = "v2/en_speaker_6"
"""The speaker that Bark's documentation uses."""

_ALIKE = re.compile(r"(?:v\d+/)?[a-z]{2}_speaker_\d+")


def like_a_preset(voice: str) -> bool:
    """Whether ``voice`` is written like one of Bark's, whether or not there is such a one."""
    return _ALIKE.fullmatch(voice) is not None


def is_preset(voice: str) -> bool:
    """Whether Bark was published with this voice; the older recordings have the same names without ``v2/``."""
    return voice in PRESETS or f"v2/{voice}" in PRESETS or voice == "announcer"
