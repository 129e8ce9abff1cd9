"""Voice messages: what Discord shows with a play button and a waveform. They hold one sound and nothing else."""

from __future__ import annotations

import io
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import discord
from discord.http import handle_message_parameters

from tron_core.frontends.discord.content import NOBODY, Content, File, Voice

if TYPE_CHECKING:
    from tron_core.frontends.discord.bot import Bot

REFUSED = (50013, 50159, 50160, 50161, 50173)
"""Discord's codes for: a permission is missing; something stands beside the sound; it is not one sound; its length or
waveform is missing; no voice messages in this channel."""

logger = logging.getLogger(__name__)


class _VoiceFile(discord.File):
    """A file with what Discord wants to know of a voice message; discord.py has no such thing of its own."""

    def __init__(self, file: File, voice: Voice) -> None:
        super().__init__(io.BytesIO(file.data), file.name)
        self._voice = voice

    def to_dict(self, index: int) -> dict[str, Any]:
        sound = {"duration_secs": self._voice.seconds, "waveform": self._voice.waveform}
        return {**super().to_dict(index), **sound}


async def send(bot: Bot, channel: int, page: Content, nonce: str) -> None:
    """Post a page; one that is a voice message as that, or as a file where Discord does not take it."""
    place = bot.get_partial_messageable(channel)
    if page.voice is not None:
        try:
            await _send_voice(bot, channel, page.files[0], page.voice, nonce)
            return
        except discord.HTTPException as error:
            if error.code not in REFUSED:
                raise
            logger.info("a voice message in %s is sent as a file: %s", channel, error)
            page = replace(page, voice=None)
    await place.send(**page.as_post(), nonce=nonce)


async def _send_voice(bot: Bot, channel: int, file: File, voice: Voice, nonce: str) -> None:
    """As ``send`` of a channel does, which knows neither the flag nor files with more than a name."""
    with handle_message_parameters(
        file=_VoiceFile(file, voice), flags=discord.MessageFlags(voice=True), nonce=nonce, allowed_mentions=NOBODY
    ) as params:
        for part in params.multipart or ():
            if part["name"].startswith("files["):
                part["content_type"] = voice.media_type  # of any other Discord ignores length and waveform
        await bot.http.send_message(channel, params=params)
