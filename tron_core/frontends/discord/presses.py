"""What happens when somebody presses a button or reacts."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import discord

from tron_core.capability import Capability, FieldSpec, offered_fields
from tron_core.errors import Forbidden, NotFound, TronError
from tron_core.frontends.discord import answering, rules
from tron_core.frontends.discord.answering import Interaction
from tron_core.frontends.discord.buttons import CORE, job_of
from tron_core.frontends.discord.caller import Caller, caller_in, caller_of
from tron_core.frontends.discord.cards import Place
from tron_core.frontends.discord.content import NOBODY
from tron_core.frontends.discord.desk import Desk
from tron_core.job import Job, JobState
from tron_core.scheduling.views import LiveJob

if TYPE_CHECKING:
    from tron_core.frontends.discord.bot import Bot

MAX_INPUTS = 5
"""Inputs of one modal."""
MAX_INPUT = 4000
FORM_SECONDS = 60.0
"""How long discord.py remembers a form; what is sent later comes all the same."""
_FORM = re.compile(r"tron:form:(?P<job>[0-9A-HJKMNP-TV-Z]{26})")

logger = logging.getLogger(__name__)


class Presses:
    """Buttons and reactions; both do the same."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._desk: Desk = bot.desk

    async def press(self, interaction: Interaction, verb: str, job: str, number: int | None) -> None:
        """A button was pressed."""
        caller = caller_in(interaction)
        try:
            if verb in ("again", "act"):
                making = self._make(caller, verb, job, number or 0, _here(interaction))
                await answering.with_job(interaction, self._desk, self._bot.cards, making)
            elif verb == "edit":
                await self._edit(interaction, caller, job)
            else:
                await self._end(interaction, caller, verb, job)
        except TronError as error:
            await answering.privately(interaction, self._desk.sentence(error))
        except Exception as error:
            await answering.failed(interaction, error)

    async def _make(self, caller: Caller, verb: str, job: str, number: int, place: Place) -> LiveJob:
        if verb == "act":
            return await self._desk.act(caller, job, number, place)
        done = (await self._desk.services.scheduler.get(job)).job
        return await self._desk.submit(caller, done.capability, done.params, place, parent=job)

    # Edit

    async def _edit(self, interaction: Interaction, caller: Caller, job_id: str) -> None:
        job = (await self._desk.services.scheduler.get(job_id)).job
        await interaction.response.send_modal(params_form(self._capability(job), job))

    def _capability(self, job: Job) -> Capability:
        capability = self._desk.services.plugins.capabilities.get(job.capability)
        if capability is None:
            raise NotFound(f"The capability {job.capability} is not there any more.")
        return capability

    async def submitted(self, interaction: Interaction) -> None:
        """A form was sent. What it is about stands in its id, so that one that was open during a restart works."""
        sent: Mapping[str, Any] = interaction.data or {}
        found = _FORM.fullmatch(sent["custom_id"])
        if found is None:
            return
        try:
            job = (await self._desk.services.scheduler.get(found["job"])).job
            capability = self._capability(job)
            values = {**job.params, **_entered(sent)}
            given = {name: value for name, value in values.items() if value != ""}
            caller, place = caller_in(interaction), _here(interaction)
            making = self._desk.submit(caller, capability.name, given, place, parent=job.id)
            await answering.with_job(interaction, self._desk, self._bot.cards, making, capability)
        except TronError as error:
            await answering.privately(interaction, self._desk.sentence(error))
        except Exception as error:
            await answering.failed(interaction, error)

    # Cancel, retry, delete

    async def _end(self, interaction: Interaction, caller: Caller, verb: str, job_id: str) -> None:
        job = await self._own(caller, verb, job_id)
        scheduler = self._desk.services.scheduler
        if verb == "cancel":
            await interaction.response.defer()
            await scheduler.cancel(job_id)
        elif verb == "retry":
            await interaction.response.defer()
            live = await scheduler.retry(job_id)
            place = Place(interaction.channel_id or 0, _message(interaction), user=caller.user)
            await self._bot.cards.adopt(live, place)
        else:
            await interaction.response.defer()
            await self._delete(job, interaction.channel_id or 0, _message(interaction))

    async def _delete(self, job: Job, channel: int, message: int | None) -> None:
        if not job.state.over:
            await self._desk.services.scheduler.cancel(job.id)
        if message is not None:
            await self._bot.get_partial_messageable(channel).get_partial_message(message).delete()

    async def _own(self, caller: Caller, verb: str, job_id: str) -> Job:
        job = (await self._desk.services.scheduler.get(job_id)).job
        if job.requester != caller.requester:
            found = await self._desk.rules_of(caller.guild)
            if not rules.is_admin(found, caller) or job.guild != caller.guild_id:
                raise Forbidden(f"{CORE[verb][0]} is for the one who asked.", code="owner_only")
        return job

    # Reactions

    async def reaction(self, payload: discord.RawReactionActionEvent) -> None:
        """An emoji of an action, or of the core, does what the button does; any other does nothing."""
        own = self._bot.user
        if own is None or payload.user_id == own.id or payload.message_author_id != own.id:
            return
        channel = self._bot.get_partial_messageable(payload.channel_id)
        message = await channel.fetch_message(payload.message_id)
        job_id = job_of(message.components)
        if job_id is None:
            return
        job = (await self._desk.services.scheduler.get(job_id)).job
        caller = self._reactor(payload)
        place = Place(payload.channel_id, answering=message.id, user=caller.user, mention=True)
        try:
            await self._react(str(payload.emoji), job, caller, place)
        except TronError as error:
            await message.reply(f"<@{caller.user}> {self._desk.sentence(error)}", allowed_mentions=NOBODY)

    def _reactor(self, payload: discord.RawReactionActionEvent) -> Caller:
        channel: Any = self._bot.get_channel(payload.channel_id) or discord.Object(payload.channel_id)
        guild = self._bot.get_guild(payload.guild_id) if payload.guild_id else None
        return caller_of(payload.member or discord.Object(payload.user_id), channel, guild)  # type: ignore[arg-type]

    async def _react(self, emoji: str, job: Job, caller: Caller, place: Place) -> None:
        actions = job.reply.actions if job.reply else ()
        for number, action in enumerate(actions):
            if action.emoji == emoji:
                await self._bot.cards.open(await self._desk.act(caller, job.id, number, place), place)
                return
        if emoji == CORE["again"][1] and job.state.over:
            await self._bot.cards.open(await self._make(caller, "again", job.id, 0, place), place)
        elif emoji == CORE["delete"][1]:
            await self._own(caller, "delete", job.id)
            await self._delete(job, place.channel, place.answering)
        elif emoji == CORE["cancel"][1] and job.state in (JobState.QUEUED, JobState.RUNNING):
            await self._own(caller, "cancel", job.id)
            await self._desk.services.scheduler.cancel(job.id)


def _here(interaction: Interaction) -> Place:
    return Place(interaction.channel_id or 0, answering=_message(interaction), user=interaction.user.id)


def _message(interaction: Interaction) -> int | None:
    return None if interaction.message is None else interaction.message.id


def params_form(capability: Capability, job: Job) -> discord.ui.Modal:
    """The params of a job, to be changed and asked for again: its text, and the settings that were given first."""
    form = discord.ui.Modal(
        title=f"Edit {capability.command.name}"[:45], custom_id=f"tron:form:{job.id}", timeout=FORM_SECONDS
    )
    for spec in _editable(capability, job):
        form.add_item(_input(spec, job.params.get(spec.name)))
    return form


def _entered(sent: Mapping[str, Any]) -> dict[str, str]:
    """What stands in the inputs of a form that was sent, by field; each is in a row or in a label."""
    inputs = [each for row in sent["components"] for each in row.get("components", [row.get("component")])]
    return {each["custom_id"]: each["value"].strip() for each in inputs}


def _editable(capability: Capability, job: Job) -> list[FieldSpec]:
    """The prompt, then what differs from its default, then the rest; files stay as they are."""
    specs = [spec for spec in offered_fields(capability.params) if spec.kind != "input"]
    specs.sort(key=lambda spec: (spec.kind != "prompt", job.params.get(spec.name) == spec.default))
    return specs[:MAX_INPUTS]


def _input(spec: FieldSpec, value: Any) -> discord.ui.TextInput[Any]:
    style = discord.TextStyle.paragraph if spec.kind == "prompt" else discord.TextStyle.short
    return discord.ui.TextInput(
        custom_id=spec.name,
        label=spec.name.replace("_", " ")[:45],
        style=style,
        default=None if value is None else str(value)[:MAX_INPUT],
        placeholder=spec.help[:100] or None,
        required=spec.required,
        max_length=MAX_INPUT,
    )
