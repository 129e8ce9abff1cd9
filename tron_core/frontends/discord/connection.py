"""Keeps the bot connected, in the background: the hub works whether Discord is up or not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import aiohttp
import discord

from tron_core.errors import Unavailable
from tron_core.frontends.discord import extensions
from tron_core.frontends.discord.bot import Bot

FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
"""Seconds between two tries to reach Discord."""
INTENTS = (
    "Discord does not grant the bot the message content intent: commands by prefix do not work, slash commands and "
    "mentions do. Turn it on in the developer portal, under Bot, Privileged Gateway Intents."
)

logger = logging.getLogger(__name__)


class Connection:
    """``make`` makes a bot (with or without the message content intent); each try to connect has a new one."""

    def __init__(self, make: Callable[[bool], Bot], token: str) -> None:
        self._make = make
        self._token = token
        self._message_content = True
        self._stopped = False
        self._bot: Bot | None = None
        self._logged_in = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, bot: Bot) -> None:
        """Begin with a bot that is made already."""
        self._bot = bot
        self._task = asyncio.get_running_loop().create_task(self._run(bot), name="discord")

    async def stop(self) -> None:
        """Disconnect; who waits for the bot is told that it does not come."""
        self._stopped = True
        self._logged_in.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def now(self) -> Bot | None:
        """The bot, once it has logged in."""
        return self._bot if self._logged_in.is_set() and not self._stopped else None

    async def bot(self) -> Bot:
        """The bot, as soon as it has logged in; raises Unavailable once this was stopped."""
        await self._logged_in.wait()
        if self._stopped or self._bot is None:
            raise Unavailable("The connection to Discord was ended.")
        return self._bot

    async def _run(self, bot: Bot) -> None:
        wait = FIRST_WAIT
        while True:
            self._bot = bot
            try:
                await self._serve(bot)
                wait = FIRST_WAIT
            except discord.LoginFailure:
                logger.error("Discord refuses the token of discord.token; the hub goes on without Discord")
                return
            except discord.PrivilegedIntentsRequired:
                logger.warning(INTENTS)
                self._message_content = False
            except (OSError, aiohttp.ClientError, discord.DiscordException) as error:
                logger.warning("Discord cannot be reached (%s); again in %g s", error, wait)
                await asyncio.sleep(wait)
                wait = min(LONGEST_WAIT, 2 * wait)
            finally:
                if not self._stopped:
                    self._logged_in.clear()
                await bot.cards.stop()
            bot = self._make(self._message_content)

    async def _serve(self, bot: Bot) -> None:
        async with bot:
            await extensions.extend(bot)
            await bot.login(self._token)
            self._logged_in.set()
            await bot.connect(reconnect=True)
