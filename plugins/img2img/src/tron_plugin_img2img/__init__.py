"""Pictures from pictures: the hub's half, which imports no library for pictures.

A worker imports this package for its executor, and has none of the hub's libraries: so what needs ``api`` is imported
when the hub asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tron_core as tron
from tron_plugin_img2img.params import MEDIA_TYPES, Img2ImgParams
from tron_plugin_img2img.vary import NAME, actions_of

__all__ = ["Img2ImgParams"]


@tron.hookimpl
def tron_register_capabilities() -> Sequence[tron.Capability]:
    """Offer ``img2img``."""
    from tron_plugin_img2img.capability import Img2Img
    from tron_plugin_stable_diffusion import api

    return [Img2Img(api.service())]


# First, so that the rules of guilds and moderation see what really becomes of a request.
@tron.hookimpl(tryfirst=True)
async def tron_job_submitting(request: tron.JobRequest) -> tron.JobRequest | None:
    """Complete what is to be drawn, by the catalogue of stable-diffusion."""
    if request.capability != NAME:
        return None
    from tron_plugin_stable_diffusion import api

    return await api.derive(request)


@tron.hookimpl
async def tron_message(message: tron.Message) -> tron.JobRequest | None:
    """Claim what is said to the bot with a picture: its text says what becomes of the picture, or nothing does."""
    pictures = [file for file in message.attachments if file.media_type in MEDIA_TYPES]
    if not message.mentions_bot or not pictures:
        return None
    return tron.JobRequest(
        NAME,
        {"prompt": message.text.strip(), "image": pictures[0].id},
        message.requester,
        guild=message.guild,
        channel=message.channel,
        roles=message.roles,
    )


@tron.hookimpl
def tron_reply_actions(job: tron.Job, reply: tron.Reply) -> Sequence[tron.Action]:
    """Offer a variation of each picture that a reply shows, whoever made it."""
    return actions_of(job, reply)


@tron.hookimpl(optionalhook=True)
def tron_legacy_job() -> list[Any]:
    """Let workers of discord-tron-master draw."""
    from tron_plugin_img2img.legacy import OldImage, OldVariation
    from tron_plugin_stable_diffusion import api

    return [OldImage(api.service()), OldVariation(api.service())]


@tron.hookimpl(optionalhook=True)
def tron_legacy_import() -> list[Any]:
    """Take what people of a discord-tron-master had set."""
    from tron_plugin_img2img.legacy_import import StrengthImport

    return [StrengthImport()]
