"""Answers to interactions: within Discord's 3 seconds something, and of a job its card."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

import discord

from tron_core.capability import Capability
from tron_core.errors import TronError
from tron_core.frontends.discord.buttons import open_view
from tron_core.frontends.discord.cards import Cards, Place
from tron_core.frontends.discord.content import NOBODY, Content
from tron_core.frontends.discord.desk import Desk
from tron_core.frontends.discord.wording import Shown, sentence
from tron_core.scheduling.views import LiveJob

PATIENCE = 2.0
"""Seconds after which an interaction is told that the answer takes longer."""

logger = logging.getLogger(__name__)

Interaction = discord.Interaction[Any]


async def with_job(
    interaction: Interaction,
    desk: Desk,
    cards: Cards,
    making: Coroutine[Any, Any, LiveJob],
    capability: Capability | None = None,
) -> None:
    """Answer with the card of the job that ``making`` makes, or with why there is none (to the person alone)."""
    task = asyncio.ensure_future(making)
    await asyncio.wait({task}, timeout=PATIENCE)
    if not task.done():
        await interaction.response.defer(thinking=True)
    try:
        live = await task
    except TronError as error:
        await privately(interaction, desk.sentence(error, capability))
        return
    shown = Shown("queued", live.position, live.eta_seconds, message=live.message)
    message = await _send(interaction, Content(sentence(shown), view=open_view(live.job.id)))
    channel = interaction.channel_id or 0
    await cards.adopt(live, Place(channel, message, user=interaction.user.id))


async def _send(interaction: Interaction, content: Content) -> int:
    """Answer, or fill in the answer that was promised; returns the message's id."""
    if interaction.response.is_done():
        given = content.as_edit()
        given.pop("embeds")
        return (await interaction.edit_original_response(**given)).id
    answered = await interaction.response.send_message(**content.as_post())
    return answered.message_id or (await interaction.original_response()).id


async def privately(interaction: Interaction, text: str) -> None:
    """Tell the person alone."""
    if interaction.response.is_done():
        await interaction.edit_original_response(content=text[:2000], allowed_mentions=NOBODY)
    else:
        await interaction.response.send_message(text[:2000], ephemeral=True, allowed_mentions=NOBODY)


async def failed(interaction: Interaction, error: BaseException) -> None:
    """Something went wrong that nobody foresaw: it is logged, and the person is told so without its details."""
    logger.error("an interaction failed", exc_info=error)
    try:
        await privately(interaction, "⚠️ Something went wrong here. It is in the hub's log.")
    except discord.HTTPException as second:
        logger.warning("and its person could not be told: %s", second)
