"""Which conversation a message belongs to: pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tron_plugin_gpt.config import ConversationMode

NAME = r"^[A-Za-z0-9._:-]{1,64}$"
"""What an id of a client's own may be."""

CHANNEL = "channel:"

_MARKS = re.compile(r"[:：<>|\[\]{}#`]")
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})


class NotYours(Exception):
    """A conversation is named that the person does not take part in."""


@dataclass(frozen=True, slots=True)
class Place:
    """A conversation: its ``key`` in the tables, and ``owner``, None where everybody in a channel shares it."""

    key: str
    owner: str | None

    @property
    def shared(self) -> bool:
        return self.owner is None


def find(named: str | None, *, requester: str, channel: str | None, mode: ConversationMode) -> Place:
    """The conversation of a message.

    ``named``: an id of the client's own, or ``channel:ID`` for the channel or thread that the message was written in.
    Raises NotYours for another channel's. Without a name, ``mode`` says whose it is; threads are named by whoever
    knows that it is one.
    """
    if named and named.startswith(CHANNEL):
        if channel is None or named != CHANNEL + channel:
            raise NotYours(f"conversation ({named}): that is another channel's; write there to take part in it.")
        return Place(named, None)
    if named:
        # No id has an @, so that nobody's name for a conversation can be read as another person's.
        return Place(f"{named}@{requester}", requester)
    if mode == "channel" and channel is not None:
        return Place(CHANNEL + channel, None)
    return Place(f"@{requester}", requester)


def speaker_name(requester: str, shown: str | None = None) -> str:
    """How a person is called in a shared conversation: as they are shown, else ``alice`` for ``api:alice``.

    People choose what is shown, so it is stripped of what could end the name, or be read as a mark of a chat
    template, and the names of roles are nobody's.
    """
    name = " ".join(_MARKS.sub(" ", shown or "").split())
    if not name or name.casefold() in _ROLES:
        return requester.partition(":")[2] or requester
    return name


def spoken(text: str, speaker: str | None) -> str:
    """A message as it is sent and kept: in a shared conversation with its speaker's name before it."""
    return f"{speaker}: {text}" if speaker else text
