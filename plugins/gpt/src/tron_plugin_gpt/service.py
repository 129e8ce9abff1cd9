"""What the plugin's capabilities and hooks share: the settings, the server, the encodings and the order of turns."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

import tron_core as tron
from tron_plugin_gpt import conversation, history, usage
from tron_plugin_gpt.budget import TooLong
from tron_plugin_gpt.client import ChatClient, ChatError
from tron_plugin_gpt.config import MODES, GPTConfig, Model
from tron_plugin_gpt.conversation import NotYours, Place
from tron_plugin_gpt.demo_server import DemoServer, DemoServerError
from tron_plugin_gpt.history import Conversation, Pair
from tron_plugin_gpt.prompt import Prompt, system_text
from tron_plugin_gpt.summary import KEPT_SHARE, fold
from tron_plugin_gpt.tokens import Counter, Encodings
from tron_plugin_gpt.turns import Turns

logger = logging.getLogger(__name__)

MODERATION_SECONDS = 8.0
"""Within the ten that a hook has."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that is to be sent: where, by whom (``name`` is how they are shown), and how many pictures come with
    it."""

    place: Place
    requester: str
    guild: str | None
    text: str
    picture_count: int = 0
    name: str | None = None

    @property
    def message(self) -> str:
        """As it is sent and kept."""
        speaker = conversation.speaker_name(self.requester, self.name) if self.place.shared else None
        return conversation.spoken(self.text, speaker)


class Service:
    """Made with the plugin, brought to life by ``start``. ``now`` gives seconds since the epoch."""

    app: tron.App
    encodings: Encodings

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.config = GPTConfig()
        self.turns = Turns(self.config.max_waiting)
        self._client: ChatClient | None = None
        self._demo_server = DemoServer()

    def start(self, app: tron.App) -> None:
        """Read the settings; what takes long begins in the background."""
        self.app = app
        self.config = app.config(GPTConfig)
        self.turns = Turns(self.config.max_waiting)
        self.encodings = Encodings(app.folder / "tiktoken")
        for name in self.config.names:
            model = self.config.model_named(name)
            self.encodings.prepare(model.name, model.encoding)

    async def stop(self) -> None:
        """Give back what was opened."""
        if self._client is not None:
            await self._client.close()
        await self._demo_server.stop()

    async def client(self) -> ChatClient:
        """The server; raises ChatError where there is none."""
        config = self.config
        if config.missing is not None:
            raise ChatError(config.missing)
        if not config.demo_server and self._client is not None:
            return self._client
        url, key = config.base_url, config.api_key.get_secret_value() if config.api_key else None
        if config.demo_server:
            try:
                url, key = await self._demo_server.start(), self._demo_server.key
            except DemoServerError as error:
                raise ChatError(str(error)) from error
        old = self._client
        if old is not None and old.base_url == url:
            return old
        self._client = client = ChatClient(url, key, timeout=config.timeout, retries=config.retries)
        if old is not None:
            await old.close()
        return client

    async def place_of(self, request: tron.JobRequest) -> Place:
        """The conversation that a request is for; raises Refused."""
        saved = await self.app.settings.get(request.requester, request.guild, "gpt.conversation")
        mode = saved if saved in MODES else self.config.conversation
        if request.guild is None:
            mode = "user"  # nobody else is there
        named = request.params.get("conversation")
        try:
            return conversation.find(named, requester=request.requester, channel=request.channel, mode=mode)
        except NotYours as error:
            raise tron.Refused(str(error)) from None

    def model_of(self, found: Conversation) -> Model:
        """The model that answers in a conversation: the one chosen there, if it may still be chosen."""
        chosen = found.model if found.model in self.config.names else None
        return self.config.model_named(chosen or self.config.default_model)

    def counter(self, model: Model) -> Counter:
        """How to count for a model, now."""
        return self.encodings.counter(model.name, model.encoding)

    async def check(self, draft: Draft, roles: frozenset[str]) -> None:
        """Raise Refused where a message cannot be answered: before it is queued, not after."""
        if self.config.missing is not None:
            raise tron.Refused(self.config.missing, code="not_configured")
        role = await self._saved_role(draft)
        caps, day = usage.limits_of(self.config, roles), usage.day_of(self.now())

        def look(connection: Connection) -> None:
            reason = usage.over(caps, usage.of(connection, draft.requester, day))
            if reason is not None:
                raise tron.Refused(reason, code="quota")
            found = history.fetch(connection, draft.place.key)
            self._check_length(draft, found, role)

        await self.app.database.read(look)

    def _check_length(self, draft: Draft, found: Conversation, role: str) -> None:
        model = self.model_of(found)
        if draft.picture_count and model.image_tokens is None:
            raise tron.Refused(f"images: the model {model.name} cannot see pictures.")
        try:
            self._prompt(draft, found, role, model).history(())
        except TooLong as error:
            raise tron.Refused(too_long(error), code="too_long") from None

    async def flagged(self, texts: list[str]) -> list[str]:
        """In what the moderation endpoint finds texts harmful; raises Refused where it cannot be asked."""
        try:
            async with asyncio.timeout(MODERATION_SECONDS):
                return await (await self.client()).flagged(texts, self.config.moderation_model)
        except (ChatError, TimeoutError) as error:
            logger.warning("the moderation could not be asked: %s", str(error) or "no answer in time")
            raise tron.Refused("This cannot be checked by the moderation now; try again later.") from None

    async def compose(self, draft: Draft) -> tuple[Prompt, list[Pair]]:
        """The request for a message, and the history that fits beside it. Raises TooLong."""
        role = await self._saved_role(draft)

        def look(connection: Connection) -> tuple[Prompt, list[Pair], list[Pair], Conversation]:
            found = history.fetch(connection, draft.place.key)
            prompt = self._prompt(draft, found, role, self.model_of(found))
            if not self.config.summary:
                return prompt, prompt.history(history.newest_first(connection, draft.place.key)), [], found
            pairs = list(history.newest_first(connection, draft.place.key, after=found.summarised))
            kept = prompt.history(pairs)
            if len(kept) < len(pairs):
                kept = prompt.history(pairs, KEPT_SHARE)
            return prompt, kept, pairs[len(kept) :][::-1], found

        prompt, kept, dropped, found = await self.app.database.read(look)
        if dropped and await self._summarise(draft, prompt, found, dropped):
            return await self.compose(draft)
        return prompt, kept

    async def _summarise(self, draft: Draft, prompt: Prompt, found: Conversation, dropped: list[Pair]) -> bool:
        """Take ``dropped`` into the summary; False where that failed, which costs no answer."""
        place = draft.place
        try:
            text = await fold(await self.client(), prompt.model, prompt.counter, found.summary, dropped)
        except ChatError as error:
            logger.warning("a conversation could not be summarised: %s", error)
            return False
        until = dropped[-1].id
        await self.app.database.write(
            lambda connection: history.choose(connection, place.key, place.owner, summary=text, summarised=until)
        )
        return True

    async def _saved_role(self, draft: Draft) -> str:
        saved = await self.app.settings.get(draft.requester, draft.guild, "gpt.role")
        return saved if isinstance(saved, str) and saved else self.config.role

    def _prompt(self, draft: Draft, found: Conversation, role: str, model: Model) -> Prompt:
        counter = self.counter(model)
        texts = (
            system_text(found.role or role, summary, shared=draft.place.shared) for summary in (found.summary, None)
        )
        with_summary, without = (
            Prompt(text, draft.message, counter, model, picture_count=draft.picture_count) for text in texts
        )
        # The summary is what may be left out.
        return with_summary if with_summary.tokens <= model.budget.request else without


def too_long(error: TooLong) -> str:
    """What a person is told whose message does not fit."""
    return (
        f"text: with what has to go with it your message takes {error.needed} tokens, and beside the answer there is "
        f"room for {error.room}; shorten it."
    )
