"""Cards: the one message in which a request lives, from "Queued" to its result."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import discord

from tron_core.api import UndeliverableError
from tron_core.errors import NotFound, Unavailable
from tron_core.frontends.discord import voice
from tron_core.frontends.discord.buttons import open_view
from tron_core.frontends.discord.content import Content, only
from tron_core.frontends.discord.editor import Editor
from tron_core.frontends.discord.nonces import nonce_of
from tron_core.frontends.discord.splitting import LIMIT
from tron_core.frontends.discord.wording import Shown, changed, sentence
from tron_core.job import BESIDE, Job, JobEvent, JobState, Target
from tron_core.scheduling.views import LiveJob

if TYPE_CHECKING:
    from tron_core.clock import Clock
    from tron_core.frontends.discord.bot import Bot
    from tron_core.scheduling.scheduler import Scheduler

LOOK_EVERY = 3.0
"""Seconds between two looks at the positions of the jobs that wait."""
GONE = (10003, 10008)
"""Discord's codes for a channel and a message that are not there (any more)."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a card stands or will stand. ``answering`` is the message that it replies to, ``user`` who asked, and
    whether the card must mention them, as it replies to nothing of theirs. ``beside``: it opens by itself."""

    channel: int
    message: int | None = None
    answering: int | None = None
    user: int | None = None
    mention: bool = False
    beside: bool = False

    def target(self) -> Target:
        """The place as it is kept with the job."""
        values = {"channel": self.channel, "message": self.message, "answering": self.answering, "user": self.user}
        address: dict[str, Any] = {name: str(value) for name, value in values.items() if value is not None}
        return Target("discord", address | ({"mention": True} if self.mention else {}))

    @classmethod
    def of(cls, address: Mapping[str, Any]) -> Place:
        """The place that a job's target names; raises UndeliverableError where it names none."""
        try:
            mention, beside = bool(address.get("mention")), bool(address.get(BESIDE))
            numbers = {name: int(value) for name, value in address.items() if name not in ("mention", BESIDE)}
            if beside:
                numbers.pop("message", None)  # the other job's
                mention = "answering" not in numbers
            return cls(**numbers, mention=mention, beside=beside)
        except (TypeError, ValueError) as error:
            raise UndeliverableError(f"{dict(address)} is no place in Discord: {error}") from None


@dataclass(slots=True, eq=False)
class Card:
    """``final`` is the result once there is one; ``done`` is resolved when that is shown, ``posted`` when the
    message is there. ``posted_before`` counts the messages of it that were deleted."""

    job: str
    place: Place
    shown: Shown = field(default_factory=Shown)
    final: Content | None = None
    stale: bool = False
    posted_before: int = 0
    posted: asyncio.Future[int] = field(default_factory=asyncio.Future)
    done: asyncio.Future[None] = field(default_factory=asyncio.Future)

    def content(self) -> Content:
        """What the message shows now."""
        content = self.final or Content(sentence(self.shown), view=open_view(self.job))
        if not self.place.mention or self.place.user is None:
            return content
        text = f"<@{self.place.user}> {content.text}"
        return replace(content, text=text) if len(text) <= LIMIT else content


class Cards:
    """All cards that are not finished. Messages are posted and edited through one Editor each, as Discord counts them
    in two buckets of the channel."""

    def __init__(self, bot: Bot, scheduler: Scheduler, clock: Clock) -> None:
        self._bot = bot
        self._scheduler = scheduler
        self._cards: dict[str, Card] = {}
        self.posts: Editor[Card] = Editor(self._post, clock)
        self.edits: Editor[Card] = Editor(self._edit, clock)
        self._looking: asyncio.Task[None] | None = None

    async def stop(self) -> None:
        """Show nothing more; who waits for a result to be shown is told that it is not, and comes again."""
        await self.posts.stop()
        await self.edits.stop()
        for card in self._cards.values():
            for waited in (card.posted, card.done):
                _fail(waited, Unavailable("The connection to Discord ended."))
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    # New requests

    async def open(self, live: LiveJob, place: Place) -> None:
        """Post the card of a new job; returns when it is there, raises what Discord refused it with."""
        card = self._card(live.job.id, place)
        await self._catch_up(card)
        self.posts.want(place.channel, card)
        await asyncio.shield(card.posted)

    async def adopt(self, live: LiveJob, place: Place) -> None:
        """An answer to an interaction is the card: ``place`` names its message."""
        card = self._card(live.job.id, place)
        await self._catch_up(card)
        card.place = place
        if not card.posted.done():
            card.posted.set_result(place.message or 0)
        await self._scheduler.retarget(live.job.id, place.target())
        self.edits.want(place.channel, card, final=card.final is not None)

    async def _catch_up(self, card: Card) -> None:
        """Show what happened to the job before its card was there; from here on events change it."""
        card.shown = _shown(await self._scheduler.get(card.job), card.shown)

    def _card(self, job: str, place: Place) -> Card:
        if job not in self._cards:
            self._cards[job] = Card(job, place)
            if self._looking is None or self._looking.done():
                self._looking = asyncio.get_running_loop().create_task(self._look(), name="positions of cards")
        return self._cards[job]

    # Progress

    def show(self, job: Job, event: JobEvent) -> None:
        """An event of a job changes its card; never blocks."""
        card = self._cards.get(job.id)
        if card is None:
            card = self._restored(job)
        if card is None or card.final is not None:
            return
        shown = changed(card.shown, event.kind, event.data)
        if shown != card.shown:
            card.shown = shown
            self._stir(card)

    def _restored(self, job: Job) -> Card | None:
        """The card of a job from before a restart, if its message was posted; of one beside another, a new one."""
        if job.target is None or job.state.over:
            return None
        place = Place.of(job.target.address)
        if place.message is None and not place.beside:
            return None
        card = self._card(job.id, place)
        if place.message is None:
            self.posts.want(place.channel, card)
        else:
            card.posted.set_result(place.message)
        return card

    def _stir(self, card: Card) -> None:
        card.stale = True
        if card.place.message is not None:
            self.edits.want(card.place.channel, card)

    async def _look(self) -> None:
        """Keep positions and estimates of those who wait; ends when nobody has a card."""
        while self._cards:
            await asyncio.sleep(LOOK_EVERY)
            for card in [card for card in self._cards.values() if card.final is None]:
                await asyncio.sleep(0)  # a job in memory is found without waiting, and there may be thousands
                try:
                    live = await self._scheduler.get(card.job)
                except NotFound:
                    self._drop(card)
                    continue
                shown = _shown(live, card.shown)
                moved = live.job.state is JobState.QUEUED and shown.position != card.shown.position
                card.shown = shown
                if moved:
                    self._stir(card)

    # Results

    async def finish(self, delivery: str, job: Job, pages: Sequence[Content]) -> None:
        """Show the result in the job's card, the pages after the first below it. Repeated with the same delivery, it
        shows once. Raises UndeliverableError where the channel is gone."""
        assert job.target is not None
        card = self._cards.get(job.id) or Card(job.id, Place.of(job.target.address))
        self._cards[job.id] = card
        card.final = pages[0]
        if card.done.done():
            card.done = asyncio.get_running_loop().create_future()
        done = card.done
        self._want_final(card)
        try:
            await asyncio.shield(done)
            await self._rest(delivery, card, pages[1:])
        except discord.HTTPException as error:
            if isinstance(error, discord.Forbidden) or error.code in GONE:
                self._finished(card, done)
                raise UndeliverableError(f"Discord: {error.text or error}") from error
            raise
        self._finished(card, done)

    def _finished(self, card: Card, done: asyncio.Future[None]) -> None:
        """Forget the card, unless another delivery of the same job has begun to show it meanwhile."""
        if card.done is done:
            self._drop(card)

    def _want_final(self, card: Card) -> None:
        editor = self.posts if card.place.message is None else self.edits
        editor.want(card.place.channel, card, final=True)

    def _drop(self, card: Card) -> None:
        self._cards.pop(card.job, None)
        for editor in (self.posts, self.edits):
            editor.forget(card.place.channel, card)
        if card.done.done() and not card.done.cancelled():
            card.done.exception()  # it was raised already

    async def _rest(self, delivery: str, card: Card, pages: Sequence[Content]) -> None:
        for number, page in enumerate(pages, 1):
            await voice.send(self._bot, card.place.channel, page, nonce_of(delivery, number))

    # What the editors send

    async def _post(self, card: Card) -> None:
        if card.place.message is not None:
            return
        final, content = card.final, card.content()
        card.stale = False
        try:
            message = await self._send(card, content)
        except Exception as error:
            _fail(card.posted, error)
            _fail(card.done, error)
            raise
        card.place = replace(card.place, message=message.id)
        if not card.posted.done():
            card.posted.set_result(message.id)
        same = message.content == content.text  # not so where the nonce was known from before a crash
        if final is not None and same:
            _succeed(card.done)
            return
        await self._scheduler.retarget(card.job, card.place.target())
        if card.final is not None or card.stale or not same:
            self.edits.want(card.place.channel, card, final=card.final is not None)

    async def _send(self, card: Card, content: Content) -> discord.Message:
        place = card.place
        given = content.as_post(only(place.user))
        if place.answering is not None:
            given["reference"] = discord.MessageReference(
                message_id=place.answering, channel_id=place.channel, fail_if_not_exists=False
            )
        channel = self._bot.get_partial_messageable(place.channel)
        message: discord.Message = await channel.send(**given, nonce=nonce_of(card.job, card.posted_before))
        return message

    async def _edit(self, card: Card) -> None:
        final, content = card.final, card.content()
        card.stale = False
        place = card.place
        message = self._bot.get_partial_messageable(place.channel).get_partial_message(place.message or 0)
        try:
            await message.edit(**content.as_edit())
        except discord.NotFound as error:
            self._deleted(card, error)
        except Exception as error:
            if final is not None:
                _fail(card.done, error)
            raise
        else:
            if final is not None:
                _succeed(card.done)

    def _deleted(self, card: Card, error: discord.NotFound) -> None:
        """The message is gone: progress is not shown any more, a result is posted anew."""
        if card.final is None:
            return
        if error.code == GONE[0]:
            _fail(card.done, error)
            return
        card.place = replace(card.place, message=None)
        card.posted_before += 1
        self.posts.want(card.place.channel, card, final=True)


def _shown(live: LiveJob, before: Shown) -> Shown:
    """What a job shows now; of one that runs, what its events said stays, with the present estimate."""
    if live.job.state is JobState.QUEUED:
        return Shown("queued", live.position, live.eta_seconds, message=live.message)
    if live.job.state is not JobState.RUNNING:
        return before
    if before.phase != "running":
        worker = live.job.attempts[-1].worker if live.job.attempts else None
        progress = {} if live.progress is None else asdict(live.progress)
        before = Shown("running", worker=worker, text=live.text, **progress)
    return replace(before, eta_seconds=live.eta_seconds)


def _succeed(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # whoever waits raises it; nobody need wait
