"""Who is asking, and from where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import discord

from tron_core.capability import Asker
from tron_core.job import shown_name


@dataclass(frozen=True, slots=True)
class Caller:
    """A person in a channel. ``parent`` is the channel of a thread; ``admin`` says whether they may manage the
    guild; in a direct channel nobody is one. ``name`` is how the guild calls them."""

    user: int
    channel: int
    guild: int | None = None
    parent: int | None = None
    roles: frozenset[str] = frozenset()
    admin: bool = False
    nsfw: bool = False
    name: str | None = None

    @property
    def requester(self) -> str:
        return f"discord:{self.user}"

    @property
    def guild_id(self) -> str | None:
        return None if self.guild is None else str(self.guild)

    @property
    def settings_channel(self) -> str:
        """The channel whose settings hold: a thread has its parent's."""
        return str(self.parent or self.channel)

    def asker(self) -> Asker:
        """As plugins see the person who is typing."""
        return Asker(self.requester, self.guild_id, self.settings_channel, self.roles, self.name)


def caller_of(user: discord.abc.User, channel: Any, guild: discord.Guild | None) -> Caller:
    """The caller behind a message or an interaction."""
    roles = frozenset(str(role.id) for role in user.roles) if isinstance(user, discord.Member) else frozenset[str]()
    return Caller(
        user=user.id,
        channel=channel.id,
        guild=None if guild is None else guild.id,
        parent=channel.parent_id if isinstance(channel, discord.Thread) else None,
        roles=roles,
        admin=isinstance(user, discord.Member) and user.guild_permissions.manage_guild,
        nsfw=bool(getattr(channel, "is_nsfw", lambda: False)()),
        # Of who presses a button in an unknown place no more than the id may be known.
        name=shown_name(getattr(user, "display_name", None)),
    )


def caller_in(interaction: discord.Interaction[Any]) -> Caller:
    """The caller behind an interaction; its channel need not be one that the bot sees."""
    channel = interaction.channel or discord.Object(interaction.channel_id or 0)
    return caller_of(interaction.user, channel, interaction.guild)
