"""A plugin with discord.py code of its own; the documentation shows it."""

from discord import Interaction, Message, app_commands
from discord.ext import commands

import tron_core as tron
from tron_core.discord import Bot, answer_with_job, reply_with_job, requester_of


class Zoo(commands.Cog):
    """Foxes by slash command, owls by prefix command, and an ear for badgers."""

    def __init__(self, bot: Bot) -> None:
        self.bot = bot

    @app_commands.command()
    async def fox(self, interaction: Interaction[Bot], times: app_commands.Range[int, 1, 5] = 1) -> None:
        """Say fox"""
        await answer_with_job(interaction, "echo", text="fox", times=times)

    @commands.command()
    async def owl(self, context: commands.Context[Bot], times: int) -> None:
        """Say owl"""
        await reply_with_job(self.bot, context.message, "echo", text="owl", times=times)

    @commands.Cog.listener()
    async def on_message(self, message: Message) -> None:
        if message.content == "badger":
            await message.reply(f"{requester_of(message.author)} saw a badger")


@tron.hookimpl
async def tron_discord_setup(bot: Bot) -> None:
    await bot.add_cog(Zoo(bot))
