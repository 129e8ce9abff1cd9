"""The desk: where requests from messages, slash commands and buttons become jobs, under the guild's rules."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import discord

from tron_core.capability import Capability, FieldSpec, fields_of, offered_fields
from tron_core.errors import InvalidParams, Refused, TronError
from tron_core.frontends.discord import rules
from tron_core.frontends.discord.caller import Caller
from tron_core.frontends.discord.cards import Place
from tron_core.frontends.discord.fetching import Fetcher
from tron_core.frontends.discord.grammar import example
from tron_core.job import JobRequest
from tron_core.scheduling.views import LiveJob
from tron_core.services import Services

logger = logging.getLogger(__name__)


class Desk:
    """``fetcher`` brings in files; the guild's rules are asked before anything else."""

    def __init__(self, services: Services, fetcher: Fetcher) -> None:
        self.services = services
        self.fetcher = fetcher

    async def rules_of(self, guild: int | str | None) -> Mapping[str, Any]:
        """The rules of a guild; none in a direct channel."""
        return {} if guild is None else await self.services.guild_rules.of(str(guild))

    async def check(self, caller: Caller, capability: str) -> None:
        """Raise Refused where the guild's rules say so."""
        found = await self.rules_of(caller.guild)
        rules.check_place(found, caller)
        rules.check_capability(found, capability, nsfw=caller.nsfw)

    async def submit(
        self, caller: Caller, capability: str, values: Mapping[str, Any], place: Place, *, parent: str | None = None
    ) -> LiveJob:
        """Make a job; raises TronError. ``values`` may be as text."""
        await self.check(caller, capability)
        return await self.services.scheduler.submit(
            await self.request(caller, capability, values, place, parent=parent)
        )

    async def act(self, caller: Caller, job: str, number: int, place: Place) -> LiveJob:
        """Follow an action of a job's reply; raises TronError."""
        done = await self.services.scheduler.get(job)
        actions = done.job.reply.actions if done.job.reply else ()
        await self.check(caller, actions[number].capability if number < len(actions) else done.job.capability)
        request = await self.request(caller, done.job.capability, {}, place, parent=job)
        return await self.services.scheduler.act(job, number, request)

    async def request(
        self, caller: Caller, capability: str, values: Mapping[str, Any], place: Place, *, parent: str | None = None
    ) -> JobRequest:
        """What the scheduler is handed."""
        found = await self.rules_of(caller.guild)
        return JobRequest(
            capability=capability,
            params=values,
            requester=caller.requester,
            target=place.target(),
            guild=caller.guild_id,
            channel=caller.settings_channel,
            roles=caller.roles,
            lenient=True,
            parent=parent,
            requester_name=caller.name,
            admin=rules.is_admin(found, caller),
            nsfw=rules.allows_nsfw(found, caller),
        )

    async def with_files(
        self, caller: Caller, capability: Capability, values: dict[str, Any], files: Sequence[discord.Attachment]
    ) -> dict[str, Any]:
        """``values`` with the attached files in its input fields, and URLs there fetched; raises TronError."""
        inputs = [spec for spec in fields_of(capability.params) if spec.kind == "input"]
        values = await self._fetch_urls(caller, inputs, values)
        free = [spec for spec in inputs if spec.name not in values or spec.type == "attachments"]
        if files and not free:
            raise Refused(f"{capability.command.name} takes no files here.")
        artifacts = await self.fetcher.attachments(_as_many(free, files), caller.requester)
        left = [artifact.id for artifact in artifacts]
        for spec in free:
            if left and spec.type == "attachment":
                values[spec.name] = left.pop(0)
            elif left:
                values[spec.name] = [*values.get(spec.name, ()), *left]
                left = []
        return values

    async def _fetch_urls(self, caller: Caller, inputs: Sequence[FieldSpec], values: dict[str, Any]) -> dict[str, Any]:
        found = dict(values)
        for spec in inputs:
            given = found.get(spec.name)
            if isinstance(given, str) and "://" in given:
                found[spec.name] = (await self.fetcher.url(given, caller.requester)).id
            elif isinstance(given, list):
                found[spec.name] = [
                    (await self.fetcher.url(each, caller.requester)).id if "://" in each else each for each in given
                ]
        return found

    def sentence(self, error: TronError, capability: Capability | None = None) -> str:
        """What a person is told of an error; for wrong params with one correct example."""
        if isinstance(error, InvalidParams) and capability is not None:
            fields = offered_fields(capability.params)
            shown = example(self.services.settings.discord.prefix, capability.command, fields)
            return f"⚠️ {error.message}\n-# Example: `{shown}`"
        return f"⚠️ {error.message}"


def _as_many(free: Sequence[FieldSpec], files: Sequence[discord.Attachment]) -> Sequence[discord.Attachment]:
    """The files that have a field: all, or the first ones where there is no list."""
    if any(spec.type == "attachments" for spec in free):
        return files
    return files[: len(free)]
