"""What a plugin needs to add discord.py code of its own to the bot: public, and for the hub alone.

Implement the hook ``tron_discord_setup(bot)`` and add cogs, commands and listeners as in any bot of discord.py's::

    from discord import Interaction, app_commands
    from discord.ext import commands

    class Zoo(commands.Cog):
        @app_commands.command()
        async def fox(self, interaction: Interaction) -> None:
            "Paint a fox"
            await answer_with_job(interaction, "paint", prompt="a fox")

    @tron.hookimpl
    async def tron_discord_setup(bot):
        await bot.add_cog(Zoo())
"""

from __future__ import annotations

from typing import Any

import discord

from tron_core.frontends.discord import answering
from tron_core.frontends.discord.bot import Bot
from tron_core.frontends.discord.caller import caller_in, caller_of
from tron_core.frontends.discord.cards import Place

__all__ = ["Bot", "answer_with_job", "reply_with_job", "requester_of"]


def requester_of(user: discord.abc.Snowflake) -> str:
    """The requester that a person on Discord is: the name under which settings and jobs of theirs stand."""
    return f"discord:{user.id}"


async def answer_with_job(interaction: discord.Interaction[Bot], capability: str, **params: Any) -> None:
    """Ask for ``capability`` in the name of who used a command or pressed a button, under the guild's rules, and answer
    with the message in which the job lives; why there is no job, the person alone is told."""
    bot = interaction.client
    place = Place(interaction.channel_id or 0, user=interaction.user.id)
    making = bot.desk.submit(caller_in(interaction), capability, params, place)
    await answering.with_job(
        interaction, bot.desk, bot.cards, making, bot.desk.services.plugins.capabilities.get(capability)
    )


async def reply_with_job(bot: Bot, message: discord.Message, capability: str, **params: Any) -> None:
    """Ask for ``capability`` in the name of who wrote ``message``, and let the job live in a reply to it. Raises
    TronError where there is no job: of a prefix command the bot tells that to its author."""
    caller = caller_of(message.author, message.channel, message.guild)
    place = Place(message.channel.id, answering=message.id, user=message.author.id)
    await bot.cards.open(await bot.desk.submit(caller, capability, params, place), place)
