"""What plugins add to the bot by code of their own: cogs, commands and listeners of discord.py."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from discord import AppCommandType
from discord.app_commands import CommandAlreadyRegistered, CommandLimitReached
from discord.ext.commands import CommandRegistrationError

from tron_core.errors import ConfigError
from tron_core.plugins import Outcome

if TYPE_CHECKING:
    from tron_core.frontends.discord.bot import Bot

logger = logging.getLogger(__name__)


async def extend(bot: Bot) -> None:
    """Let every plugin add to the bot. What one that raises, or that takes a name which is taken, has added until then
    is undone, and the log says why; the others have their turn all the same."""
    before = _Contents(bot)
    async for outcome in bot.desk.services.plugins.call_each("tron_discord_setup", bot=bot):
        reason = _fault(outcome) or _clash(bot, before)
        if reason is not None:
            logger.error(
                "plugin %s adds nothing to Discord: %s", outcome.plugin, reason, extra={"plugin": outcome.plugin}
            )
            await before.restore(bot)
        before = _Contents(bot)


class _Contents:
    """What the bot has: its cogs, commands and listeners."""

    def __init__(self, bot: Bot) -> None:
        self.cogs = set(bot.cogs)
        self.words = set(bot.all_commands)
        self.slash = set(bot.tree.get_commands())
        self._listeners = {event: list(functions) for event, functions in bot.extra_events.items()}

    async def restore(self, bot: Bot) -> None:
        """Take out what came since."""
        for name in set(bot.cogs) - self.cogs:
            await bot.remove_cog(name)
        for word in set(bot.all_commands) - self.words:
            bot.remove_command(word)
        for command in set(bot.tree.get_commands()) - self.slash:
            kind = getattr(command, "type", AppCommandType.chat_input)  # Discord's own word
            bot.tree.remove_command(command.name, type=kind)
        for event, functions in bot.extra_events.items():
            for function in functions[:]:
                if function not in self._listeners.get(event, ()):
                    bot.remove_listener(function, event)


def _fault(outcome: Outcome) -> str | None:
    error = outcome.error
    if error is None:
        return None
    if isinstance(error, CommandAlreadyRegistered):
        return f"there is a command /{error.name} already"
    if isinstance(error, CommandRegistrationError):
        return f"there is a command {error.name} already"
    if isinstance(error, CommandLimitReached):
        return f"Discord takes {error.limit} commands"
    return f"{type(error).__name__}: {error}"


def _clash(bot: Bot, before: _Contents) -> str | None:
    """A word that a plugin's prefix commands have in common with ours, which discord.py does not know."""
    for word in sorted(set(bot.all_commands) - before.words):
        if word in bot.desk.services.plugins.commands or bot.builtins.find(word):
            return f"there is a command {bot.desk.services.settings.discord.prefix}{word} already"
    return None


def check_names(bot: Bot) -> None:
    """Raise ConfigError where a capability's command, or an alias of it, is one of the core's own."""
    plugins = bot.desk.services.plugins
    own = set(bot.builtins.names)
    for word, capability in plugins.commands.items():
        if word in own:
            plugin = plugins.plugin_of(capability.name)
            raise ConfigError(
                f"The plugin {plugin} names a command {word} (of its capability {capability.name}), which is one of "
                "the core's own on Discord; disable the plugin, or have it choose another name"
            )
