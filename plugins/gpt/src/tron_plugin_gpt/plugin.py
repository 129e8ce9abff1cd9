"""The hooks of the plugin, on one object that holds what they share."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

import tron_core as tron
from tron_plugin_gpt import history, usage
from tron_plugin_gpt.chat import PICTURES, Chat
from tron_plugin_gpt.client import ChatError, Question
from tron_plugin_gpt.commands import Clear, Model, Report, Role, Usage
from tron_plugin_gpt.config import MODES, GPTConfig
from tron_plugin_gpt.conversation import CHANNEL
from tron_plugin_gpt.service import Draft, Service
from tron_plugin_gpt.turns import Busy

logger = logging.getLogger(__name__)

REPORTER = "core:gpt"
"""Who asks for reports; no frontend has such a person."""
OVER = ("failed", "cancelled", "expired")

IMAGE_PROMPT = (
    "You write prompts for an image generator: one line that describes a single picture, its subject, setting, light "
    "and style. Answer with that line alone."
)
IMAGE_PROMPT_TOKENS = 120
IMAGE_PROMPT_SECONDS = 8.0


class GPT:
    """The plugin; ``now`` gives seconds since the epoch."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self.service = Service(now=now)
        self.capabilities: list[tron.Capability] = [kind(self.service) for kind in (Chat, Clear, Role, Model, Usage)]
        self.capabilities.append(Report())
        self._names = {capability.name for capability in self.capabilities}

    @tron.hookimpl
    def tron_register_capabilities(self) -> list[tron.Capability]:
        """Offer ``chat``, and what belongs to it."""
        return self.capabilities

    @tron.hookimpl
    def tron_register_config(self) -> type[GPTConfig]:
        """Declare ``[plugins.gpt]``."""
        return GPTConfig

    @tron.hookimpl
    def tron_register_settings(self) -> list[tron.SettingSpec]:
        """Declare what people and guilds may save."""
        return [
            tron.SettingSpec("conversation", "user", "Who shares a conversation", choices=MODES),
            tron.SettingSpec("role", "", "Who answers where a conversation has no role of its own"),
        ]

    @tron.hookimpl
    async def tron_startup(self, app: tron.App) -> None:
        """Read the settings and begin to get the encodings."""
        self.service.start(app)

    @tron.hookimpl
    async def tron_shutdown(self) -> None:
        """Close what was opened."""
        await self.service.stop()

    @tron.hookimpl
    async def tron_job_submitting(self, request: tron.JobRequest) -> tron.JobRequest | None:
        """Refuse what cannot be answered, and settle which conversation a request is for."""
        if request.capability == Report.name and request.requester != REPORTER:
            raise tron.Refused("Reports come from the moderation alone.")
        await self._moderate(request)
        if request.capability not in self._names or "conversation" not in request.params:
            return None
        place = await self.service.place_of(request)
        if request.capability == Chat.name:
            try:
                self.service.turns.check(place.key)
            except Busy as error:
                raise tron.Refused(str(error), code="conversation_busy") from None
            pictures = len(request.params.get("images") or ())
            text = str(request.params["text"])
            draft = Draft(place, request.requester, request.guild, text, pictures, name=request.requester_name)
            await self.service.check(draft, request.roles)
        named = place.key if place.shared else request.params["conversation"]
        return replace(request, params={**request.params, "conversation": named})

    @tron.hookimpl
    async def tron_job_event(self, event: tron.JobEvent) -> None:
        """End a turn when its reply is stored, or when there will be none."""
        if event.capability in self._names and (event.kind == "result" or event.data.get("state") in OVER):
            self.service.turns.leave(event.job)

    @tron.hookimpl(trylast=True)
    async def tron_message(self, message: tron.Message) -> tron.JobRequest | None:
        """Answer what is said to the bot and is nothing else: a mention, a direct message, a message in a thread."""
        pictures = [file.id for file in message.attachments if file.media_type in PICTURES.split(",")]
        text = message.text.strip()
        if not (text or pictures) or not await self._addressed(message):
            return None
        params: dict[str, Any] = {"text": text or "What do you see?", "images": pictures[:4]}
        if message.thread_job is not None and await self._by_thread(message):
            params["conversation"] = await self._thread(CHANNEL + message.channel, message.thread_job)
        return tron.JobRequest(
            Chat.name,
            params,
            message.requester,
            guild=message.guild,
            channel=message.channel,
            roles=message.roles,
            requester_name=message.requester_name,
        )

    @tron.hookimpl
    async def tron_forget_requester(self, requester: str) -> None:
        """Erase a person's conversations, their words in shared ones, and what they used."""

        def forget(connection: Connection) -> None:
            history.forget(connection, requester)
            usage.forget(connection, requester)

        await self.service.app.database.write(forget)

    # Not `async def`: whether another plugin's hook is async is that plugin's to say, and either awaits the answer.
    @tron.hookimpl(optionalhook=True)
    def tron_write_image_prompt(self, theme: str) -> Awaitable[str | None] | None:
        """Write a prompt about ``theme`` for a picture; nobody's fault where no server is set up."""
        return None if self.service.config.missing else self._write_image_prompt(theme)

    @tron.hookimpl(optionalhook=True)
    def tron_legacy_import(self) -> list[Any]:
        """Take the conversations of a discord-tron-master."""
        from tron_plugin_gpt.legacy_import import ConversationImport

        return [ConversationImport()]

    async def _write_image_prompt(self, theme: str) -> str | None:
        about = theme.strip() or "anything that you like"
        messages = [{"role": "system", "content": IMAGE_PROMPT}, {"role": "user", "content": f"The theme: {about}"}]
        question = Question(self.service.config.default_model, messages, IMAGE_PROMPT_TOKENS, temperature=1.0)
        try:
            async with asyncio.timeout(IMAGE_PROMPT_SECONDS):
                answer = await (await self.service.client()).answer(question)
        except (ChatError, TimeoutError) as error:
            logger.warning("no prompt for a picture: %s", str(error) or "no answer in time")
            return None
        return " ".join(answer.text.split()).strip('"') or None

    async def _addressed(self, message: tron.Message) -> bool:
        """Whether a message is for us. A thread that another capability's reply began is that one's to go on with."""
        if message.mentions_bot or message.guild is None:
            return True
        job = message.thread_job
        if job is None:
            return False
        return (
            await self.service.app.database.read(lambda connection: history.conversation_of(connection, job))
            is not None
        )

    async def _thread(self, key: str, job: str) -> str:
        """The conversation of a thread, which begins with the message and the answer that the thread was made for."""
        app = self.service.app
        if await app.database.read(lambda connection: history.count(connection, key)) == 0:
            try:
                name = (await app.job(job)).requester_name
            except tron.TronError:
                name = None  # older than the hub keeps its jobs
            await app.database.write(lambda connection: history.begin_with(connection, key, job, name))
        return key

    async def _by_thread(self, message: tron.Message) -> bool:
        saved = await self.service.app.settings.get(message.requester, message.guild, "gpt.conversation")
        return (saved or self.service.config.conversation) == "thread"

    async def _moderate(self, request: tron.JobRequest) -> None:
        mode = self.service.config.moderation
        if mode == "off" or (mode == "chat" and request.capability != Chat.name) or request.capability == Report.name:
            return
        texts = _texts(request.params)
        if not texts or self.service.config.missing is not None:
            return
        found = await self.service.flagged(texts)
        if found:
            await self._report(f"The moderation held back a request of {request.requester}: {', '.join(found)}.")
            raise tron.Refused(f"The moderation held this back: {', '.join(found)}.", code="moderated")

    async def _report(self, text: str) -> None:
        """Tell the log and the operators' channel."""
        logger.warning(text)
        channel = self.service.config.moderation_channel
        if channel is None:
            return
        target = tron.Target("discord", {"channel": channel})
        try:
            await self.service.app.submit(tron.JobRequest(Report.name, {"text": text}, REPORTER, target=target))
        except tron.TronError as error:
            logger.warning("the moderation's channel could not be told: %s", error)


def _texts(params: Mapping[str, Any]) -> list[str]:
    """What a person wrote in their own words; ids and names of models are one word."""
    texts = [(name, value) for name, value in params.items() if isinstance(value, str) and value.strip()]
    return [text for name, text in texts if name in ("text", "prompt") or " " in text.strip()]
