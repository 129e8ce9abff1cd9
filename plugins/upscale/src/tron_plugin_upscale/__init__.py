"""Upscaling of pictures: the hub's half, which imports no library for pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tron_core as tron

MODELS = ("realesr-animevideov3", "realesrgan-x4plus", "realesrgan-x4plus-anime")
"""The models that everybody knows by name; the first is the default of a worker that has it."""

MAX_PIXELS = 4_000_000
"""Pixels of the largest picture that a worker takes, unless its configuration says otherwise."""

PICTURE_TYPES = frozenset({"image/png", "image/jpeg", "image/webp"})
"""The media types of artifacts that get an Upscale action."""

MARKER = "!upscale"
"""In a message to the bot with a picture, wherever it stands: the picture is to be enlarged."""

_SECONDS = {"realesr-animevideov3": 5.0, "realesrgan-x4plus-anime": 40.0, "realesrgan-x4plus": 90.0}
"""A first guess for a picture of 512 x 512 on a CPU."""


class UpscaleParams(tron.Params):
    """What to enlarge, how much and with what."""

    image: tron.Attachment = tron.Input("The picture to enlarge", accept="image/*")
    factor: int = tron.Setting(4, ge=2, le=4, help="How many times as wide and high")
    model: str | None = tron.Setting(None, max_length=64, help="The model; the worker's first one unless given")


class Upscale(tron.Capability):
    """Enlarge a picture with Real-ESRGAN or a diffusion model."""

    name = "upscale"
    command = tron.Command(
        "upscale",
        summary="Enlarge a picture two to four times",
        example="--factor 2 (with a picture attached)",
        menu="Upscale",
    )
    params = UpscaleParams

    def expected_seconds(self, params: UpscaleParams) -> float:
        """By the model alone: the hub does not know how large the picture is."""
        return _SECONDS.get(params.model or MODELS[0], 40.0)

    def deadline(self, params: UpscaleParams) -> float:
        """Half an hour: the largest picture with the largest model takes that on a CPU."""
        return 1800.0

    def choices(self, field: str) -> Sequence[str]:
        return MODELS if field == "model" else ()

    def demo(self) -> tron.Demo:
        return tron.Demo({"factor": 4}, {"image": Path(__file__).parent / "data" / "landscape.png"})

    async def handle_result(self, job: tron.Job, result: tron.Result) -> tron.Reply:
        output = result.output
        factor = job.params.get("factor", 4)
        return tron.Reply(text=f"{output['width']} × {output['height']}, {output['model']}, {factor}×")


@tron.hookimpl
def tron_register_capabilities() -> Sequence[tron.Capability]:
    return [Upscale()]


@tron.hookimpl(tryfirst=True)
async def tron_message(message: tron.Message) -> tron.JobRequest | None:
    """Claim what says the marker and has a picture, before those who claim any message with one."""
    pictures = [file for file in message.attachments if file.media_type in PICTURE_TYPES]
    if not (message.mentions_bot and pictures and MARKER in message.text.lower().split()):
        return None
    return tron.JobRequest(
        Upscale.name,
        {"image": pictures[0].id},
        message.requester,
        guild=message.guild,
        channel=message.channel,
        roles=message.roles,
    )


@tron.hookimpl
def tron_reply_actions(job: tron.Job, reply: tron.Reply) -> Sequence[tron.Action]:
    """Offer to enlarge each picture that the reply shows, but not one of ours that is too large to go in again."""
    if job.capability == Upscale.name and not _fits_again(job):
        return []
    pictures = [artifact for artifact in job.artifacts if _is_shown_picture(artifact, reply)]
    labels = [f"Upscale #{n}" for n in range(1, len(pictures) + 1)] if len(pictures) > 1 else ["Upscale"]
    return [
        tron.Action(label, Upscale.name, {"image": picture.id}, emoji="🔍")
        for label, picture in zip(labels, pictures, strict=False)
    ]


def _fits_again(job: tron.Job) -> bool:
    output = job.output or {}
    return int(output.get("width", 0)) * int(output.get("height", 0)) <= MAX_PIXELS


def _is_shown_picture(artifact: tron.Artifact, reply: tron.Reply) -> bool:
    shown = reply.artifacts is None or artifact.name in reply.artifacts
    return shown and artifact.role is tron.Role.RESULT and artifact.media_type in PICTURE_TYPES
