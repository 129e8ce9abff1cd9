"""Messages: commands by prefix or by mention of the bot, and what plugins claim of the rest."""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import discord

from tron_core.api import Message
from tron_core.capability import Capability, fields_of, offered_fields
from tron_core.errors import TronError
from tron_core.frontends.discord import rules
from tron_core.frontends.discord.buttons import job_of
from tron_core.frontends.discord.caller import Caller, caller_of
from tron_core.frontends.discord.cards import Place
from tron_core.frontends.discord.content import only
from tron_core.frontends.discord.grammar import parse_lines
from tron_core.frontends.discord.wording import one_line
from tron_core.job import JobRequest

if TYPE_CHECKING:
    from tron_core.frontends.discord.bot import Bot

REMEMBERED_THREADS = 1000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Said:
    """A message's ``text`` without prefix and mention of the bot; whether it has them; and whether it may be a
    command: with the prefix, or with the mention as its first word."""

    text: str
    prefixed: bool = False
    mentioned: bool = False
    command: bool = False

    @property
    def word(self) -> str:
        """The first word, as commands are named."""
        return self.text.split(maxsplit=1)[0].lower() if self.text else ""

    @property
    def rest(self) -> str:
        """What follows it, line breaks and all."""
        return self.text[len(self.word) :].lstrip(" ")


class PrefixCommands:
    """What people write. Commands that there are not stay unanswered."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._desk = bot.desk
        self._prefix = bot.desk.services.settings.discord.prefix
        self._threads: OrderedDict[int, str | None] = OrderedDict()

    async def hear(self, message: discord.Message) -> None:
        """A message came; whatever goes wrong is told to its author or logged."""
        if message.author.bot or message.webhook_id is not None:
            return
        try:
            await self._take(message)
        except TronError as error:
            await self.tell(message, self._desk.sentence(error))
        except discord.Forbidden as error:
            await self._cannot_speak(message, error)
        except Exception:
            logger.exception("message %s could not be dealt with", message.id)
            await self.tell(message, "⚠️ Something went wrong here. It is in the hub's log.")

    async def _take(self, message: discord.Message) -> None:
        said = self._read(message.content)
        if said.command and await self._command(message, said):
            return
        if said.prefixed:
            return
        thread = await self._thread_job(message.channel)
        if said.mentioned or message.guild is None or thread:
            await self._offer(message, said, thread)

    def _read(self, content: str) -> Said:
        """What was said, without the mention of the bot and the prefix."""
        own = self._bot.user
        mention = re.compile(rf"<@!?{own.id if own else 0}>")
        first = mention.match(content) is not None
        mentioned = mention.search(content) is not None
        text = mention.sub("", content).strip()
        prefixed = text.startswith(self._prefix) and (first or not mentioned)
        if prefixed:
            text = text[len(self._prefix) :].lstrip()
        return Said(text, prefixed=prefixed, mentioned=mentioned, command=prefixed or first)

    async def _command(self, message: discord.Message, said: Said) -> bool:
        """Run the command that was said; False where it is none."""
        caller = caller_of(message.author, message.channel, message.guild)
        capability = self._desk.services.plugins.commands.get(said.word)
        if capability is None:
            builtin = self._bot.builtins.find(said.word)
            if builtin is None or not (said.prefixed or self._is_meant(said)):
                return False
            await self._bot.builtins.by_prefix(message, caller, builtin, said.rest)
            return True
        self._check_permissions(message)
        try:
            await self._ask(message, caller, capability, said.rest)
        except TronError as error:
            await self.tell(message, self._desk.sentence(error, capability))
        return True

    def _is_meant(self, said: Said) -> bool:
        """Whether a mention with the name of a built-in command means it: "@bot queue", but not "@bot help me out"."""
        return said.word in self._bot.builtins.names and len(said.rest.split()) <= 1

    async def _ask(self, message: discord.Message, caller: Caller, capability: Capability, text: str) -> None:
        await self._desk.check(caller, capability.name)
        lines = parse_lines(text, offered_fields(capability.params), capability.command)
        files = self._files(message, capability)
        jobs = [await self._desk.with_files(caller, capability, values, files) for values in lines]
        if len(jobs) > 1:
            for values in jobs:
                capability.parse(values, lenient=True)
        place = await self._place(message, caller, text)
        for values in jobs:
            live = await self._desk.submit(caller, capability.name, values, place)
            await self._bot.cards.open(live, place)

    def _files(self, message: discord.Message, capability: Capability) -> Sequence[discord.Attachment]:
        """The message's own files; else, where the command takes some, those of the message that it answers."""
        if message.attachments or message.reference is None:
            return message.attachments
        answered = message.reference.resolved
        if not isinstance(answered, discord.Message):
            return ()
        takes = any(spec.kind == "input" for spec in fields_of(capability.params))
        return answered.attachments if takes else ()

    async def _place(self, message: discord.Message, caller: Caller, text: str) -> Place:
        """Where the card will stand: below the message, or as the guild decided."""
        where = (await self._desk.rules_of(caller.guild)).get("results", "reply")
        if where == "channel":
            return Place(message.channel.id, user=caller.user, mention=True)
        if where == "thread" and isinstance(message.channel, discord.TextChannel):
            thread = await message.create_thread(name=one_line(text, 90) or "Result")
            return Place(thread.id, user=caller.user, mention=True)
        return Place(message.channel.id, answering=message.id, user=caller.user)

    # Messages that are no commands

    async def _offer(self, message: discord.Message, said: Said, thread: str | None) -> None:
        """Let plugins claim it; in a thread of a job, its capability does where no plugin wants to."""
        services = self._desk.services
        caller = caller_of(message.author, message.channel, message.guild)
        if not services.plugins.has("tron_message") and thread is None:
            return
        rules.check_place(await self._desk.rules_of(caller.guild), caller)
        files = await self._desk.fetcher.attachments(message.attachments, caller.requester)
        offered = Message(
            text=said.text,
            requester=caller.requester,
            frontend="discord",
            channel=str(caller.channel),
            guild=caller.guild_id,
            thread_job=thread,
            mentions_bot=said.mentioned or message.guild is None,
            attachments=tuple(files),
            roles=caller.roles,
            requester_name=caller.name,
        )
        claimed = await services.plugins.call_first("tron_message", message=offered)
        place = Place(message.channel.id, answering=message.id, user=caller.user)
        if isinstance(claimed, JobRequest):
            self._check_permissions(message)
            live = await self._desk.submit(caller, claimed.capability, claimed.params, place, parent=claimed.parent)
            await self._bot.cards.open(live, place)
        elif thread is not None and said.text:
            await self._continue(caller, thread, said.text, message, place)

    async def _continue(self, caller: Caller, thread: str, text: str, message: discord.Message, place: Place) -> None:
        job = (await self._desk.services.scheduler.get(thread)).job
        capability = self._desk.services.plugins.capabilities.get(job.capability)
        if capability is None or not any(spec.kind == "prompt" for spec in fields_of(capability.params)):
            return
        lines = parse_lines(text, offered_fields(capability.params), capability.command)
        for values in lines:
            filled = await self._desk.with_files(caller, capability, values, message.attachments)
            live = await self._desk.submit(caller, capability.name, filled, place)
            await self._bot.cards.open(live, place)

    async def _thread_job(self, channel: object) -> str | None:
        """The job whose card stands first in a thread that the bot opened."""
        if not isinstance(channel, discord.Thread) or self._bot.user is None or channel.owner_id != self._bot.user.id:
            return None
        if channel.id not in self._threads:
            async for message in channel.history(limit=5, oldest_first=True):
                if message.author == self._bot.user and (job := job_of(message.components)):
                    self._threads[channel.id] = job
                    break
            if len(self._threads) > REMEMBERED_THREADS:
                self._threads.popitem(last=False)
        return self._threads.get(channel.id)

    # Telling people

    def _check_permissions(self, message: discord.Message) -> None:
        """Raise Forbidden where the bot could not show the result, before there is one."""
        if message.guild is None or isinstance(message.channel, discord.PartialMessageable):
            return
        may = message.channel.permissions_for(message.guild.me)
        writing = may.send_messages_in_threads if isinstance(message.channel, discord.Thread) else may.send_messages
        missing = [] if writing else ["Send Messages"]
        missing += [] if may.attach_files else ["Attach Files"]
        if missing:
            raise MissingPermissions(missing)

    async def tell(self, message: discord.Message, text: str) -> None:
        """Answer a message; where that is not allowed, tell its author directly."""
        try:
            await message.reply(text[:2000], allowed_mentions=only(message.author.id))
        except discord.Forbidden as error:
            await self._cannot_speak(message, error)
        except discord.HTTPException as error:
            logger.warning("message %s could not be answered: %s", message.id, error)

    async def _cannot_speak(self, message: discord.Message, error: discord.Forbidden) -> None:
        place = f"<#{message.channel.id}>"
        text = f"I may not write in {place} ({error.text}). An administrator can allow it in the channel's permissions."
        await self.tell_directly(message.author, text)

    async def tell_directly(self, user: discord.User | discord.Member, text: str) -> None:
        """A direct message; failing that, the log."""
        try:
            await user.send(text)
        except discord.HTTPException as error:
            logger.warning("%s could not be told (%s): %s", user.id, error, text)


class MissingPermissions(TronError):
    """The bot lacks permissions in a channel."""

    code = "missing_permissions"
    status = 403

    def __init__(self, missing: Sequence[str]) -> None:
        words = ", ".join(missing)
        super().__init__(f"I lack permissions here: {words}. An administrator can allow it in the channel's settings.")
