"""The Vary actions below a reply: one for each picture. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tron_core as tron
from tron_plugin_img2img.params import MEDIA_TYPES

NAME = "img2img"
"""The capability that varies."""

DIGITS = ("1️⃣", "2️⃣", "3️⃣", "4️⃣")
"""As many pictures as one job draws; of others, the first ones get an action."""

DRAWING = ("txt2img", NAME)
"""The capabilities whose params say what a picture shows."""

CONTENT = ("prompt", "negative_prompt", "positive_prompt", "style", "model", "loras")
"""What a variation shows, too; how it is drawn is left to whoever presses."""


def actions_of(job: tron.Job, reply: tron.Reply) -> Sequence[tron.Action]:
    """One for each picture that the reply shows."""
    pictures = [artifact for artifact in job.artifacts if _is_shown_picture(artifact, reply)][: len(DIGITS)]
    content = _content(job)
    return [
        tron.Action(f"Vary #{number}", NAME, {**content, "image": picture.id}, emoji=digit)
        for number, (picture, digit) in enumerate(zip(pictures, DIGITS, strict=False), start=1)
    ]


def _content(job: tron.Job) -> dict[str, Any]:
    if job.capability not in DRAWING:
        return {}
    return {key: job.params[key] for key in CONTENT if job.params.get(key)}


def _is_shown_picture(artifact: tron.Artifact, reply: tron.Reply) -> bool:
    shown = reply.artifacts is None or artifact.name in reply.artifacts
    return shown and artifact.role is tron.Role.RESULT and artifact.media_type in MEDIA_TYPES
