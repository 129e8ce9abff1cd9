"""Buttons below a card. Their ids hold everything, so that they work after a restart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import discord

from tron_core.job import Job, JobState, StoredAction, StoredReply

if TYPE_CHECKING:
    from tron_core.frontends.discord.bot import Bot

MAX_BUTTONS = 25
LABEL = 80

_ID = r"tron:(?P<verb>again|edit|cancel|retry|delete|act):(?P<job>[0-9A-HJKMNP-TV-Z]{26})(?::(?P<number>\d+))?"
_STYLES = {"cancel": discord.ButtonStyle.danger, "retry": discord.ButtonStyle.primary}
CORE = {
    "again": ("Again", "🔁"),
    "edit": ("Edit", "✏️"),
    "cancel": ("Cancel", "✖️"),
    "retry": ("Retry", "🔁"),
    "delete": ("Delete", "❌"),
}
"""What the core itself offers: label and emoji by verb."""


class JobButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=_ID):
    """A button of a job: one of the core's verbs, or action ``number`` of the stored reply."""

    def __init__(self, verb: str, job: str, number: int | None = None, *, label: str = "", emoji: str | None = None):
        custom_id = f"tron:{verb}:{job}" + ("" if number is None else f":{number}")
        style = _STYLES.get(verb, discord.ButtonStyle.secondary)
        super().__init__(
            discord.ui.Button(
                label=label[:LABEL] or None if emoji else label[:LABEL] or verb,
                emoji=emoji,
                style=style,
                custom_id=custom_id,
            )
        )
        self.verb, self.job, self.number = verb, job, number

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> JobButton:
        number = match["number"]
        return cls(match["verb"], match["job"], None if number is None else int(number))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        bot: Bot = interaction.client
        await bot.presses.press(interaction, self.verb, self.job, self.number)


def open_view(job: str) -> discord.ui.View:
    """The button of a job that waits or runs."""
    return _view([_core("cancel", job)])


def reply_view(job: Job, reply: StoredReply) -> discord.ui.View:
    """The buttons of a result: the core's own first, then the reply's actions, Delete as the last."""
    verbs = ["retry"] if job.state is JobState.FAILED else ["again"]
    buttons = [_core(verb, job.id) for verb in (*verbs, "edit")]
    buttons += [_action(job.id, number, action) for number, action in enumerate(reply.actions)][: MAX_BUTTONS - 3]
    return _view([*buttons, _core("delete", job.id)])


def _core(verb: str, job: str) -> JobButton:
    label, emoji = CORE[verb]
    return JobButton(verb, job, label=label, emoji=emoji)


def _action(job: str, number: int, action: StoredAction) -> JobButton:
    return JobButton("act", job, number, label=action.label, emoji=_usable(action.emoji))


def _usable(emoji: str | None) -> str | None:
    """An emoji that Discord takes: not one that is plain text."""
    return emoji if emoji and not emoji.isascii() else None


def _view(buttons: Sequence[JobButton]) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    for button in buttons:
        view.add_item(button)
    return view


def job_of(components: Sequence[Any]) -> str | None:
    """The job whose buttons stand below a message, None where there are none."""
    for row in components:
        for each in getattr(row, "children", ()):
            found = re.fullmatch(_ID, getattr(each, "custom_id", None) or "")
            if found:
                return found["job"]
    return None
