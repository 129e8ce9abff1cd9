"""The bot: discord.py's client, and what it is handed to."""

from __future__ import annotations

import logging
from typing import Any

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands

from tron_core.errors import Refused, TronError
from tron_core.frontends.discord import (
    admin_commands,
    answering,
    extensions,
    info_commands,
    rules,
    setting_commands,
    slash,
)
from tron_core.frontends.discord.address import use_its_gateway
from tron_core.frontends.discord.builtins import BuiltIns
from tron_core.frontends.discord.buttons import JobButton
from tron_core.frontends.discord.caller import Caller, caller_in, caller_of
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


class Tree(app_commands.CommandTree["Bot"]):
    """The slash commands. Plugins' own are under the guild's rules as well: ours ask about them themselves."""

    async def interaction_check(self, interaction: discord.Interaction[Bot], /) -> bool:
        command = interaction.command
        name = command and command.qualified_name.split()[0]
        if name is not None and name not in interaction.client.own_commands:
            try:
                await interaction.client.check_place(caller_in(interaction))
            except Refused as error:
                raise app_commands.CheckFailure(error.message) from None
        return True

    async def on_error(self, interaction: discord.Interaction[Bot], error: app_commands.AppCommandError, /) -> None:
        reason = getattr(error, "original", error)
        if isinstance(reason, TronError | app_commands.CheckFailure):
            await answering.privately(interaction, f"⚠️ {reason}")
        else:
            await answering.failed(interaction, error)


class Bot(commands.AutoShardedBot):
    """One connection to Discord. ``builtins``, ``presses`` and ``prefix`` take what people do; ``cards`` shows."""

    def __init__(self, desk: Desk, *, message_content: bool = True) -> None:
        intents = discord.Intents.default()
        intents.message_content = message_content
        trace = aiohttp.TraceConfig()
        super().__init__(
            command_prefix=commands.when_mentioned_or(desk.services.settings.discord.prefix),
            tree_cls=Tree,
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
        self.add_check(self._may_ask)
        self.builtins.short = lambda word: setting_commands.is_short(plugins, word)
        self.presses = Presses(self)
        self.prefix = PrefixCommands(self)
        self.posting = Posting(self, desk.services.artifacts)
        self.add_dynamic_items(JobButton)
        extensions.check_names(self)
        slash.fill(self.tree, self, list(plugins.capabilities.values()), declared)
        self.own_commands = frozenset(command.name for command in self.tree.get_commands())

    async def setup_hook(self) -> None:
        """Logged in, and not connected yet: REST works from here on."""
        await use_its_gateway(self.http)
        try:
            if await slash.sync(self.tree, self.desk.services.database):
                logger.info("slash commands registered with Discord")
        except discord.HTTPException as error:
            logger.error("the slash commands could not be registered; those from before still work: %s", error)

    async def on_ready(self) -> None:
        self._again()

    async def on_resumed(self) -> None:
        self._again()

    def _again(self) -> None:
        """Discord is there again; it may have been away for long."""
        self.desk.services.scheduler.retry_deliveries("discord")

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        if interaction.type is discord.InteractionType.modal_submit:
            await self.presses.submitted(interaction)

    async def on_message(self, message: discord.Message, /) -> None:
        if self.all_commands and not message.author.bot:  # a plugin has added commands
            context = await self.get_context(message)
            if context.valid:
                await self.invoke(context)
                return
        await self.prefix.hear(message)

    async def _may_ask(self, context: commands.Context[Bot]) -> bool:
        """Plugins' own commands are under the guild's rules."""
        try:
            await self.check_place(caller_of(context.author, context.channel, context.guild))
        except Refused as error:
            raise commands.CheckFailure(error.message) from None
        return True

    async def check_place(self, caller: Caller) -> None:
        """Raise Refused where the guild's rules let the caller ask for nothing here."""
        rules.check_place(await self.desk.rules_of(caller.guild), caller)

    async def on_command_error(  # type: ignore[override]  # discord.py's own has this signature
        self, context: commands.Context[Bot], error: commands.CommandError, /
    ) -> None:
        reason = getattr(error, "original", error)
        if isinstance(reason, TronError | commands.UserInputError | commands.CheckFailure):
            await self.prefix.tell(context.message, f"⚠️ {reason}")
            return
        logger.error("the command %s of a plugin failed", context.command, exc_info=error)
        await self.prefix.tell(context.message, "⚠️ Something went wrong here. It is in the hub's log.")

    async def on_raw_reaction_add(self, payload: discord.RawReactionActionEvent) -> None:
        await self.presses.reaction(payload)

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        # discord.py calls this while it handles the exception.
        logger.exception("an event of Discord could not be dealt with: %s", event_method)  # noqa: LOG004

    def upload_limit(self, guild: str | None) -> int:
        """Bytes of the largest file that a guild takes."""
        found = self.get_guild(int(guild)) if guild and guild.isdecimal() else None
        return found.filesize_limit if found is not None else DEFAULT_UPLOAD
