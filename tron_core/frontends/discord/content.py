"""What a message shows, made into what discord.py sends."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import discord

NOBODY = discord.AllowedMentions.none()


@dataclass(frozen=True, slots=True)
class File:
    """A file to attach."""

    name: str
    data: bytes
    spoiler: bool = False


@dataclass(frozen=True, slots=True)
class Voice:
    """What makes a file a voice message; ``waveform`` is base64 of a byte for each tenth of a second."""

    seconds: float
    waveform: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Content:
    """One message. ``view`` holds its buttons; ``embeds`` show pictures by their URLs. With ``voice`` its one file is
    a voice message, and there is nothing else."""

    text: str = ""
    files: Sequence[File] = ()
    embeds: Sequence[discord.Embed] = ()
    view: discord.ui.View | None = field(default=None, compare=False)
    voice: Voice | None = None

    def as_edit(self) -> dict[str, Any]:
        """The arguments of an edit that leaves nothing of what was there before."""
        return {
            "content": self.text,
            "attachments": self._files(),
            "embeds": list(self.embeds),
            "view": self.view,
            "allowed_mentions": NOBODY,
        }

    def as_post(self, mentions: discord.AllowedMentions = NOBODY) -> dict[str, Any]:
        """The arguments of a new message."""
        given: dict[str, Any] = {"content": self.text, "allowed_mentions": mentions}
        if self.files:
            given["files"] = self._files()
        if self.embeds:
            given["embeds"] = list(self.embeds)
        if self.view is not None:
            given["view"] = self.view
        return given

    def _files(self) -> list[discord.File]:
        return [discord.File(io.BytesIO(each.data), each.name, spoiler=each.spoiler) for each in self.files]


def only(user: int | None) -> discord.AllowedMentions:
    """Only the one who asked may be notified."""
    if user is None:
        return NOBODY
    return discord.AllowedMentions(everyone=False, roles=False, users=[discord.Object(user)], replied_user=True)
