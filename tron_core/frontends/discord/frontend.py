"""The Discord frontend as the hub starts and stops it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import discord

from tron_core.api import UndeliverableError
from tron_core.errors import Unavailable
from tron_core.frontends.discord import rules
from tron_core.frontends.discord.address import use_api
from tron_core.frontends.discord.bot import Bot
from tron_core.frontends.discord.cards import Place
from tron_core.frontends.discord.composing import Composer
from tron_core.frontends.discord.connection import Connection
from tron_core.frontends.discord.desk import Desk
from tron_core.frontends.discord.fetching import Fetcher
from tron_core.frontends.discord.quotas import check_quota
from tron_core.hooks import hookimpl
from tron_core.job import Job, JobEvent, JobRequest, JobState, StoredReply
from tron_core.services import Services

logger = logging.getLogger(__name__)

RULES_PLUGIN = "discord-rules"
"""The name under which the guild's rules are asked about every request."""


class RuleHooks:
    """The guild's rules about capability, params and quotas: of what a request is in the end, as plugins may make
    another one of it (a preset of a capability becomes that capability), fill in its params, or ask for many."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @hookimpl(trylast=True)
    async def tron_job_submitting(self, request: JobRequest) -> None:
        if request.guild is not None and request.requester.startswith("discord:"):
            found = await self._services.guild_rules.of(request.guild)
            rules.check_capability(found, request.capability, nsfw=request.nsfw)
            rules.check_params(found, request.capability, request.params)
            await check_quota(self._services, found, request)


class DiscordFrontend:
    """Commands, buttons and messages of Discord. The hub does not wait for it to connect."""

    name = "discord"

    def __init__(self, services: Services, *, fetcher: Fetcher | None = None) -> None:
        self._services = services
        settings = services.settings
        assert settings.discord.token is not None
        services.plugins.register(RULES_PLUGIN, RuleHooks(services), built_in=True)
        self._desk = Desk(services, fetcher or Fetcher(services))
        self._connection = Connection(self._bot, settings.discord.token.get_secret_value())
        public = settings.artifacts.public_url or (
            settings.http.public_url and f"{settings.http.public_url.rstrip('/')}/artifacts"
        )
        self._composer = Composer(
            services.artifacts,
            public=public.rstrip("/") if public else None,
            embed=settings.artifacts.public_url is not None,
        )

    def _bot(self, message_content: bool = True) -> Bot:
        return Bot(self._desk, message_content=message_content)

    async def start(self) -> None:
        """Begin to connect; raises ConfigError where the commands cannot be registered."""
        use_api(self._services.settings.discord.api_url)
        self._connection.start(self._bot())
        self._services.post_message = self.post

    async def stop(self) -> None:
        """Disconnect; what was not shown is at the next start."""
        self._services.post_message = None
        await self._connection.stop()

    async def deliver(self, delivery: str, job: Job, reply: StoredReply) -> None:
        """Show a reply in the message that said "Queued"; waits for Discord to be there."""
        if job.target is None:
            raise UndeliverableError("the job has no target")
        bot = await self._connection.bot()
        found = await self._desk.rules_of(job.guild)
        pages = await self._composer.pages(
            job, reply, upload_limit=bot.upload_limit(job.guild), spoilers=bool(found.get("spoilers"))
        )
        try:
            await bot.cards.finish(delivery, job, pages)
        except UndeliverableError as error:
            await _tell_directly(bot, job, error)
            raise
        if found.get("delete_commands") and job.state is JobState.SUCCEEDED:
            await _delete_command(bot, job)

    def show(self, job: Job, event: JobEvent) -> None:
        """Show a state or progress in the job's message."""
        bot = self._connection.now
        if bot is not None:
            bot.cards.show(job, event)

    async def post(self, channel: str, content: str, artifacts: Sequence[str] = ()) -> Mapping[str, Any]:
        """Post to a channel, for ``POST /api/v1/messages``; raises Unavailable, NotFound, Refused."""
        bot = self._connection.now
        if bot is None:
            raise Unavailable("Discord is not connected now; try again later.")
        return await bot.posting.post(channel, content, artifacts)


async def _delete_command(bot: Bot, job: Job) -> None:
    """Delete the message that the job was asked for with: a member's own, never one of the bot's."""
    place = Place.of(job.target.address if job.target else {})
    if place.answering is None or place.user is None:
        return
    try:
        message = await bot.get_partial_messageable(place.channel).fetch_message(place.answering)
        if message.author.id == place.user:
            await message.delete()
    except discord.NotFound:
        pass  # they have deleted it themselves
    except discord.HTTPException as error:
        logger.warning("the command of job %s is not deleted, which the rule delete_commands wants: %s", job.id, error)


async def _tell_directly(bot: Bot, job: Job, error: UndeliverableError) -> None:
    """Who asked is told that the result cannot be shown where they asked."""
    user = job.requester.removeprefix("discord:")
    if job.requester.startswith("discord:") and user.isdecimal():
        person = await bot.fetch_user(int(user))
        text = f"I cannot show the result of `{job.id[-8:]}` ({job.capability}) where you asked for it: {error}"
        await bot.prefix.tell_directly(person, text)
