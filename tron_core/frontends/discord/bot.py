"""The bot: discord.py's client, and what it is handed to."""

from __future__ import annotations

import logging
from typing import Any

import aiohttp
import discord
from discord.app_commands import AppCommandError
from discord.ext import commands

from tron_core.frontends.discord import admin_commands, answering, info_commands, setting_commands, slash
from tron_core.frontends.discord.address import use_its_gateway
from tron_core.frontends.discord.builtins import BuiltIns
from tron_core.frontends.discord.buttons import JobButton
from tron_core.frontends.discord.cards import Cards
from tron_core.frontends.discord.desk import Desk
from tron_core.frontends.discord.limits import observe
from tron_core.frontends.discord.posting import Posting
from tron_core.frontends.discord.prefix import PrefixCommands
from tron_core.frontends.discord.presses import Presses

DEFAULT_UPLOAD = 10 * 1024 * 1024
"""Bytes of the largest file in a direct channel."""

# TRON does not speak in voice channels, so that the libraries for it are not missed.
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False

logger = logging.getLogger(__name__)


class Bot(commands.AutoShardedBot):
    """One connection to Discord. ``builtins``, ``presses`` and ``prefix`` take what people do; ``cards`` shows."""

    def __init__(self, desk: Desk, *, message_content: bool = True) -> None:
        intents = discord.Intents.default()
        intents.message_content = message_content
        trace = aiohttp.TraceConfig()
        super().__init__(
            command_prefix=desk.services.settings.discord.prefix,
            help_command=None,
            intents=intents,
            allowed_mentions=discord.AllowedMentions.none(),
            chunk_guilds_at_startup=False,
            http_trace=trace,
        )
        self.desk = desk
        self.cards = Cards(self, desk.services.scheduler, desk.services.clock)
        observe(trace, posts=self.cards.posts, edits=self.cards.edits)
        plugins = desk.services.plugins
        declared = (*info_commands.COMMANDS, *setting_commands.COMMANDS, *admin_commands.COMMANDS)
        groups = {"settings": setting_commands.choose, "admin": admin_commands.choose}
        self.builtins = BuiltIns(self, declared, groups)
        self.builtins.short = lambda word: setting_commands.is_short(plugins, word)
        self.presses = Presses(self)
        self.prefix = PrefixCommands(self)
        self.posting = Posting(self, desk.services.artifacts)
        self.add_dynamic_items(JobButton)
        slash.fill(self.tree, self, list(plugins.capabilities.values()), declared)

        self.tree.error(self._command_failed)

    async def _command_failed(self, interaction: discord.Interaction[Any], error: AppCommandError) -> None:
        await answering.failed(interaction, error)

    async def setup_hook(self) -> None:
        """Logged in, and not connected yet: REST works from here on."""
        await use_its_gateway(self.http)
        try:
            if await slash.sync(self.tree, self.desk.services.database):
                logger.info("slash commands registered with Discord")
        except discord.HTTPException as error:
            logger.error("the slash commands could not be registered; those from before still work: %s", error)

    async def on_message(self, message: discord.Message, /) -> None:
        await self.prefix.hear(message)

    async def on_raw_reaction_add(self, payload: discord.RawReactionActionEvent) -> None:
        await self.presses.reaction(payload)

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        # discord.py calls this while it handles the exception.
        logger.exception("an event of Discord could not be dealt with: %s", event_method)  # noqa: LOG004

    def upload_limit(self, guild: str | None) -> int:
        """Bytes of the largest file that a guild takes."""
        found = self.get_guild(int(guild)) if guild and guild.isdecimal() else None
        return found.filesize_limit if found is not None else DEFAULT_UPLOAD
