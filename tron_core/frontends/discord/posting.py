"""Posts to channels on an operator's behalf."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import discord

from tron_core.errors import NotFound, Refused
from tron_core.frontends.discord.content import NOBODY, Content, File
from tron_core.frontends.discord.splitting import LIMIT
from tron_core.storage.artifacts import Artifacts

if TYPE_CHECKING:
    from tron_core.frontends.discord.bot import Bot


class Posting:
    def __init__(self, bot: Bot, artifacts: Artifacts) -> None:
        self._bot = bot
        self._artifacts = artifacts

    async def post(self, channel: str, content: str, artifacts: Sequence[str]) -> dict[str, str]:
        """Post a message with files; returns ``channel_id`` and ``message_id``. Raises NotFound for a channel or an
        artifact that is not there, Refused for what Discord does not take."""
        if len(content) > LIMIT:
            raise Refused(f"content: {len(content)} characters; at most {LIMIT} are taken")
        files = [await self._file(artifact) for artifact in artifacts]
        where = self._bot.get_partial_messageable(int(channel))
        try:
            message = await where.send(**Content(content, files).as_post(NOBODY))
        except discord.NotFound:
            raise NotFound(f"channel_id ({channel}): the bot sees no such channel") from None
        except discord.HTTPException as error:
            raise Refused(f"Discord refuses this message: {error.text or error}", code="discord_refused") from None
        return {"channel_id": channel, "message_id": str(message.id)}

    async def _file(self, artifact_id: str) -> File:
        artifact, chunks = await self._artifacts.open(artifact_id)
        return File(artifact.filename, b"".join([chunk async for chunk in chunks]))
